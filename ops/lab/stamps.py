"""When the vendors were asked and when they answered, on the one clock of the machine: the other half of a bench.

Off, unless the lab is started with `--stamps`: a lab that serves for hours must not write a book about it. Messages
are stamped as they pass; what they mean for a call is worked out in `bench/share.py`.
"""

import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

_MOST = 300_000  # some 150 calls for a minute; the oldest are dropped
_TOKENS = 60  # of an answer: its first sentence is over by then
_REMEMBERED = 100  # messages of sound: two seconds, and a transcript is about the last tenth of one


class Stamps:
    """Notes of what passed. Each has `at`, `what` and `place`: the socket or the request it belongs to."""

    def __init__(self, *, on: bool = False) -> None:
        self.on = on
        self._notes: deque[dict[str, Any]] = deque(maxlen=_MOST)

    def note(self, what: str, place: str, **facts: Any) -> None:
        if self.on:
            self._notes.append({"at": time.monotonic(), "what": what, "place": place, **facts})

    def taken(self) -> list[dict[str, Any]]:
        """All notes since the last time, oldest first."""
        taken = list(self._notes)
        self._notes.clear()
        return taken


class Watch(Protocol):
    """Sees every message of one socket, the moment it came in and the moment before it goes out."""

    def heard(self, message: str | bytes) -> None: ...
    def told(self, message: Mapping[str, Any]) -> None: ...


class Hears(Protocol):
    """A model that hears: how many seconds of sound it was sent, and where in them the last voice ended."""

    @property
    def seconds(self) -> float: ...
    @property
    def voice_end(self) -> float: ...


class HearingWatch:
    """Notes `words`: words that will not change any more, or the end of a turn, and when the sound of it came in.

    `sound` is how much of the socket's sound this was decided on, `voice` where in it the last voice ended, in seconds.
    """

    def __init__(self, stamps: Stamps, place: str, model: Hears) -> None:
        self._stamps = stamps
        self._place = place
        self._model = model
        self._received: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)  # seconds of sound, and since when
        self._finalized = 0.0

    def heard(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._received.append((self._model.seconds, time.monotonic()))
        elif '"Finalize"' in message:
            self._finalized = time.monotonic()

    def told(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "Results" and message["is_final"]:
            text = message["channel"]["alternatives"][0]["transcript"]
            asked = message["from_finalize"]
            self._note(text, message["start"] + message["duration"], ends=message["speech_final"], asked=asked)
        elif message["type"] == "TurnInfo" and message["event"] in ("EagerEndOfTurn", "EndOfTurn"):
            ends = message["event"] == "EndOfTurn"
            self._note(message["transcript"], message["audio_window_end"], ends=ends, asked=False)

    def _note(self, text: str, position: float, *, ends: bool, asked: bool) -> None:
        since = (moment for seconds, moment in self._received if seconds >= position - 1e-3)
        heard = self._finalized if asked else next(since, time.monotonic())
        voice = round(self._model.voice_end, 4)
        self._stamps.note("words", self._place, text=text, ends=ends, heard=heard, sound=position, voice=voice)


class VoiceWatch:
    """Notes `text` that is to be spoken, and the first `sound` of every context."""

    def __init__(self, stamps: Stamps, place: str) -> None:
        self._stamps = stamps
        self._place = place
        self._sounding: set[str] = set()

    def heard(self, message: str | bytes) -> None:
        asked = json.loads(message)
        name = str(asked.get("context_id"))
        if str(asked.get("text") or "").strip():
            self._stamps.note("text", self._place, context=name, text=asked["text"])

    def told(self, message: Mapping[str, Any]) -> None:
        name = str(message.get("contextId"))
        if message.get("audio") and name not in self._sounding:
            self._sounding.add(name)
            self._stamps.note("sound", self._place, context=name)


class AnswerWatch:
    """Notes what a request `asked`, each `token` of the beginning of its answer, and when a text was `done`."""

    def __init__(self, stamps: Stamps, place: str, said: str) -> None:
        self._stamps = stamps
        self._place = place
        self._left = _TOKENS
        stamps.note("asked", place, text=said)

    def told(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "content_block_delta" and self._left and event["delta"].get("text"):
            self._left -= 1
            self._stamps.note("token", self._place, text=event["delta"]["text"])
        elif event["type"] == "content_block_stop":
            self._stamps.note("done", self._place)
