"""ElevenLabs' wires of the lab, spoken to by its own SDK, and by hand where it has none."""

import asyncio
import json
from base64 import b64decode
from time import perf_counter
from typing import Any

import pytest
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError as ElevenLabsError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ops.lab.speech import Reader, to_mulaw
from ops.lab.vendors import Lab


def spoken(mulaw: bytes) -> str:
    return " ".join(word.text for word in Reader().feed(mulaw))


async def test_elevenlabs_streams_over_http_through_the_sdk(lab: Lab) -> None:
    client = AsyncElevenLabs(api_key="K", base_url=lab.url, timeout=5)
    way = client.text_to_speech
    given: dict[str, Any] = {"text": "We open at nine, on weekdays.", "model_id": "eleven_flash_v2_5"}
    sound = b"".join([part async for part in way.stream("v", **given, output_format="ulaw_8000")])
    assert spoken(sound) == "We open at nine, on weekdays."
    timed = [part async for part in way.stream_with_timestamps("v", **given, output_format="ulaw_8000")]
    assert b"".join(b64decode(part.audio_base_64) for part in timed) == sound
    letters = "".join("".join(part.alignment.characters) for part in timed if part.alignment)
    assert letters == "We open at nine, on weekdays. "
    assert timed[-1].alignment is not None
    assert timed[-1].alignment.character_end_times_seconds[-1] == pytest.approx(len(sound) / 8000)
    linear = b"".join([part async for part in way.convert("v", **given, output_format="pcm_8000")])
    assert to_mulaw(linear) == sound
    assert lab.counts()["elevenlabs"]["characters"] == 3 * len(given["text"])
    with pytest.raises(ElevenLabsError) as refused:
        await anext(way.stream("unknown", **given, output_format="ulaw_8000"))
    assert refused.value.status_code == 404
    await client._client_wrapper.httpx_client.httpx_client.aclose()


def multi(lab: Lab, more: str = "&auto_mode=true", way: str = "multi-stream-input", key: str = "K") -> connect:
    query = f"model_id=eleven_flash_v2_5&output_format=ulaw_8000{more}"
    url = f"{lab.ws_url}/v1/text-to-speech/v/{way}?{query}"
    return connect(url, additional_headers={"xi-api-key": key}, compression=None)


async def test_a_context_is_spoken_to_its_end_after_flush_and_close(lab: Lab) -> None:
    async with multi(lab) as socket:
        for message in (
            {"text": " ", "context_id": "t1", "voice_settings": {"stability": 0.5}},
            {"text": "We open at nine. ", "context_id": "t1"},
            {"text": "And we close at five. ", "context_id": "t1"},
            {"context_id": "t1", "flush": True},
            {"context_id": "t1", "close_context": True},
        ):
            await socket.send(json.dumps(message))
        sound, letters = b"", ""
        while not (message := json.loads(await socket.recv())).get("isFinal"):
            assert message["contextId"] == "t1"
            piece, alignment = b64decode(message["audio"]), message["alignment"]
            assert alignment["charStartTimesMs"][0] == 0
            assert 8 * (alignment["charStartTimesMs"][-1] + alignment["charDurationsMs"][-1]) == len(piece)
            sound += piece
            letters += "".join(alignment["chars"])
        assert message == {"isFinal": True, "contextId": "t1"}
        await socket.send('{"close_socket": true}')
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert spoken(sound) == "We open at nine. And we close at five."
    assert letters == "We open at nine. And we close at five. "
    (visit,) = lab.counts()["elevenlabs"]["visits"]
    assert visit["characters"] == {"t1": 39}


async def test_the_first_voice_comes_after_its_time_and_the_rest_faster_than_it_is_spoken(lab: Lab) -> None:
    async with multi(lab) as socket:
        began = perf_counter()
        await socket.send(json.dumps({"text": "One two three four five six seven eight nine ten. ", "context_id": "t"}))
        await socket.send('{"context_id": "t", "flush": true}')
        await socket.send('{"context_id": "t", "close_context": true}')
        first = json.loads(await socket.recv())
        after = perf_counter() - began
        samples = len(b64decode(first["audio"]))
        while not (message := json.loads(await socket.recv())).get("isFinal"):
            samples += len(b64decode(message["audio"]))
        took = perf_counter() - began
    assert 0.11 <= after <= 0.3
    assert took < samples / 8000 / 2


async def test_a_sixth_context_ends_the_socket(lab: Lab) -> None:
    async with multi(lab) as socket:
        for number in range(6):
            await socket.send(json.dumps({"text": " ", "context_id": f"t{number}"}))
        error = json.loads(await socket.recv())
        assert (error["error"], error["code"]) == ("max_active_conversations", 1008)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_stream_input_is_spoken_until_the_empty_text(lab: Lab) -> None:
    async with multi(lab, more="", way="stream-input") as socket:
        for text in (" ", "Hello ", "there, ", "how are you? ", ""):
            await socket.send(json.dumps({"text": text}))
        messages = [json.loads(message) async for message in socket]
        assert socket.close_code == 1000
    assert messages.pop() == {"isFinal": True}
    assert spoken(b"".join(b64decode(message["audio"]) for message in messages)) == "Hello there, how are you?"


async def test_a_bad_key_and_an_empty_account_are_told_on_the_socket(lab: Lab) -> None:
    lab.faults(vendor="elevenlabs", kind="quota", for_calls=[2])
    for key, error in (("wrong", "invalid_api_key"), ("K", "quota_exceeded")):
        async with multi(lab, key=key) as socket:
            assert json.loads(await socket.recv())["error"] == error
            with pytest.raises(ConnectionClosed):
                await socket.recv()


async def test_a_mute_voice_keeps_its_socket_open(lab: Lab) -> None:
    lab.faults(vendor="elevenlabs", kind="mute")
    async with multi(lab) as socket:
        await socket.send('{"text": "Hello. ", "context_id": "t", "flush": true}')
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await socket.recv()
        await asyncio.wait_for(await socket.ping(), 1)


async def test_a_socket_with_nothing_left_to_say_closes_when_asked(lab: Lab) -> None:
    async with multi(lab) as socket:
        await socket.send('{"close_socket": true}')
        async with asyncio.timeout(1):
            await socket.wait_closed()
        assert socket.close_code == 1000
