"""The telephone in a real browser: calls by voice, heard in what the page plays."""

import asyncio
import audioop
import json
from pathlib import Path
from typing import Any

from ops.lab import speech
from tests.browser.by_heart import SURE, Sentence
from tests.browser.chromium import chromium, microphone
from tests.browser.relay import relay
from tests.browser.stage import AGENT, Stage, stage, until
from tests.browser.telephone import DESKTOP, PHONE, Telephone, telephone

TELL_ME, SUNDAYS, GOODBYE = (
    "Tell me everything about the clinic.",
    "Sorry, are you open on Sundays?",
    "Thank you, goodbye.",
)
OVERHEAD = 1.15
FAILS = "navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{}') }}"


def rows(stage: Stage, kind: str) -> list[dict[str, Any]]:
    return [row for trace in stage.traces for row in map(json.loads, trace.lines) if row["is"] == kind]


async def test_a_whole_call_by_voice_with_a_talk_over(tmp_path: Path) -> None:
    says = [(5.5, TELL_ME), (12.0, SUNDAYS), (22.5, GOODBYE)]  # with room for a busy machine
    hears = microphone(tmp_path / "mic.wav", says, 27.0)
    async with (
        stage([text for _, text in says]) as here,
        relay(here.url) as wire,
        chromium(hears) as browser,
        telephone(browser, wire.url, recorded=True) as phone,
    ):
        await phone.picture(tmp_path / "idle.png")
        await phone.call()
        await phone.reads("closed on Sundays", seconds=30)
        await phone.picture(tmp_path / "talked-over.png")
        assert await phone.fits()
        text = await phone.reads("The agent said goodbye", seconds=30)
        await phone.picture(tmp_path / "ended.png")
        lines = await phone.lines()
        await asyncio.sleep(0.4)  # the recorder's last piece
        words = " ".join(await phone.words_played())
        up, down = wire.up, wire.down  # before the browser says goodbye

    assert [heard for who, heard, _ in lines if who == "You"] == [TELL_ME, SUNDAYS, GOODBYE]
    [(_, heard, cut)] = [line for line in lines if line[2]]
    assert heard.startswith("Our clinic was founded")
    assert cut.endswith("any of that.")
    assert words.startswith(AGENT.greeting)
    assert heard in words
    assert "If you like" not in words
    assert "No, we are closed on Sundays." in words
    assert words.endswith("Thank you for calling. Goodbye.")
    assert all(
        stage in text for stage in ("endpointing", "first token", "first clause", "first voice", "answered after")
    )
    assert "the agent was silent after" in text

    sound_up = 160 * here.ears[0].frames
    sound_down = sum(row["clip"] for row in rows(here, "Play"))
    print(f"wire: up {up / sound_up:.3f}, down {down / sound_down:.3f} with the whole transcript")
    assert sound_up < up < OVERHEAD * sound_up
    assert sound_down < down < OVERHEAD * sound_down


async def test_keys_mute_and_a_reload_in_the_middle_of_a_call_on_a_phones_screen(tmp_path: Path) -> None:
    hears = microphone(tmp_path / "mic.wav", [(4.5, TELL_ME)], 8.0)
    async with stage([TELL_ME]) as here, chromium(hears) as browser:
        async with telephone(
            browser, here.url, size=PHONE, color_scheme="dark", has_touch=True, recorded=True
        ) as phone:
            await phone.call()
            await phone.is_in("talking")
            await phone.page.click("#mute")
            assert await phone.page.get_attribute("#mute", "aria-pressed") == "true"
            await phone.reads("How can I help")
            await phone.page.click("#keys")
            await phone.page.click('[data-key="4"]')
            await phone.page.keyboard.press("2")
            await phone.page.keyboard.press("#")
            await phone.reads("pressed the keys 42")
            await phone.picture(tmp_path / "keypad.png")
            assert await phone.fits()
            await phone.reads("tell me a little more")
            await asyncio.sleep(4)  # in which the microphone says what nobody may hear
            assert here.ears[0].fits == []

            await phone.page.reload()
            await phone.is_in("talking", seconds=15)
            await phone.reads("the line dropped")
            text = await phone.reads("Sorry, the line dropped for a moment. Where were we?")
            assert "How can I help" in text
            assert "pressed the keys 42" in text
            await until_words(phone, "Where were we?")
            await phone.picture(tmp_path / "reloaded.png")
            await phone.page.click("#hang-up")
            await phone.reads("You hung up.")
        assert [row["by"] for row in rows(here, "LineClosed")] == ["carrier", "caller"]


async def test_a_line_that_breaks_is_mended_without_anybodys_doing() -> None:
    async with (
        stage() as here,
        relay(here.url) as wire,
        chromium(None) as browser,
        telephone(browser, wire.url, recorded=True) as phone,
    ):
        await asked_something(phone)
        wire.cut()
        await phone.is_in("broken")
        await phone.is_in("talking")
        text = await phone.reads("Where were we?")
        assert "pressed the keys 1" in text
        await until_words(phone, "Where were we?")


async def test_a_call_keeps_to_the_pages_own_policy() -> None:
    """With nothing in the page that its policy would forbid, as the recorder of the other tests is."""
    async with stage() as here, chromium(None) as browser, telephone(browser, here.url) as phone:
        await asked_something(phone)
        await phone.page.click("#hang-up")
        await phone.reads("You hung up.")
    assert [row["by"] for row in rows(here, "LineClosed")] == ["caller"]


async def test_a_browser_that_wants_to_be_touched_before_it_sounds_is_touched() -> None:
    untouched = """
      addEventListener("click", () => (window.touched = true), true);
      Object.defineProperty(AudioContext.prototype, "state", { get: () => (window.touched ? "running" : "suspended") });
    """
    async with (
        stage() as here,
        chromium(None) as browser,
        telephone(browser, here.url, recorded=True, scripts=[untouched]) as phone,
    ):
        await asked_something(phone)
        await phone.page.reload()
        await phone.is_in("asking")
        await phone.page.click("#go-on")
        await phone.reads("Where were we?")
        assert await phone.page.get_attribute("body", "data-state") == "talking"


async def asked_something(phone: Telephone) -> None:
    """A call with something in its memory."""
    await phone.call()
    await phone.is_in("talking")
    await phone.page.keyboard.press("1")
    await phone.page.keyboard.press("#")
    await phone.reads("tell me a little more")


async def until_words(phone: Telephone, words: str) -> None:
    async def heard() -> bool:
        return words in " ".join(await phone.words_played())

    await until(heard)


async def test_a_browser_that_refuses_the_lines_rate_converts_it(tmp_path: Path) -> None:
    """As Firefox does, which cannot lead a microphone into a context of another rate."""
    hears = microphone(tmp_path / "mic.wav", [(5.5, GOODBYE)], 9.0)
    refuses = """
      const make = AudioContext.prototype.createMediaStreamSource;
      AudioContext.prototype.createMediaStreamSource = function (stream) {
        if (this.sampleRate === 8000) throw new DOMException("different sample-rate", "NotSupportedError");
        return make.call(this, stream);
      };
    """
    async with (
        stage([GOODBYE]) as here,
        chromium(hears) as browser,
        telephone(browser, here.url, recorded=True, scripts=[refuses]) as phone,
    ):
        await phone.call()
        await phone.reads("The agent said goodbye", seconds=30)
        await asyncio.sleep(0.4)
        rate, played = await phone.sound()
    assert rate in (44100, 48000)
    assert max(here.ears[0].fits) > SURE
    fits = {word: best_fit(word, played, rate) for word in ("Hello,", "this", "clinic.", "help?")}
    assert min(fits.values()) > SURE, fits


def best_fit(word: str, played: bytes, rate: int) -> float:
    """How much of its best place in this sound is the agent's word; a sample of ours lies between two."""
    sentence = Sentence(word, voice="agent")
    fits = []
    for skipped in range(rate // speech.RATE + 1):
        narrow, _ = audioop.ratecv(played[2 * skipped :], 2, 1, rate, speech.RATE, None)
        place = sentence.place_in(narrow)
        fits.append(sentence.fit(narrow[place : place + len(sentence.sound)]))
    return max(fits)


async def test_a_browser_that_cannot_be_a_telephone_says_why_before_anybody_is_called() -> None:
    """The last of these browsers lacks nothing; only, it was not allowed to use its microphone."""
    on_sight = {
        "Object.defineProperty(window, 'isSecureContext', { value: false })": "Open this page at localhost",
        "Object.defineProperty(navigator, 'mediaDevices', { value: undefined })": "gives pages no microphone",
        "delete window.AudioWorkletNode": "has no AudioWorklet",
    }
    on_calling = {
        FAILS.format("NotFoundError"): "Plug one in",
        FAILS.format("NotReadableError"): "Another program holds the microphone",
        "window.lacks = 'nothing'": "keeps the microphone from this page. Allow it",
    }
    async with stage() as here, chromium(None, allowed=False) as browser:
        for lacks, sentence in on_sight.items():
            async with telephone(browser, here.url, scripts=[lacks]) as phone:
                await phone.reads(sentence)
                assert await phone.page.is_disabled("#call")
        for lacks, sentence in on_calling.items():
            async with telephone(browser, here.url, scripts=[lacks]) as phone:
                await phone.call()
                await phone.reads(sentence)
                assert await phone.page.is_enabled("#call")
        assert here.traces == []


async def test_the_page_fits_every_window_in_light_and_in_dark(tmp_path: Path) -> None:
    sizes = (DESKTOP, PHONE, {"width": 320, "height": 568}, {"width": 844, "height": 390})
    async with stage() as here, chromium(None) as browser:
        for size in sizes:
            for scheme in ("light", "dark"):
                async with telephone(browser, here.url, size=size, color_scheme=scheme) as phone:
                    await phone.picture(tmp_path / f"{size['width']}-{scheme}.png")
                    assert await phone.fits(), (size, scheme)
                    shown = await phone.page.evaluate("getComputedStyle(document.body).backgroundColor")
                    assert (shown == "rgb(16, 19, 23)") is (scheme == "dark")


async def test_everything_can_be_done_from_the_keyboard() -> None:
    async with stage() as here, chromium(None) as browser, telephone(browser, here.url) as phone:
        reached = []
        for _ in range(20):
            await phone.page.keyboard.press("Tab")
            reached.append(await phone.page.evaluate("document.activeElement.id || document.activeElement.dataset.key"))
        assert {"number", "headset", "1", "#", "call"} <= set(reached)
