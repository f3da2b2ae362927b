"""What is said of a call, and of many, when they are over: figures with their numbers, as data and as tables. Pure."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.lab.caller import Caller, Turn
from ops.lab.carrier import Outcome
from ops.lab.grid import LATE
from ops.lab.phone import Fault


@dataclass(frozen=True, slots=True)
class Report:
    """One call. `failed` says why it did not go well; "" if it did."""

    outcome: Outcome
    caller: Caller
    failed: str

    @classmethod
    def of(cls, outcome: Outcome, caller: Caller) -> "Report":
        faults = "; ".join(f"{fault.code} {fault.what}" for fault in outcome.grave)
        if outcome.by == "carrier":
            return cls(outcome, caller, outcome.why)
        return cls(outcome, caller, caller.failed or faults)

    @property
    def turns(self) -> list[Turn]:
        return self.caller.turns

    @property
    def holes(self) -> list[float]:
        return [hole.seconds for hole in self.caller.holes()]

    def as_data(self) -> dict[str, Any]:
        """Everything, in plain types; moments are seconds from the start of the call."""
        began = self.outcome.began
        return {
            "call_sid": self.outcome.sid,
            "story": self.caller.story.name,
            "ok": not self.failed,
            "failed": self.failed,
            "ended_by": self.outcome.by,
            "why": self.outcome.why,
            "seconds": _rounded(self.outcome.ended - began),
            "verbs": self.outcome.verbs,
            "dialled": self.outcome.dialled,
            "streams": self.outcome.streams,
            "errors": [{"code": fault.code, "what": fault.what} for fault in self.outcome.errors],
            "greeting": _rounded(self.caller.greeting),
            "turns": [_turn(turn, began) for turn in self.turns],
            "holes": [_rounded(seconds) for seconds in self.holes],
            "transcript": [
                {
                    "who": line.who,
                    "start": _rounded(line.start - began),
                    "end": _rounded(line.end - began),
                    "text": line.text,
                    "cut": line.cut,
                }
                for line in self.caller.transcript.lines
            ],
        }


def _turn(turn: Turn, began: float) -> dict[str, Any]:
    return {
        "text": turn.text,
        "onset": _rounded(turn.onset - began),
        "end": _rounded(turn.end - began),
        "over": turn.over,
        "spoken_into": turn.spoken_into,
        "gap": _rounded(turn.gap),
        "barge_in": _rounded(turn.barge_in),
        "quieted": _rounded(turn.quieted),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


# --- many calls -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """How one figure lay over many calls: the worst of the best half, of the best 95 in a hundred, and so on."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    worst: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        ranked = sorted(values)

        def rank(share: float) -> float | None:
            return ranked[math.ceil(share * len(ranked)) - 1] if ranked else None

        return cls(len(ranked), rank(0.5), rank(0.95), rank(0.99), rank(1.0))


@dataclass(frozen=True, slots=True)
class Lateness:
    """How well the caller itself kept time: `late` of its `beats` came more than 5 ms after they were due."""

    beats: int = 0
    late: int = 0
    worst: float = 0.0
    processor_seconds: float = 0.0

    @property
    def share(self) -> float:
        return self.late / self.beats if self.beats else 0.0


@dataclass(slots=True)
class Tally:
    """Many calls. Add reports; read figures."""

    reports: list[Report] = field(default_factory=list)
    seconds: float = 0.0  # from the first ring to the last goodbye
    lateness: Lateness = field(default_factory=Lateness)

    @property
    def failures(self) -> list[Report]:
        return [report for report in self.reports if report.failed]

    def spreads(self) -> dict[str, Spread]:
        """The figures of a call, each over all the turns or calls that have it."""
        turns = [turn for report in self.reports for turn in report.turns]
        answers = [turn.gap for turn in turns if turn.gap is not None]
        barge_ins = [turn.barge_in for turn in turns if turn.barge_in is not None]
        quieted = [turn.quieted for turn in turns if turn.quieted is not None]
        greetings = [greeting for report in self.reports if (greeting := report.caller.greeting) is not None]
        return {
            "greeting": Spread.of(greetings),
            "gap": Spread.of(answers),
            "barge_in": Spread.of(barge_ins),
            "quieted": Spread.of(quieted),
        }

    def counts(self) -> dict[str, int]:
        """What should be none, or all."""
        turns = [turn for report in self.reports for turn in report.turns]
        return {
            "turns": len(turns),
            "unanswered": sum(turn.answered is None for turn in turns),
            "spoken_into": sum(turn.spoken_into for turn in turns),
            "talked_over": sum(turn.over for turn in turns),
            "without_clear": sum(turn.over and turn.cleared is None for turn in turns),
            "holes": sum(len(report.holes) for report in self.reports),
        }

    def reasons(self) -> Counter[str]:
        """Why calls failed, the words of each caller left out."""
        return Counter(report.failed.partition(", but ")[0] for report in self.failures)

    def errors(self) -> Counter[int]:
        faults: list[Fault] = [fault for report in self.reports for fault in report.outcome.errors]
        return Counter(fault.code for fault in faults)

    def as_data(self) -> dict[str, Any]:
        spreads = {
            name: {
                "n": spread.n,
                **{rank: _rounded(getattr(spread, rank)) for rank in ("p50", "p95", "p99", "worst")},
            }
            for name, spread in self.spreads().items()
        }
        return {
            "calls": len(self.reports),
            "ok": len(self.reports) - len(self.failures),
            "failed": dict(self.reasons()),
            "seconds": _rounded(self.seconds),
            **spreads,
            **self.counts(),
            "hole_seconds": _rounded(sum(sum(report.holes) for report in self.reports)),
            "errors": {str(code): count for code, count in self.errors().items()},
            "caller": {
                "beats": self.lateness.beats,
                "late": self.lateness.late,
                "late_after": LATE,
                "worst": _rounded(self.lateness.worst),
                "processor_seconds": _rounded(self.lateness.processor_seconds),
            },
        }
