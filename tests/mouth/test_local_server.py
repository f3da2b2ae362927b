"""A voice by request from the lab's speech server."""

import struct
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.audio import loudness, to_linear
from app.errors import VendorError
from app.mouth.local_server import PCM_RATE, LocalRequests, beginning, open_requests
from app.mouth.ways import Sound
from ops.lab.audio_api import AudioApi, audio_api
from ops.lab.profile import Fault
from ops.lab.speech import say

TEXT = "We open at nine, and close at five on weekdays."
HEAD = b"RIFF\x00\x00\x00\x00WAVE"


@pytest_asyncio.fixture
async def api() -> AsyncIterator[AudioApi]:
    async with audio_api() as server:
        yield server


async def spoken(url: str, text: str = TEXT, key: str = "") -> list[Sound]:
    async with open_requests(key) as requests:
        return [sound async for sound in LocalRequests(requests, url, "alloy").speak(text)]


async def test_a_text_becomes_telephone_sound_with_all_its_words(api: AudioApi) -> None:
    sounds = await spoken(f"{api.url}/v1")
    seconds = sum(sound.clip.seconds for sound in sounds)
    assert seconds == pytest.approx(len(say(TEXT, voice="agent")) / 8000, abs=0.01)
    assert loudness(to_linear(b"".join(sound.clip.mulaw() for sound in sounds))) > 1000
    words = [word for sound in sounds for word in sound.words]
    assert [word.text for word in words] == TEXT.split()
    assert words[-1].end <= seconds + 0.01
    assert api.said == [{"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm"}]


async def test_the_sound_comes_while_it_is_made(api: AudioApi) -> None:
    sounds = await spoken(api.url)
    assert len(sounds) > 5
    assert max(sound.clip.seconds for sound in sounds) < 0.6


@pytest.mark.parametrize(("status", "again"), [(503, True), (429, True), (404, False)])
async def test_a_refusal_says_whether_another_try_can_help(api: AudioApi, status: int, again: bool) -> None:
    api.faults.add(Fault("local", "refuse", status=status))
    with pytest.raises(VendorError, match=f"status {status}") as refused:
        await spoken(api.url)
    assert refused.value.again is again


async def test_an_answer_that_breaks_off_or_holds_nothing_is_a_failure(api: AudioApi) -> None:
    api.faults.add(Fault("local", "drop"))
    with pytest.raises(VendorError, match="the request failed"):
        await spoken(api.url)
    api.faults.add(Fault("local", "hollow"))
    with pytest.raises(VendorError, match="without a sound"):
        await spoken(api.url)
    with pytest.raises(VendorError, match="status 401"):
        await spoken(api.url, key="wrong")


async def test_nobody_at_the_address_is_a_failure_that_may_pass() -> None:
    with pytest.raises(VendorError, match="the request failed: ConnectError") as failed:
        await spoken("http://127.0.0.1:9")
    assert failed.value.again


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x00\x01", None),
        (b"\x00\x01\x02\x03", (PCM_RATE, 0)),
        (HEAD, None),
        (HEAD + struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, 22050, 44100, 2, 16, b"data", 9), (22050, 44)),
        (HEAD + struct.pack("<4sI3sx4sI", b"LIST", 3, b"abc", b"data", 9), (PCM_RATE, 32)),
    ],
)
def test_the_sound_begins_behind_the_head_that_a_server_may_send(data: bytes, found: tuple[int, int] | None) -> None:
    assert beginning(data) == found


async def test_wav_is_understood_though_it_was_not_asked_for() -> None:
    head = HEAD + struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16, b"data", 0xFFFFFFFF)
    answer = httpx.MockTransport(lambda request: httpx.Response(200, content=head + bytes(2 * 16000)))
    async with httpx.AsyncClient(transport=answer) as requests:
        sounds = [sound async for sound in LocalRequests(requests, "http://there", "alloy").speak("Hello.")]
    assert sum(sound.clip.seconds for sound in sounds) == pytest.approx(1.0, abs=0.002)
