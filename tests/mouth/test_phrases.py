"""Sound rendered ahead: found again, bounded, and rendered a few at a time."""

import asyncio
from collections.abc import AsyncGenerator

from app.audio import Clip, silence
from app.call.events import Event, Metered
from app.errors import VendorError
from app.mouth.elevenlabs_http import ElevenLabsRequests, elevenlabs_client
from app.mouth.phrases import Phrases
from app.mouth.ways import Sound

SOUND = (Sound(Clip.of(silence(0.1))),)


class Singer(ElevenLabsRequests):
    """A way that takes a moment for every text, refuses one, and counts how many it is asked for at once."""

    def __init__(self) -> None:
        super().__init__(elevenlabs_client("key", "http://127.0.0.1:9"), "voice", "model")
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0

    async def speak(self, text: str, before: str = "") -> AsyncGenerator[Sound, None]:
        self.asked.append(text)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if text == "cursed":
            raise VendorError("elevenlabs", "cannot say that")
        yield SOUND[0]


def test_a_phrase_is_found_by_voice_model_and_text() -> None:
    phrases = Phrases()
    phrases.keep("voice", "model", "One  moment.", SOUND)
    assert phrases.find("voice", "model", "One moment. ") == SOUND
    assert phrases.find("other", "model", "One moment.") is None
    assert phrases.find("voice", "other", "One moment.") is None
    assert phrases.find("voice", "model", "Two moments.") is None


def test_what_was_not_asked_for_the_longest_leaves_first() -> None:
    phrases = Phrases(most=2)
    phrases.keep("voice", "model", "one", SOUND)
    phrases.keep("voice", "model", "two", SOUND)
    assert phrases.find("voice", "model", "one") == SOUND
    phrases.keep("voice", "model", "three", SOUND)
    assert len(phrases) == 2
    assert phrases.find("voice", "model", "two") is None
    assert phrases.find("voice", "model", "one") == SOUND


async def test_rendering_fills_it_four_at_a_time_and_says_what_failed() -> None:
    phrases, singer = Phrases(), Singer()
    texts = [f"text {n}" for n in range(10)]
    assert await phrases.render(singer, [*texts, "cursed", "", "  "]) == {"cursed": "elevenlabs: cannot say that"}
    assert len(phrases) == 10
    assert singer.most_at_once == 4


async def test_rendering_again_asks_only_for_what_is_missing() -> None:
    phrases, singer = Phrases(), Singer()
    await phrases.render(singer, ["one", "two", "one "])
    assert sorted(singer.asked) == ["one", "two"]
    await phrases.render(singer, ["one", "two", "three"])
    assert sorted(singer.asked) == ["one", "three", "two"]


def billed(phrases: Phrases, voice: str = "voice") -> list[Event]:
    told: list[Event] = []
    phrases.bill("elevenlabs", voice, "model", told.append)
    return told


async def test_what_was_rendered_is_owed_once() -> None:
    phrases, singer = Phrases(), Singer()
    await phrases.render(singer, ["one", "three", "cursed"])
    assert billed(phrases, "other voice") == []
    assert billed(phrases) == [Metered("elevenlabs", "model", "character", "8", wasted="rendered ahead")]
    assert billed(phrases) == []
    await phrases.render(singer, ["one", "two"])
    assert billed(phrases) == [Metered("elevenlabs", "model", "character", "3", wasted="rendered ahead")]
