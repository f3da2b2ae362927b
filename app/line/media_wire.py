"""Twilio's media stream as messages: text frames into values, and sound into text frames. Pure, and quick.

Fifty frames a second and call are read here: one JSON parse and one base64 decode each, nothing else.
"""

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass

from app.audio import Clip
from app.errors import CallerError

# Twilio's frames are 400 bytes; what is a thousand times longer is an attack or a bug.
LONGEST_FRAME = 400_000


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message: it names the protocol, and no stream."""


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins. `parameters` are the `<Parameter>`s of our own TwiML."""

    stream_sid: str
    call_sid: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """Some 20 ms of the caller, `timestamp` ms after the stream's start."""

    payload: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Key:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class MarkBack:
    """A mark of ours came back."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream ends: the caller hung up, or the call was redirected."""


Frame = Connected | Start | Media | Key | MarkBack | Stop


def read(text: str) -> Frame | None:
    """One text frame; None for an event that Twilio may have added since. Raises CallerError for what is no message."""
    if len(text) > LONGEST_FRAME:
        raise CallerError(f"a frame of {len(text)} characters came on the media socket; Twilio's are some 400")
    try:
        message = json.loads(text)
        event = message["event"]
        if event == "media":
            media = message["media"]
            return Media(b64decode(media["payload"]), int(media["timestamp"]))
        return _read_rare(event, message)
    except (ValueError, NotBase64, KeyError, TypeError, AttributeError) as error:
        raise CallerError(f"the media socket sent what is no Twilio message ({error!r}): {text[:120]}") from error


def _read_rare(event: str, message: Mapping[str, Mapping[str, object]]) -> Frame | None:
    match event:
        case "mark":
            return MarkBack(str(message["mark"]["name"]))
        case "dtmf":
            return Key(str(message["dtmf"]["digit"]))
        case "start":
            start = message["start"]
            given = start.get("customParameters") or {}
            assert isinstance(given, dict)
            parameters = {str(name): str(value) for name, value in given.items()}
            return Start(str(start["streamSid"]), str(start["callSid"]), parameters)
        case "stop":
            return Stop()
        case "connected":
            return Connected()
        case _:
            return None


class Lapses:
    """What went wrong on the way from the caller: frames lost, doubled or out of order, by their time stamps."""

    def __init__(self) -> None:
        self.lost = 0.0  # seconds that never came
        self.late = 0  # frames that came after a later one, or twice
        self._next: int | None = None

    def note(self, timestamp: int, milliseconds: int) -> bool:
        """A frame came. False: its time has been heard already, and it must not be heard again."""
        expected = self._next
        if expected is not None and timestamp < expected - milliseconds // 2:
            self.late += 1
            return False
        if expected is not None and timestamp > expected + milliseconds // 2:
            self.lost += (timestamp - expected) / 1000
        self._next = timestamp + milliseconds
        return True


def media(stream_sid: str, clip: Clip) -> str:
    """The vendor's base64 goes out as it came. A stream's name needs no escaping: it is checked when it begins."""
    return f'{{"event":"media","streamSid":"{stream_sid}","media":{{"payload":"{clip.base64}"}}}}'


def mark(stream_sid: str, name: str) -> str:
    return f'{{"event":"mark","streamSid":"{stream_sid}","mark":{{"name":"{name}"}}}}'


def clear(stream_sid: str) -> str:
    return f'{{"event":"clear","streamSid":"{stream_sid}"}}'
