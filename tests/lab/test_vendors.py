"""Every wire of the lab, spoken to by the vendors' own SDKs over real sockets."""

import asyncio
import json
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
from anthropic import APIStatusError, AsyncAnthropic, AsyncStream, RateLimitError
from anthropic.types import RawMessageStreamEvent
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.transport import restore_transport
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError as ElevenLabsError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ops.lab.speech import Reader, say, silence, to_linear, to_mulaw
from ops.lab.vendors import Lab, vendors

PAGE = "a" * 8000
FRAME = 160
HERE = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_lab() -> AsyncIterator[Lab]:
    async with vendors() as lab:
        yield lab


@pytest.fixture
def lab(one_lab: Lab) -> Lab:
    one_lab.reset()
    return one_lab


def deepgram(lab: Lab, key: str = "K") -> AsyncDeepgramClient:
    restore_transport()  # the product puts one of its own under the SDK, for the whole process
    where = DeepgramClientEnvironment(base=lab.url, production=lab.ws_url, agent=lab.ws_url, agent_rest=lab.url)
    return AsyncDeepgramClient(api_key=key, environment=where)


def anthropic(lab: Lab, key: str = "K") -> AsyncAnthropic:
    return AsyncAnthropic(api_key=key, base_url=lab.url, max_retries=0)


def speech_and_silence() -> bytes:
    return silence(0.2) + say("hello are you open") + silence(0.8)


async def ask(lab: Lab, text: str, **more: Any) -> Any:
    async with anthropic(lab) as client:
        return await client.messages.create(
            model="claude-haiku-4-5", max_tokens=200, messages=[{"role": "user", "content": text}], **more
        )


@asynccontextmanager
async def answer_to(lab: Lab, text: str) -> AsyncIterator[AsyncStream[RawMessageStreamEvent]]:
    async with anthropic(lab) as client:
        yield await client.messages.create(
            model="claude-haiku-4-5", max_tokens=200, messages=[{"role": "user", "content": text}], stream=True
        )


# --- Deepgram -------------------------------------------------------------------------------------------------------


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


# --- Anthropic ------------------------------------------------------------------------------------------------------


async def test_claude_streams_through_the_sdk_at_the_pace_of_the_profile(lab: Lab) -> None:
    began = perf_counter()
    first, text, kinds = 0.0, "", []
    async with answer_to(lab, "Are you open on Sundays?") as stream:
        async for event in stream:
            kinds.append(event.type)
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                first = first or perf_counter() - began
                text += event.delta.text
    assert text == "No, we are closed on Sundays. On Saturdays we are open from ten to two."
    assert 0.29 <= first <= 0.6
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert lab.requests()[-1]["messages"][-1]["content"] == "Are you open on Sundays?"
    (request,) = lab.counts()["anthropic"]["requests"]
    assert request["stop_reason"] == "end_turn"
    assert request["output_tokens"] > 10


async def test_an_answer_that_is_broken_off_is_metered_as_cancelled(lab: Lab) -> None:
    async with answer_to(lab, "Tell me about the clinic") as stream:
        async for event in stream:
            if event.type == "content_block_delta":
                break
    for _ in range(200):  # the server notices in its own time, which is not ours
        if lab.counts()["anthropic"]["cancelled"]:
            break
        await asyncio.sleep(0.01)
    (request,) = lab.counts()["anthropic"]["requests"]
    assert 1 <= request["output_tokens"] < 30
    assert request["stop_reason"] is None


async def test_tools_come_with_their_arguments_and_their_results_come_back_as_words(lab: Lab) -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
    tools: list[Any] = [{"name": "book", "description": "Book.", "input_schema": schema}]
    wanted = await ask(lab, "I'd like to book an appointment", tools=tools)
    assert wanted.stop_reason == "tool_use"
    use = wanted.content[1]
    assert (use.name, use.input) == ("book", {"day": "Tuesday at ten"})
    async with anthropic(lab) as client:
        done = await client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=200,
            tools=tools,
            messages=[
                {"role": "user", "content": "I'd like to book an appointment"},
                {"role": "assistant", "content": [use.model_dump(include={"type", "id", "name", "input"})]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "Booked."}]},
            ],
        )
    assert [block.text for block in done.content if block.type == "text"] == ["Here is what I found: Booked."]


async def test_a_prompt_is_written_to_the_cache_once_and_read_from_then_on(lab: Lab) -> None:
    system = [{"type": "text", "text": PAGE * 3, "cache_control": {"type": "ephemeral"}}]
    warm = await ask(lab, "hello", system=system)
    assert (warm.usage.cache_creation_input_tokens, warm.usage.cache_read_input_tokens) == (6002, 0)
    again = await ask(lab, "Are you open?", system=system)
    assert (again.usage.cache_creation_input_tokens, again.usage.cache_read_input_tokens) == (0, 6002)
    assert again.usage.input_tokens == 5
    async with anthropic(lab) as client:
        counted = await client.messages.count_tokens(
            model="claude-haiku-4-5",
            system=system,  # type: ignore[arg-type]
            messages=[{"role": "user", "content": "Are you open?"}],
        )
    assert counted.input_tokens == 6007


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"extra_body": {"temperature": 0.2}, "model": "claude-haiku-5-5"}, "temperature"),
        ({"model": "claude-sonnet-5-5", "thinking": {"type": "disabled"}}, "disabled"),
        ({"system": [{"type": "text", "text": ""}]}, "non-empty"),
    ],
)
async def test_claude_refuses_what_the_vendor_refuses(lab: Lab, more: dict[str, Any], complaint: str) -> None:
    given = {"model": "claude-haiku-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}], **more}
    async with anthropic(lab) as client:
        with pytest.raises(APIStatusError) as refused:
            await client.messages.create(**given)
    assert refused.value.status_code == 400
    assert complaint in str(refused.value)


async def test_faults_of_claude_come_as_the_sdk_knows_them(lab: Lab) -> None:
    lab.faults(vendor="anthropic", kind="refuse", status=429, retry_after=7)
    with pytest.raises(RateLimitError) as limited:
        await ask(lab, "hello")
    assert limited.value.response.headers["retry-after"] == "7"
    lab.faults(vendor="anthropic", kind="error", after=0.35)
    async with answer_to(lab, "Tell me about the clinic") as stream:
        with pytest.raises(APIStatusError) as broken:
            [event async for event in stream]
    assert broken.value.type == "overloaded_error"
    lab.faults(vendor="anthropic", kind="drop", after=0.35)
    async with answer_to(lab, "Tell me about the clinic") as stream:
        with pytest.raises(httpx2.TransportError):
            [event async for event in stream]
    began = perf_counter()
    lab.faults(vendor="anthropic", kind="slow", after=0.3)
    await ask(lab, "hello")
    assert perf_counter() - began >= 0.6


# --- ElevenLabs -----------------------------------------------------------------------------------------------------


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


# --- the lab itself -------------------------------------------------------------------------------------------------


async def test_a_run_brings_its_own_answers() -> None:
    script = [{"when": "weather", "say": "It is sunny.", "delay": 0.0}]
    async with vendors(script=script) as lab:
        answer = await ask(lab, "What's the weather like?")
    assert answer.content[0].text == "It is sunny."


async def test_a_fault_that_nobody_can_have_is_refused(lab: Lab) -> None:
    async with httpx.AsyncClient() as client:
        wrong = await client.post(f"{lab.url}/lab/faults", json={"vendor": "twilio", "kind": "mute"})
        assert wrong.status_code == 400
        unknown = await client.post(f"{lab.url}/lab/faults", json={"vendor": "twilio", "kind": "slow", "when": 3})
        assert "when" in unknown.json()["error"]
        assert (await client.get(f"{lab.url}/nowhere")).status_code == 404


async def test_a_reset_forgets_everything(lab: Lab) -> None:
    lab.faults(vendor="anthropic", kind="refuse", status=529, times=None)
    lab.reset()
    await ask(lab, "hello")
    assert len(lab.requests()) == 1
    lab.reset()
    assert lab.requests() == []
    assert lab.counts()["anthropic"]["requests"] == []


def test_the_lab_runs_by_itself_until_it_is_told_to_stop(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"when": "weather", "say": "It is sunny."}]')
    words = [
        sys.executable,
        "-m",
        "ops.lab",
        "vendors",
        "--port",
        "0",
        "--profile",
        "published",
        "--script",
        str(script),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "profile published" in said
        lab = Lab(said.split()[3].rstrip(","))
        assert lab.counts()["anthropic"]["requests"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
