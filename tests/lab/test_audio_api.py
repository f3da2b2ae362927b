"""The lab's speech server: strict about requests, true about words, faithful about time and faults."""

import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from ops.lab.audio_api import SPEECH_RATE, AudioApi, audio_api
from ops.lab.profile import Fault
from ops.lab.speech import say, to_linear

HEAR, SPEAK = "/v1/audio/transcriptions", "/v1/audio/speech"
SENTENCE = "When are you open?"
ASKED = {"model": "tts-1", "voice": "alloy", "input": SENTENCE, "response_format": "pcm"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[AudioApi]:
    async with audio_api() as server:
        yield server


@pytest_asyncio.fixture
async def client(api: AudioApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.url, timeout=10) as client:
        yield client


def recording(rate: int = 8000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(channels)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(to_linear(say(SENTENCE)))
    return file.getvalue()


async def heard(client: httpx.AsyncClient, file: bytes, **fields: str) -> httpx.Response:
    return await client.post(HEAR, data={"model": "whisper-1", **fields}, files={"file": ("a.wav", file)})


async def test_the_words_in_the_sound_are_the_transcript(client: httpx.AsyncClient, api: AudioApi) -> None:
    assert (await heard(client, recording(), language="en")).json() == {"text": SENTENCE}
    assert api.heard == [SENTENCE]


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        (b"no sound at all", "could not be decoded"),
        (recording(44100), "this lab hears"),
        (recording(channels=2), "this lab hears"),
        (b"", "must provide a file"),
    ],
)
async def test_what_is_no_recording_is_refused(client: httpx.AsyncClient, file: bytes, complaint: str) -> None:
    answer = await heard(client, file)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]["message"]


async def test_a_form_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post(HEAR, json={"model": "whisper-1"})).status_code == 400
    assert (await client.post(HEAR, files={"file": ("a.wav", recording())})).status_code == 400


@pytest.mark.parametrize("shape", ["pcm", "wav"])
async def test_a_text_is_spoken_at_the_interfaces_own_rate(client: httpx.AsyncClient, shape: str) -> None:
    answer = await client.post(SPEAK, json={**ASKED, "response_format": shape})
    head = 44 if shape == "wav" else 0
    seconds = (len(answer.content) - head) / 2 / SPEECH_RATE
    assert answer.headers["content-type"] == f"audio/{shape}"
    assert seconds == pytest.approx(len(say(SENTENCE, voice="agent")) / 8000, abs=0.01)
    assert answer.content.startswith(b"RIFF") == (shape == "wav")


@pytest.mark.parametrize("wrong", [{"input": " "}, {"voice": None}, {"response_format": "opus"}, {"input": "a" * 5000}])
async def test_a_wish_that_makes_no_sense_is_refused(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert (await client.post(SPEAK, json={**ASKED, **wrong})).status_code == 400


async def test_other_addresses_and_wrong_keys_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get(SPEAK)).status_code == 404
    wrong = {"authorization": "Bearer wrong"}
    assert (await client.post(SPEAK, json=ASKED, headers=wrong)).status_code == 401


async def test_faults_happen_as_they_were_set(client: httpx.AsyncClient, api: AudioApi) -> None:
    api.faults.add(Fault("local", "refuse", status=503))
    assert (await client.post(SPEAK, json=ASKED)).status_code == 503
    api.faults.add(Fault("local", "drop"))
    with pytest.raises(httpx.HTTPError):
        await client.post(SPEAK, json=ASKED)
    api.faults.add(Fault("local", "drop"))
    with pytest.raises(httpx.HTTPError):
        await heard(client, recording())
    api.faults.add(Fault("local", "hollow"))
    assert (await heard(client, recording())).json() == {"text": ""}
    assert api.cancelled == 2
