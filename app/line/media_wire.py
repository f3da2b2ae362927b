"""Twilio's media socket, without the socket: text in, frames out, and the three texts that may be sent back.

Media comes fifty times a second in each call, so it has a path of its own; everything else is read at leisure. What no
telephone company sends raises `CallerError`; what one might send on a bad day is counted.
"""

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps, loads
from typing import Any

from app.audio import FRAME_BYTES, RATE, Clip
from app.errors import CallerError

LONGEST_TEXT = 65536  # letters: six seconds of sound in one frame, where the carrier sends a fiftieth of one
KEYS = frozenset("0123456789*#ABCD")

# Media exactly as Twilio writes it, with or without spaces: 2.0 us a frame, where reading it as JSON takes 3.5.
# Whatever this does not match is read as JSON, so nothing depends on it but time.
# The stream's name stands behind the sound in Twilio's documents, and before it in some of its messages.
_NAME = r'"streamSid": ?"([A-Za-z0-9]+)"'
_MEDIA = re.compile(
    rf'\{{"event": ?"media", ?"sequenceNumber": ?"[0-9]{{1,15}}", ?(?:{_NAME}, ?)?'
    r'"media": ?\{"track": ?"inbound", ?"chunk": ?"([0-9]{1,15})", ?"timestamp": ?"([0-9]{1,15})", ?'
    rf'"payload": ?"([A-Za-z0-9+/=]+)"\}}(?:, ?{_NAME})?\}}'
).fullmatch
_SID = re.compile(r"[A-Za-z0-9]{1,64}").fullmatch


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket stands; nothing can be sent yet."""


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins: from now on sound goes both ways."""

    stream_sid: str
    call_sid: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """What the caller's side sounds like. `timestamp`: milliseconds of the stream, not of any clock."""

    payload: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Key:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class MarkBack:
    """A mark of ours came back: what stood before it was played, or flushed by a clear."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream is over."""


Frame = Connected | Start | Media | Key | MarkBack | Stop


@dataclass(slots=True)
class Oddities:
    """What a bad day did to the stream. The frames themselves are dropped, but for `lost` ones, which never came."""

    lost: int = 0
    doubled: int = 0
    late: int = 0  # behind a later one: its moment has been heard without it
    early: int = 0  # before start
    after_stop: int = 0
    repeated_starts: int = 0
    unknown: int = 0  # kinds of messages that are new to us


class MediaWire:
    """Reads one media socket. `receive` gives the next frame, or None for a message that is only counted."""

    def __init__(self) -> None:
        self.oddities = Oddities()
        self.stream_sid = ""
        self._chunk = 0
        self._stopped = False

    def receive(self, text: str | bytes) -> Frame | None:
        if isinstance(text, str) and len(text) <= LONGEST_TEXT and (media := _MEDIA(text)):
            before, chunk, timestamp, payload, behind = media.groups("")
            if bool(before) is not bool(behind):
                return self._media(before or behind, int(chunk), int(timestamp), payload)
        return self._receive_any(_object(text))

    def _receive_any(self, message: Mapping[str, Any]) -> Frame | None:
        try:
            kind = message["event"]
            if kind == "media":
                media = message["media"]
                if media.get("track", "inbound") != "inbound":
                    raise CallerError(f"media of track {media['track']!r}, which was never asked for")
                return self._media(message["streamSid"], int(media["chunk"]), int(media["timestamp"]), media["payload"])
            if kind == "start":
                return self._start(message["streamSid"], message["start"])
            if kind == "connected":
                return Connected()
            return self._receive_small(kind, message)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CallerError(f"a malformed message: {error!r}") from error

    def _receive_small(self, kind: str, message: Mapping[str, Any]) -> Frame | None:
        if kind not in ("dtmf", "mark", "stop"):
            self.oddities.unknown += 1
            return None
        if not self._is_ours(message["streamSid"]):
            return None
        if kind == "dtmf":
            digit = message["dtmf"]["digit"]
            if digit not in KEYS:
                raise CallerError(f"a key that no telephone has: {digit!r}")
            return Key(digit)
        if kind == "mark":
            return MarkBack(str(message["mark"]["name"]))
        self._stopped = True
        return Stop()

    def _start(self, sid: str, start: Mapping[str, Any]) -> Start | None:
        if self.stream_sid:
            self._is_ours(sid)
            self.oddities.repeated_starts += 1
            return None
        sound = start["mediaFormat"]
        if (sound["encoding"], int(sound["sampleRate"]), int(sound["channels"])) != ("audio/x-mulaw", RATE, 1):
            raise CallerError(f"sound that is not mu-law at {RATE} on one channel: {dict(sound)!r}")
        if not _SID(sid):
            raise CallerError(f"a stream with the name {sid!r}")
        self.stream_sid = sid
        parameters = start.get("customParameters") or {}
        return Start(sid, str(start["callSid"]), {str(name): str(value) for name, value in parameters.items()})

    def _media(self, sid: str, chunk: int, timestamp: int, payload: str) -> Media | None:
        if not self._is_ours(sid):
            return None
        missing = chunk - self._chunk - 1
        if missing and self._chunk:
            if missing == -1:
                self.oddities.doubled += 1
                return None
            if missing < 0:
                self.oddities.late += 1
                return None
            self.oddities.lost += missing
        self._chunk = chunk
        try:
            return Media(a2b_base64(payload, strict_mode=True), timestamp)
        except NotBase64 as error:
            raise CallerError(f"sound that is not base64: {error}") from error

    def _is_ours(self, sid: str) -> bool:
        """Whether the message belongs to the stream as it runs now; one of another stream is nobody's bad day."""
        if not self.stream_sid:
            self.oddities.early += 1
            return False
        if sid != self.stream_sid:
            raise CallerError("a message of another stream")
        if self._stopped:
            self.oddities.after_stop += 1
            return False
        return True


class Frames:
    """Sound of any length, cut into frames of 20 ms: what the carrier sends in practice, and does not promise."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, sound: bytes) -> list[bytes]:
        if not self._rest and len(sound) == FRAME_BYTES:
            return [sound]
        sound = self._rest + sound
        whole = len(sound) - len(sound) % FRAME_BYTES
        self._rest = sound[whole:]
        return [sound[start : start + FRAME_BYTES] for start in range(0, whole, FRAME_BYTES)]


def _object(text: str | bytes) -> Mapping[str, Any]:
    if not isinstance(text, str):
        raise CallerError("a binary message")
    if len(text) > LONGEST_TEXT:
        raise CallerError(f"a message of {len(text)} letters")
    try:
        message = loads(text)
    except (ValueError, RecursionError) as error:
        raise CallerError(f"a message that is not JSON: {text[:80]!r}") from error
    if not isinstance(message, dict):
        raise CallerError(f"a message that is not an object: {text[:80]!r}")
    return message


class Letters:
    """The texts that one stream may be sent: exactly these three, with exactly these fields."""

    def __init__(self, stream_sid: str) -> None:
        sid = dumps(stream_sid)
        self._media = f'{{"event":"media","streamSid":{sid},"media":{{"payload":"'
        self._mark = f'{{"event":"mark","streamSid":{sid},"mark":{{"name":'
        self.clear = f'{{"event":"clear","streamSid":{sid}}}'

    def media(self, clip: Clip) -> str:
        """The clip's base64 goes out untouched."""
        return self._media + clip.base64 + '"}}'

    def mark(self, name: str) -> str:
        return f"{self._mark}{dumps(name)}}}}}"
