"""Aura by request: what it is asked, and words without times."""

from itertools import pairwise

from app.ears.deepgram import deepgram_client
from app.mouth.aura import AuraRequests
from app.mouth.elevenlabs_http import open_requests
from app.mouth.ways import Sound
from tests.mouth.vendor import HttpVendor, aura_parts, on_loopback


async def spoken(vendor: HttpVendor, text: str) -> list[Sound]:
    async with on_loopback(vendor), open_requests() as requests:
        return [sound async for sound in AuraRequests(deepgram_client("key", vendor.url, requests)).speak(text)]


async def test_it_is_asked_for_bare_mulaw() -> None:
    vendor = HttpVendor(aura_parts("Hello."))
    await spoken(vendor, "Hello.")
    (asked,) = vendor.asked
    assert asked.target == "/v1/speak?container=none&encoding=mulaw&model=aura-2-thalia-en&sample_rate=8000"
    assert asked.headers["authorization"] == "Token key"
    assert asked.body == {"text": "Hello."}


async def test_words_come_with_the_sound_in_which_they_should_end() -> None:
    text = "We are open on weekdays from nine to five."
    sounds = await spoken(HttpVendor(aura_parts(text)), text)
    heard = 0.0
    for sound in sounds:
        heard += sound.clip.seconds
        assert all(word.end <= heard for word in sound.words)
    assert [word.text for sound in sounds for word in sound.words] == text.split()


async def test_a_voice_faster_than_expected_still_tells_every_word_within_its_sound() -> None:
    text = "We are open on weekdays from nine to five."
    sounds = await spoken(HttpVendor([b"\x7e" * 4000]), text)
    words = [word for sound in sounds for word in sound.words]
    assert [word.text for word in words] == text.split()
    assert words[-1].end <= 0.5 + 0.001
    assert all(before.end <= after.start + 1e-9 for before, after in pairwise(words))
