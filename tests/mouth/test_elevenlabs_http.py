"""ElevenLabs by request: what it is asked, and both habits of its times."""

import pytest

from app.mouth.elevenlabs_http import ElevenLabsRequests, elevenlabs_client, open_requests
from app.mouth.ways import Sound
from tests.mouth.vendor import HttpVendor, elevenlabs_parts, on_loopback

TEXT = "We open at nine, and close at five."


async def spoken(vendor: HttpVendor, before: str = "", model: str = "eleven_flash_v2_5") -> list[Sound]:
    async with on_loopback(vendor), open_requests() as requests:
        way = ElevenLabsRequests(elevenlabs_client("key", vendor.url, requests), "voice", model, "en-GB")
        return [sound async for sound in way.speak(TEXT, before)]


async def test_it_is_asked_for_sound_that_twilio_takes_and_told_what_came_before() -> None:
    vendor = HttpVendor(elevenlabs_parts(TEXT))
    await spoken(vendor, before="Good morning.")
    (asked,) = vendor.asked
    assert asked.target == "/v1/text-to-speech/voice/stream/with-timestamps?output_format=ulaw_8000"
    assert asked.headers["xi-api-key"] == "key"
    assert asked.body == {
        "text": TEXT,
        "model_id": "eleven_flash_v2_5",
        "language_code": "en",
        "previous_text": "Good morning.",
    }


async def test_a_model_of_one_language_is_not_told_it() -> None:
    vendor = HttpVendor(elevenlabs_parts(TEXT))
    await spoken(vendor, model="eleven_flash_v2")
    assert "language_code" not in vendor.asked[0].body


@pytest.mark.parametrize("restart", [False, True])
async def test_words_lie_where_they_sound_whether_times_go_on_or_begin_again(restart: bool) -> None:
    sounds = await spoken(HttpVendor(elevenlabs_parts(TEXT, restart=restart)))
    at = 0.0
    for sound in sounds:
        (word,) = sound.words
        assert at - 0.001 <= word.start < word.end <= at + sound.clip.seconds + 0.001
        at += sound.clip.seconds


async def test_a_refusal_gives_the_vendors_words() -> None:
    vendor = HttpVendor([b'{"detail":{"status":"quota_exceeded","message":"You are out of credits"}}'], status=401)
    with pytest.raises(Exception, match="elevenlabs: refused with status 401: You are out of credits"):
        await spoken(vendor)
