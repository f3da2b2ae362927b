"""What one run of a bench came to, as figures with their numbers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.lab.bench.share import Asked, Note, shares
from ops.lab.report import Lateness, Spread

NOISY = 0.01  # a caller late in more than one beat of a hundred measures itself
COLLAPSED = 1.0  # seconds of one's own share at the median: more calls than these tell nothing new

TIMES = ("gap", "own share", "clear", "greeting", "look", "lag")


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: so many calls, on one of those who are measured."""

    who: str
    ears: str
    calls: int
    spreads: Mapping[str, Spread]  # by TIMES, and the legs of the own share
    failed: Mapping[str, int]  # why calls failed, and how often
    turns: int
    untold: int  # answered turns whose way back to the transcript was lost
    unanswered: int
    without_clear: int
    holes: int
    hole_seconds: float
    processor: float | None  # percent of a core for a call
    megabytes: float | None  # for a call
    tasks: float | None  # of the event loop, for a call
    lateness: Lateness

    @property
    def is_noisy(self) -> bool:
        return self.lateness.share > NOISY

    @property
    def has_collapsed(self) -> bool:
        share, gap = self.spreads["own share"].p50, self.spreads["gap"].p50
        return bool(self.failed) or (share or 0.0) > COLLAPSED or gap is None or gap > 2 * COLLAPSED

    def as_data(self) -> dict[str, Any]:
        spreads = {
            name: {"n": s.n, **{rank: _rounded(getattr(s, rank)) for rank in ("p50", "p95", "p99", "worst")}}
            for name, s in self.spreads.items()
        }
        return {
            "who": self.who,
            "ears": self.ears,
            "calls": self.calls,
            **spreads,
            "failed": dict(self.failed),
            "turns": self.turns,
            "untold": self.untold,
            "unanswered": self.unanswered,
            "without_clear": self.without_clear,
            "holes": self.holes,
            "hole_seconds": _rounded(self.hole_seconds),
            "processor_percent_per_call": _rounded(self.processor),
            "megabytes_per_call": _rounded(self.megabytes),
            "tasks_per_call": _rounded(self.tasks),
            "caller": {
                "beats": self.lateness.beats,
                "late": self.lateness.late,
                "worst": _rounded(self.lateness.worst),
                "processor_seconds": _rounded(self.lateness.processor_seconds),
            },
        }


def figures(
    who: str,
    ears: str,
    seen: Mapping[str, Any],
    notes: Sequence[Note],
    *,
    looks: Sequence[float],
    lags: Sequence[float],
    tasks: float | None,
    processor_seconds: float | None,
    megabytes: float | None,
) -> Figures:
    """From what the callers saw, what the vendors noted, and what the process used."""
    calls: Sequence[Mapping[str, Any]] = seen["calls"]
    asked = [Asked(**turn) for call in calls for turn in call["asked"]]
    told = shares(asked, notes)
    ours = [share for share in told if share is not None]
    call_seconds = sum(call["seconds"] for call in calls)
    failures = [call["failed"].partition(", but ")[0] for call in calls if call["failed"]]
    spreads = {
        "gap": [turn.answered - turn.end for turn in asked],
        "own share": [share.total for share in ours],
        "clear": [clear for call in calls for clear in call["clears"]],
        "greeting": [call["greeting"] for call in calls if call["greeting"] is not None],
        "look": list(looks),
        "lag": list(lags),
        **{leg: [getattr(share, leg) for share in ours] for leg in ("hearing", "thinking", "speaking", "playing")},
    }
    return Figures(
        who=who,
        ears=ears,
        calls=len(calls),
        spreads={name: Spread.of(values) for name, values in spreads.items()},
        failed={why: failures.count(why) for why in sorted(set(failures))},
        turns=len(asked),
        untold=told.count(None),
        unanswered=sum(call["unanswered"] for call in calls),
        without_clear=sum(call["without_clear"] for call in calls),
        holes=sum(len(call["holes"]) for call in calls),
        hole_seconds=sum(sum(call["holes"]) for call in calls),
        processor=100 * processor_seconds / call_seconds if processor_seconds is not None and call_seconds else None,
        megabytes=megabytes / len(calls) if megabytes is not None and calls else None,
        tasks=tasks,
        lateness=Lateness(**seen["lateness"]),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
