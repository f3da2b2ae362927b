"""What the softphone in the browser and its socket say to each other. Pure: bytes and text in, frames out.

Binary frames carry the call. The first byte is the type, the second holds flags, the rest is the payload:

    type       sent by  payload
    1 SOUND    both     mu-law, 8000 a second: from the page exactly 20 ms (with MUTED: none), to the page any length
    2 MARK     both     a number, 4 bytes, big end first: to the page "behind what was sent so far"; back, unchanged,
                        when all of that has been played, or thrown away by a clear
    3 CLEAR    server   none: throw away what has not been played; every mark that is still out comes back at once
    4 KEY      page     one of 0123456789*#ABCD
    5 HANG_UP  page     none

Flags: 1 MUTED, on the page's sound: nobody may hear this person now, take 20 ms of silence for it. A flag that the
receiver does not know is passed over, a type it does not know is a fault.

Text frames are JSON objects with their kind under "is". The page sends one, its wish: `call` with the number called, or
`resume` with the name of a call whose line broke. The server's are for people to read: `ringing`, `refused`, `ended`
here, and what happens within the call in `softphone_telling`.

A frame of 20 ms is 162 bytes long, 170 with the head that a browser's socket puts before it: 6.3 % over its sound.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from app.audio import FRAME_BYTES, SILENCE, Clip
from app.call.outcome import Outcome
from app.errors import CallerError

SOUND, MARK, CLEAR, KEY, HANG_UP = range(1, 6)
MUTED = 1

_KEYS = frozenset(b"0123456789*#ABCD")
_MARK_BYTES = 4
_SILENT_FRAME = SILENCE * FRAME_BYTES
# Made by us, so that nobody can take up another carrier's call by its name.
_SID = re.compile(r"BR[0-9a-f]{32}")
_LONGEST_NUMBER = 32


# --- from the page ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ring:
    """Somebody wants to call this number of ours."""

    number: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Somebody's line broke in the middle of this call."""

    sid: str


@dataclass(frozen=True, slots=True)
class Heard:
    """20 ms of what the microphone hears."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class MarkBack:
    """All sound before this mark has been played, or thrown away by a clear."""

    mark: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed."""

    key: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The receiver was put down."""


Frame = Heard | MarkBack | Key | HungUp


def wish(text: str) -> Ring | Resume:
    """What a page wants that has just opened its socket. Raises CallerError."""
    try:
        told = json.loads(text)
    except ValueError:
        raise CallerError("the softphone's wish is no JSON") from None
    match told:
        case {"is": "call", "number": str(number)} if 0 < len(number) <= _LONGEST_NUMBER:
            return Ring(number)
        case {"is": "resume", "sid": str(sid)} if _SID.fullmatch(sid):
            return Resume(sid)
    raise CallerError("the softphone wishes neither to call a number nor to resume a call of its own")


def frame(data: bytes) -> Frame:
    """One binary frame of the page. Raises CallerError."""
    if len(data) < 2:
        raise CallerError(f"a frame of the softphone has {len(data)} bytes, fewer than its head")
    kind, flags, payload = data[0], data[1], data[2:]
    if kind == SOUND and flags & MUTED and not payload:
        return Heard(_SILENT_FRAME)
    if kind == SOUND and len(payload) == FRAME_BYTES:
        return Heard(payload)
    if kind == MARK and len(payload) == _MARK_BYTES:
        return MarkBack(int.from_bytes(payload))
    if kind == KEY and len(payload) == 1 and payload[0] in _KEYS:
        return Key(payload.decode())
    if kind == HANG_UP and not payload:
        return HungUp()
    raise CallerError(f"the softphone sent a frame of type {kind} with {len(payload)} bytes, which means nothing")


# --- to the page --------------------------------------------------------------------------------------------------


def sound(clip: Clip) -> bytes:
    return bytes((SOUND, 0)) + clip.mulaw()


def mark(number: int) -> bytes:
    return bytes((MARK, 0)) + number.to_bytes(_MARK_BYTES)


def clear() -> bytes:
    return bytes((CLEAR, 0))


def ringing(sid: str, agent: str, *, again: bool) -> str:
    """The call has its agent. `again`: it goes on where its line broke."""
    return letter({"is": "ringing", "sid": sid, "agent": agent, "again": again})


def refused(words: str, reason: str) -> str:
    return letter({"is": "refused", "words": words, "reason": reason})


def ended(outcome: Outcome) -> str:
    return letter({"is": "ended", "reason": outcome.reason, "fault": outcome.fault})


def letter(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
