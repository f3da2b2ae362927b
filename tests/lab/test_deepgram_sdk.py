"""Deepgram's wires of the lab, spoken to by its own SDK over real sockets."""

import json
from typing import Any

import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.transport import restore_transport
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ops.lab.speech import say, silence, to_linear
from ops.lab.vendors import Lab

FRAME = 160


def deepgram(lab: Lab, key: str = "K") -> AsyncDeepgramClient:
    restore_transport()  # the product puts one of its own under the SDK, for the whole process
    where = DeepgramClientEnvironment(base=lab.url, production=lab.ws_url, agent=lab.ws_url, agent_rest=lab.url)
    return AsyncDeepgramClient(api_key=key, environment=where)


def speech_and_silence() -> bytes:
    return silence(0.2) + say("hello are you open") + silence(0.8)


async def test_nova_hears_through_the_sdk_and_accounts_for_the_audio(lab: Lab) -> None:
    sound = speech_and_silence()
    kinds: list[str] = []
    finals: list[str] = []
    async with deepgram(lab).listen.v1.connect(
        model="nova-3", encoding="mulaw", sample_rate=8000, interim_results=True, endpointing=300, vad_events=True
    ) as socket:
        for at in range(0, len(sound), FRAME):
            await socket.send_media(sound[at : at + FRAME])
        await socket.send_keep_alive()
        await socket.send_close_stream()
        async for message in socket:
            kinds.append(message.type)
            if message.type == "Results" and message.is_final:
                finals.append(message.channel.alternatives[0].transcript)
    assert " ".join(finals).strip() == "hello are you open"
    assert kinds[0] == "SpeechStarted"
    assert kinds[-1] == "Metadata"
    (socket_account,) = lab.counts()["deepgram"]["sockets"]
    assert socket_account["audio_seconds"] == pytest.approx(len(sound) / 8000, abs=0.001)
    assert socket_account["closed_with"] == 1000


async def test_flux_ends_turns_through_the_sdk(lab: Lab) -> None:
    sound = speech_and_silence()
    events: list[str] = []
    async with deepgram(lab).listen.v2.connect(
        model="flux-general-en", encoding="mulaw", sample_rate=8000, eager_eot_threshold=0.4
    ) as socket:
        for at in range(0, len(sound), 4 * FRAME):
            await socket.send_media(sound[at : at + 4 * FRAME])
        await socket.send_configure({"type": "Configure", "thresholds": {"eot_threshold": 0.8}})
        numbers = []
        async for message in socket:
            numbers.append(message.sequence_id)
            events.append(getattr(message, "event", message.type))
            if events[-1] == "EndOfTurn":
                assert message.transcript == "hello are you open"
                assert message.trigger == "model"
                break
    assert numbers == list(range(len(numbers)))
    assert [event for event in events if event != "Update"] == [
        "Connected",
        "ConfigureSuccess",
        "StartOfTurn",
        "EagerEndOfTurn",
        "EndOfTurn",
    ]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"encoding": "silk"}, 400),
        ({"utterance_end_ms": 500}, 400),
        ({"model": "flux-general-en"}, 400),
        ({"key": "wrong"}, 401),
    ],
)
async def test_deepgram_refuses_a_handshake_that_it_would_refuse(lab: Lab, wrong: dict[str, Any], status: int) -> None:
    given = {"model": "nova-3", "encoding": "mulaw", "sample_rate": 8000, "interim_results": True, **wrong}
    client = deepgram(lab, given.pop("key", "K"))
    with pytest.raises(ApiError) as refused:
        async with client.listen.v1.connect(**given):
            pass
    assert refused.value.status_code == status


async def test_keep_alive_and_finalize_are_nothing_that_flux_knows(lab: Lab) -> None:
    url = f"{lab.ws_url}/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000"
    async with connect(url, additional_headers={"Authorization": "Token K"}) as socket:
        await socket.recv()
        await socket.send('{"type": "KeepAlive"}')
        error = json.loads(await socket.recv())
        assert (error["type"], error["sequence_id"]) == ("Error", 1)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_linear_audio_is_heard_as_well(lab: Lab) -> None:
    url = f"{lab.ws_url}/v1/listen?model=nova-3&encoding=linear16&sample_rate=8000&punctuate=true&endpointing=300"
    async with connect(url, additional_headers={"Authorization": "Token K"}) as socket:
        await socket.send(to_linear(say("Yes, please.") + silence(0.4)))
        heard = json.loads(await socket.recv())
    assert heard["channel"]["alternatives"][0]["transcript"] == "Yes, please."
    assert heard["speech_final"] is True


@pytest.mark.parametrize(
    ("fault", "code"), [({"kind": "drop"}, None), ({"kind": "close", "code": 1011, "reason": "NET-0000"}, 1011)]
)
async def test_a_live_socket_can_be_broken(lab: Lab, fault: dict[str, Any], code: int | None) -> None:
    url = f"{lab.ws_url}/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000"
    async with connect(url, additional_headers={"Authorization": "Token K"}) as socket:
        await socket.recv()
        lab.faults(vendor="deepgram", live=True, **fault)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert (closed.value.rcvd.code if closed.value.rcvd else None) == code


async def test_a_handshake_is_refused_as_often_as_the_fault_says(lab: Lab) -> None:
    lab.faults(vendor="deepgram", kind="refuse", status=503, times=1)
    url = f"{lab.ws_url}/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers={"Authorization": "Token K"}):
            pass
    assert refused.value.response.status_code == 503
    async with connect(url, additional_headers={"Authorization": "Token K"}):
        pass
    assert lab.counts()["deepgram"]["refused"] == 1
