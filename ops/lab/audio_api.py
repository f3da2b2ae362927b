"""A speech server of one's own, as whisper.cpp, faster-whisper and Kokoro are: OpenAI's two audio interfaces.

It reads the words that the lab's callers carry in their sound, and speaks with the lab's voice. What comes back is
brought to 24 kHz, so its words cannot be read any more: a filter on the way to a telephone takes them out.
`python -m ops.lab.audio_api --port 9200`, or `async with audio_api() as server` in a test.
"""

import argparse
import asyncio
import io
import itertools
import socket
import struct
import warnings
import wave
from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from random import Random
from typing import Any

import uvicorn

from ops.lab.door import CREDENTIAL_REFUSED, Gone, Patience, Receive, Request, Scope, Send, clock
from ops.lab.profile import PROFILES, REFERENCE, Fault, Faults, Profile
from ops.lab.speech import RATE, Reader, say, to_linear, to_mulaw

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the standard module until 3.12, audioop-lts after it
    import audioop

VENDOR = "local"
SPEECH_RATE = 24000
_HEARD_RATES = (8000, 16000)  # words survive these: every second sample is the caller's own
_FORMATS = {"pcm": "audio/pcm", "wav": "audio/wav"}
_WITHOUT_LENGTH = 0xFFFFFFFF  # of a WAV file that is sent while it is made


class _WrongError(Exception):
    """A request that is answered with 400, and why."""


@dataclass
class AudioApi:
    """The ASGI application, and what it has been asked. A fault's vendor is "local"."""

    profile: Profile = REFERENCE
    faults: Faults = field(default_factory=Faults)
    seed: int = 0
    url: str = ""
    heard: list[str] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    cancelled: int = 0
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    drop: Callable[[Scope], None] = lambda scope: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            with suppress(Gone):
                await self._serve(Request(scope, receive, send, lambda scope: self.drop(scope)))

    async def _serve(self, request: Request) -> None:
        fault = self.faults.next(VENDOR)
        ways = {"/v1/audio/transcriptions": self._transcribe, "/v1/audio/speech": self._speak}
        way = ways.get(request.path) if request.method == "POST" else None
        if way is None:
            await request.answer(404, _error(f"no {request.method} {request.path}"))
        elif request.token("bearer") == CREDENTIAL_REFUSED:
            await request.answer(401, _error("Incorrect API key provided"))
        elif fault is not None and fault.kind == "refuse":
            await request.answer(fault.status, _error("refused"))
        else:
            try:
                await way(request, fault, Random(f"{self.seed} {next(self._numbers)}"))
            except _WrongError as wrong:
                await request.answer(400, _error(str(wrong)))

    async def _transcribe(self, request: Request, fault: Fault | None, chance: Random) -> None:
        fields = _form(request.headers.get("content-type", ""), await request.body())
        for needed in ("model", "file"):
            if not fields.get(needed):
                raise _WrongError(f"you must provide a {needed} parameter")
        text = words_in(fields["file"])
        began = clock()
        async with asyncio.TaskGroup() as group:
            patience = Patience(request, group)
            try:
                await patience.until(began + self.profile.transcript_lag.draw(chance) + _slowness(fault))
                if fault is not None and fault.kind == "drop":
                    request.drop()
                    raise Gone
                self.heard.append(text)
                await request.answer(200, {"text": "" if fault is not None and fault.kind == "hollow" else text})
            except Gone:
                self.cancelled += 1
            finally:
                patience.over()

    async def _speak(self, request: Request, fault: Fault | None, chance: Random) -> None:
        asked = await request.json()
        _check_speech(asked)
        self.said.append(asked)
        shape = asked.get("response_format", "mp3")
        sound = b"" if fault is not None and fault.kind == "hollow" else _sound_of(asked["input"])
        step = 2 * round(self.profile.voice_chunk * SPEECH_RATE)
        due = clock() + self.profile.first_voice.draw(chance) + _slowness(fault)
        async with asyncio.TaskGroup() as group:
            patience = Patience(request, group)
            try:
                await patience.until(due)
                await request.begin(200, _FORMATS[shape])
                if shape == "wav":
                    await request.put(_wav_head())
                for at in range(0, len(sound), step):
                    await patience.until(due)
                    await request.put(sound[at : at + step])
                    due += self.profile.voice_chunk / self.profile.voice_speed
                    if fault is not None and fault.kind == "drop":
                        request.drop()
                        raise Gone
                await request.put(b"", more=False)
            except Gone:
                self.cancelled += 1
            finally:
                patience.over()


def words_in(file: bytes) -> str:
    """The words that a WAV file carries."""
    try:
        with wave.open(io.BytesIO(file)) as recording:
            shape = (recording.getnchannels(), recording.getsampwidth(), recording.getframerate())
            linear = recording.readframes(recording.getnframes())
    except (wave.Error, EOFError) as wrong:
        raise _WrongError(f"the audio file could not be decoded: {wrong}") from None
    if shape[:2] != (1, 2) or shape[2] not in _HEARD_RATES:
        raise _WrongError(f"this lab hears one channel of 16 bits at {_HEARD_RATES}, not {shape}")
    if shape[2] == 2 * RATE:
        samples = array("h", linear)
        linear = samples[::2].tobytes()
    return " ".join(word.text for word in Reader().feed(to_mulaw(linear)))


def _sound_of(text: str) -> bytes:
    linear, _ = audioop.ratecv(to_linear(say(text, voice="agent")), 2, 1, RATE, SPEECH_RATE, None)
    return linear


def _wav_head() -> bytes:
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", _WITHOUT_LENGTH, b"WAVE", b"fmt ", 16, 1, 1, SPEECH_RATE, 2 * SPEECH_RATE, 2, 16),
        *(b"data", _WITHOUT_LENGTH),
    )


def _check_speech(asked: Any) -> None:
    if not isinstance(asked, dict):
        raise _WrongError("the body is not JSON")
    for needed in ("model", "voice", "input"):
        if not isinstance(asked.get(needed), str) or not asked[needed].strip():
            raise _WrongError(f"{needed}: Field required")
    if len(asked["input"]) > 4096:
        raise _WrongError("input: at most 4096 characters")
    if asked.get("response_format", "mp3") not in _FORMATS:
        raise _WrongError(f"response_format: this lab speaks {' and '.join(_FORMATS)}")


def _form(content_type: str, body: bytes) -> dict[str, Any]:
    """A multipart form: files as bytes, all else as text."""
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + body)
    if not message.is_multipart():
        raise _WrongError("the body is not multipart/form-data")
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        payload: Any = part.get_payload(decode=True)
        name = str(part.get_param("name", header="content-disposition"))
        fields[name] = payload if part.get_filename() else payload.decode()
    return fields


def _slowness(fault: Fault | None) -> float:
    return fault.after if fault is not None and fault.kind == "slow" else 0.0


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


class _Server(uvicorn.Server):
    """uvicorn with the interfaces inside, and a way to break a connection off."""

    def __init__(self, api: AudioApi) -> None:
        config = uvicorn.Config(api, lifespan="off", access_log=False, log_level="warning", timeout_graceful_shutdown=1)
        super().__init__(config)
        self.up = asyncio.Event()
        api.drop = self._break_off

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    def _break_off(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == scope["client"] and connection.transport is not None:
                connection.transport.abort()


@asynccontextmanager
async def audio_api(profile: Profile = REFERENCE, *, seed: int = 0) -> AsyncIterator[AudioApi]:
    """The server on a free port of this machine, for as long as the block."""
    api = AudioApi(profile, seed=seed)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        api.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = _Server(api)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listening]))
            try:
                await server.up.wait()
                yield api
            finally:
                server.should_exit = True


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser("audio_api", description="A speech server with OpenAI's audio interfaces.")
    parser.add_argument("--port", type=int, default=9200)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="reference")
    given = parser.parse_args(arguments)
    with socket.create_server(("127.0.0.1", given.port)) as listening:
        print(f"audio ready at http://127.0.0.1:{listening.getsockname()[1]}, profile {given.profile}", flush=True)
        _Server(AudioApi(PROFILES[given.profile])).run([listening])


if __name__ == "__main__":
    main()
