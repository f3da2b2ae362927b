"""The stages of an answer, one definition each, printed beside every figure.

A moment is in seconds from the start of the call; a stage lies between two moments. What was ready before it was
wanted, because it was worked ahead, took no time.
"""

from typing import Protocol


class Moments(Protocol):
    """When things happened in one turn; None: they did not."""

    @property
    def heard_end(self) -> float | None: ...
    @property
    def transcript(self) -> float | None: ...
    @property
    def turn_end(self) -> float | None: ...
    @property
    def think_first(self) -> float | None: ...
    @property
    def clause_first(self) -> float | None: ...
    @property
    def voice_first(self) -> float | None: ...
    @property
    def sent_first(self) -> float | None: ...
    @property
    def vendor_seconds(self) -> float | None: ...
    @property
    def own_seconds(self) -> float | None: ...
    @property
    def tool_seconds(self) -> float | None: ...


GAP = "platform gap"

MOMENTS = tuple(name for name in vars(Moments) if not name.startswith("_"))

DEFINITIONS = {
    GAP: "last frame of the caller's speech to the first audible media message sent; without the telephone network",
    "transcript": "last frame of the caller's speech to its last settled words",
    "endpointing": "last frame of the caller's speech to our decision that the turn is over",
    "first token": "that decision to the model's first token",
    "first clause": "first token to the first speakable clause",
    "first voice": "first clause to the first byte of its sound",
    "send": "first byte of sound, or the end of the turn when that came later, to the first audible media message sent",
    "vendors": "of the platform gap: waiting for vendors",
    "own share": "of the platform gap: everything else, our own work",
    "tools": "from asking for tools to the last of their answers",
}


def stages(turn: Moments) -> dict[str, float]:
    """How long each stage of this turn took, as far as its moments are known."""
    ready = turn.turn_end
    if turn.voice_first is not None and ready is not None:
        ready = max(turn.voice_first, ready)
    took = {
        GAP: _between(turn.heard_end, turn.sent_first),
        "transcript": _between(turn.heard_end, turn.transcript),
        "endpointing": _between(turn.heard_end, turn.turn_end),
        "first token": _between(turn.turn_end, turn.think_first),
        "first clause": _between(turn.think_first, turn.clause_first),
        "first voice": _between(turn.clause_first, turn.voice_first),
        "send": _between(ready, turn.sent_first),
        "vendors": turn.vendor_seconds,
        "own share": turn.own_seconds,
        "tools": turn.tool_seconds,
    }
    return {stage: seconds for stage, seconds in took.items() if seconds is not None}


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)
