"""ElevenLabs: its two WebSocket interfaces and its HTTP ones, what they accept, what they refuse, what they bill."""

import asyncio
import itertools
import json
import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ops.lab.door import CREDENTIAL_REFUSED, Gone, Patience, Request, Socket, Talk, clock
from ops.lab.profile import Fault, Faults, Profile
from ops.lab.stamps import Stamps, VoiceWatch
from ops.lab.voice import FORMATS, Chunk, Voice, VoiceOptions, chunks

_PATH = re.compile(
    r"/v1/text-to-speech/(?P<voice>[^/]+)(?P<way>|/stream|/stream/with-timestamps|/stream-input|/multi-stream-input)"
)
_MODELS = (
    "eleven_flash_v2_5",
    "eleven_flash_v2",
    "eleven_turbo_v2_5",
    "eleven_turbo_v2",
    "eleven_multilingual_v2",
)
_NO_SUCH_VOICE = "unknown"  # any other voice exists
_KEPT = 5000


@dataclass(slots=True)
class Account:
    """What one socket or request will cost: characters turned into sound, by context."""

    way: str
    characters: dict[str, int] = field(default_factory=dict)
    open: bool = True
    cancelled: bool = False
    closed_with: int | None = None

    def told(self) -> dict[str, Any]:
        return {
            "way": self.way,
            "characters": dict(self.characters),
            "open": self.open,
            "cancelled": self.cancelled,
            "closed_with": self.closed_with,
        }


class _Side:
    """The machine of one socket: a voice, and whether its client may speak at all."""

    def __init__(self, voice: Voice, key: str | None) -> None:
        self.voice = voice
        self._key = key

    @property
    def closing(self) -> tuple[int, str] | None:
        return self.voice.closing

    @closing.setter
    def closing(self, value: tuple[int, str] | None) -> None:
        self.voice.closing = value

    def deadline(self) -> float | None:
        return self.voice.deadline()

    def poll(self, now: float) -> list[dict[str, Any]]:
        return self.voice.poll(now)

    def take(self, message: str | bytes, now: float) -> None:
        try:
            given = json.loads(message)
        except ValueError:
            given = None
        if self._key is None and isinstance(given, dict):
            # A key that is not in the headers may come in the first message.
            self._key = given.get("xi-api-key") or given.get("xi_api_key") or given.get("authorization")
        if not self._key or self._key == CREDENTIAL_REFUSED:
            self.voice.refuse("invalid_api_key", "Invalid API key")
        else:
            self.voice.receive(given, now)


class ElevenLabs:
    """All of ElevenLabs that this lab has."""

    def __init__(self, profile: Profile, faults: Faults, seed: int, stamps: Stamps) -> None:
        self.talks: set[Talk] = set()
        self._stamps = stamps
        self._sockets = itertools.count(1)
        self._profile = profile
        self._faults = faults
        self._seed = seed
        self._numbers = itertools.count(1)
        self._accounts: deque[Account] = deque(maxlen=_KEPT)
        self._refused = 0

    @staticmethod
    def owns(path: str) -> bool:
        return _PATH.fullmatch(path) is not None

    def counts(self) -> dict[str, Any]:
        visits = [account.told() for account in self._accounts]
        characters = sum(sum(visit["characters"].values()) for visit in visits)
        return {"visits": visits, "refused": self._refused, "characters": characters}

    def reset(self) -> None:
        self._accounts = deque((each for each in self._accounts if each.open), maxlen=_KEPT)
        self._refused = 0
        self._numbers = itertools.count(1)

    async def stream_input(self, socket: Socket) -> None:
        """stream-input and multi-stream-input, from the handshake to the end."""
        chance, fault = self._begin()
        if fault is not None and fault.kind == "refuse":
            self._refused += 1
            return await socket.refuse(fault.status, _detail("system_busy", "refused"))
        options = _options(socket)
        voice = Voice(options, self._profile, chance, fault)
        key = socket.headers.get("xi-api-key") or socket.token("bearer") or socket.asked("authorization") or None
        await socket.accept()
        voice.opened(clock())
        wrong = _wrong_address(socket, options)
        if wrong:
            voice.refuse(*wrong)
        elif key == CREDENTIAL_REFUSED:
            voice.refuse("invalid_api_key", "Invalid API key")
        elif fault is not None and fault.kind == "quota":
            voice.refuse("quota_exceeded", "This request exceeds your quota.")
        account = Account("multi" if options.multi else "single", voice.characters)
        self._accounts.append(account)
        watch = VoiceWatch(self._stamps, f"elevenlabs {next(self._sockets)}") if self._stamps.on else None
        talk = Talk(socket, _Side(voice, key), fault, watch)
        self.talks.add(talk)
        try:
            await talk.run()
        finally:
            self.talks.discard(talk)
            account.open = False
            account.closed_with = voice.closing[0] if voice.closing else None

    async def convert(self, request: Request) -> None:
        """The HTTP interfaces: all of the sound at the end, as it is made, or as it is made with times."""
        chance, fault = self._begin()
        body = await request.json()
        refusal = _refusal(request, body, fault)
        if refusal is not None:
            self._refused += 1
            return await request.answer(refusal[0], refusal[1])
        account = Account("http", {"http": len(body["text"])})
        self._accounts.append(account)
        async with asyncio.TaskGroup() as group:
            patience = Patience(request, group)
            try:
                await self._tell(request, body["text"], patience, chance, fault)
            except Gone:
                account.cancelled = True
            finally:
                patience.over()
                account.open = False

    def _begin(self) -> tuple[Random, Fault | None]:
        return Random(f"{self._seed} elevenlabs {next(self._numbers)}"), self._faults.next("elevenlabs")

    async def _tell(self, request: Request, text: str, patience: Patience, chance: Random, fault: Fault | None) -> None:
        began = clock()
        way, output_format = _way(request.path), request.asked("output_format")
        kind = fault.kind if fault is not None else ""
        after = fault.after if fault is not None else 0.0
        due = began + self._profile.first_voice.draw(chance) + (after if kind == "slow" else 0.0)
        pieces = [] if kind == "hollow" else list(chunks(text, self._profile.voice_chunk))
        if way == "":  # all of it at once, when all of it is made
            due += sum(piece.seconds for piece in pieces) / self._profile.voice_speed
        timed = way.endswith("with-timestamps")
        await patience.until(due)
        content_type = "application/json" if timed else "audio/basic" if output_format == "ulaw_8000" else "audio/pcm"
        await request.begin(
            200, content_type, [("request-id", f"lab{id(request):x}"), ("character-cost", str(len(text)))]
        )
        for piece, part in zip(pieces, _parts(pieces, output_format, timed=timed), strict=True):
            if kind in ("drop", "mute") and due >= began + after:
                await patience.until(began + (after if kind == "drop" else 3600.0))
                request.drop()
                raise Gone
            await patience.until(due)
            await request.put(part)
            due += 0.0 if way == "" else piece.seconds / self._profile.voice_speed
        await request.put(b"", more=False)


def _parts(pieces: list[Chunk], output_format: str, *, timed: bool) -> Iterator[bytes]:
    """What goes out for each piece. Times of this interface go on from piece to piece."""
    milliseconds = 0
    for piece in pieces:
        sound = piece.encoded(output_format)
        if not timed:
            yield sound
            continue
        edges = [
            milliseconds,
            *(milliseconds + edge for edge in itertools.accumulate(each for _, each in piece.letters)),
        ]
        milliseconds = edges[-1]
        alignment = {
            "characters": [letter for letter, _ in piece.letters],
            "character_start_times_seconds": [edge / 1000 for edge in edges[:-1]],
            "character_end_times_seconds": [edge / 1000 for edge in edges[1:]],
        }
        audio = b64encode(sound).decode()
        line = {"audio_base64": audio, "alignment": alignment, "normalized_alignment": alignment}
        yield json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _way(path: str) -> str:
    match = _PATH.fullmatch(path)
    assert match is not None
    return match["way"]


def _voice(path: str) -> str:
    match = _PATH.fullmatch(path)
    assert match is not None
    return match["voice"]


def _options(socket: Socket) -> VoiceOptions:
    timeout = socket.asked("inactivity_timeout", "20")
    return VoiceOptions(
        output_format=socket.asked("output_format", "mp3_44100_128"),
        auto_mode=socket.asked("auto_mode", "false").lower() == "true",
        multi=_way(socket.path) == "/multi-stream-input",
        inactivity_timeout=float(timeout) if timeout.isdigit() else -1.0,
    )


def _wrong_address(socket: Socket, options: VoiceOptions) -> tuple[str, str] | None:
    """What is wrong with a socket's address, as (error, message)."""
    model = socket.asked("model_id", "eleven_multilingual_v2")
    if _voice(socket.path) == _NO_SUCH_VOICE:
        return "voice_id_does_not_exist", "A voice with this voice_id does not exist."
    if model not in _MODELS:
        return "model_not_found", f"Model {model} does not exist or cannot be used here."
    if options.output_format not in FORMATS:
        return "invalid_output_format", f"{options.output_format}: unknown, or one that this lab does not speak"
    if not 0 <= options.inactivity_timeout <= 180:
        return "invalid_inactivity_timeout", "inactivity_timeout must be from 0 to 180"
    return None


def _refusal(request: Request, body: Any, fault: Fault | None) -> tuple[int, Any] | None:
    """What is wrong with an HTTP request, as (status, body)."""
    key = request.headers.get("xi-api-key")
    if not key or key == CREDENTIAL_REFUSED:
        return 401, _detail("invalid_api_key", "Invalid API key")
    if fault is not None and fault.kind == "quota":
        return 401, _detail("quota_exceeded", "This request exceeds your quota.")
    if fault is not None and fault.kind == "refuse":
        return fault.status, _detail(
            "too_many_concurrent_requests" if fault.status == 429 else "system_busy", "refused"
        )
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        return 422, {"detail": [{"type": "missing", "loc": ["body", "text"], "msg": "Field required"}]}
    if not body["text"].strip():
        return 400, _detail("input_text_empty", "Input text is empty.")
    if _voice(request.path) == _NO_SUCH_VOICE:
        return 404, _detail("voice_not_found", "A voice with this voice_id was not found.")
    if body.get("model_id", "eleven_multilingual_v2") not in _MODELS:
        return 400, _detail("model_not_found", f"A model with model ID {body.get('model_id')} does not exist.")
    if request.asked("output_format", "mp3_44100_128") not in FORMATS:
        return 400, _detail("invalid_output_format", "Unknown, or one that this lab does not speak.")
    return None


def _detail(status: str, message: str) -> dict[str, Any]:
    return {"detail": {"status": status, "message": message}}
