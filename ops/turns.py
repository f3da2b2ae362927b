"""`make turns`: the battery of turn-taking on both kinds of ears, in virtual time, and a table of right and wrong.

A minute of telephone takes a fraction of a second. What is right is judged from what the caller heard, and from the
trace where it says which words were answered; and each call keeps the promises that every call makes.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from app.call.account import Turn
from app.call.actions import StopThinking
from app.call.agent import Agent
from app.call.patience import plain
from ops.lab.turns import TALE, TELL, Case, Prober, battery
from tests.stories.evidence import Evidence, expect_honesty
from tests.stories.stage import play
from tests.stories.tale import Tale

EARS = ("nova-3", "flux-general-en")
PROMPT = (7.0, 9.6)  # seconds of silence after which the agent asks whether anybody is there
_WASTED = ("the caller went on", "the words changed")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One case on one kind of ears. `wrong` says why; "" is right."""

    case: Case
    ears: str
    wrong: str
    gap: float | None = None  # from the end of the caller's sound to the first of the answer
    stop: float | None = None  # from the first sample over the agent to the clear
    cut_off: bool = False  # the agent spoke before the caller had finished
    paused: bool = False  # the agent fell silent for a sound that wanted nothing
    gave_up: bool = False  # and did not go on
    wasted: int = 0  # requests to the mind whose answer nobody wanted in the end


def verdict(case: Case, ears: str, *, work_ahead: str = "eager") -> Verdict:
    """Play one case and judge it."""
    agent = Agent("reception", case.greeting, "You answer the phone of a small clinic.")
    tale = Tale(case.name, case.story.steps, agent, rules=({"when": "tell me a story", "say": TALE},))
    prober = Prober(case)
    return judge(case, ears, prober, play(tale, ears=ears, work_ahead=work_ahead, caller=prober))


# --- judging --------------------------------------------------------------------------------------------------------


def judge(case: Case, ears: str, prober: Prober, told: Evidence) -> Verdict:
    """What the caller heard, against what a person would expect."""
    if not prober.sounds or prober.failed:
        return Verdict(case, ears, f"it came to nothing: {prober.failed or 'the call ended'}")
    heard = Heard(prober, told)
    complaints = {
        "answer": heard.of_answer,
        "stop": heard.of_stop,
        "go on": heard.of_going_on,
        "prompt": heard.of_prompt,
    }
    wants_answer = case.expect in ("answer", "stop")
    return Verdict(
        case,
        ears,
        next(complaints[case.expect](), "") or _broken_promise(told),
        gap=heard.gap if wants_answer else None,
        stop=heard.stop if case.expect == "stop" else None,
        cut_off=case.expect == "answer" and heard.spoken_into,
        paused=case.expect == "go on" and bool(heard.clears),
        gave_up=case.expect == "go on" and not heard.whole,
        wasted=sum(stop.wasted in _WASTED for stop in told.of(StopThinking)),
    )


def _broken_promise(told: Evidence) -> str:
    try:
        expect_honesty(told)
    except AssertionError as broken:
        return f"a promise of every call was broken: {str(broken).splitlines()[0][:100]}"
    return ""


class Heard:
    """What came of one case. The complaints about it come in the order of their weight."""

    def __init__(self, prober: Prober, told: Evidence) -> None:
        self.case = prober.case
        self.began, self.ended = prober.sounds[0][0], prober.sounds[-1][1]
        self.struck = prober.sounds[-1][0]  # an interruption is the last sound
        self.clears = [
            clearing.at for phone in prober.phones for clearing in phone.clearings if clearing.at >= self.began
        ]
        self.all_stretches = prober.ear.stretches
        self.stretches = [stretch for stretch in self.all_stretches if stretch.end > self.began]
        self.words = told.heard
        self.turns = list(_answered(told.account.turns, since=self.began))

    @property
    def spoken_into(self) -> bool:
        return any(self.began < stretch.start < self.ended for stretch in self.stretches)

    @property
    def gap(self) -> float | None:
        answer = next((stretch.start for stretch in self.stretches if stretch.start >= self.ended), None)
        return None if answer is None else answer - self.ended

    @property
    def stop(self) -> float | None:
        return next((at - self.struck for at in self.clears if at >= self.struck), None)

    @property
    def whole(self) -> bool:
        """Was what the agent was saying heard to its end?"""
        return (TALE if self.case.lead == "story" else self.case.greeting) in self.words

    def of_answer(self) -> Iterator[str]:
        if self.spoken_into:
            yield "the agent spoke before the caller had finished"
        if len(self.turns) != 1:
            yield f"answered {len(self.turns)} times: {self.turns}"
        yield from self._of_words()

    def of_stop(self) -> Iterator[str]:
        if self.stop is None:
            yield "the agent was not silenced"
        elif self.stop > self.case.stop_within:
            yield f"the agent was silenced after {self.stop:.2f} s"
        elif any(self.struck + self.stop < stretch.start < self.ended for stretch in self.stretches):
            yield "the agent spoke again before the caller had finished"
        yield from self._of_words()

    def of_going_on(self) -> Iterator[str]:
        if self.turns:
            yield f"answered {self.turns}"
        if not self.whole:
            yield "the agent did not say all it had to say"
        if len(self.clears) > self.case.clears:
            yield f"the agent was silenced {len(self.clears)} times"
        longest = max((after.start - before.end for before, after in pairwise(self.stretches)), default=0.0)
        if longest > self.case.pause:
            yield f"the agent was silent for {longest:.2f} s"

    def of_prompt(self) -> Iterator[str]:
        if self.turns:
            yield f"answered {self.turns}"
        quiets = [
            after.start - before.end for before, after in pairwise(self.all_stretches) if after.start > self.began
        ]
        if not quiets or "still there" not in self.words:
            yield "nobody asked whether the caller is there"
        elif not PROMPT[0] <= quiets[0] <= PROMPT[1]:
            yield f"asked whether the caller is there after {quiets[0]:.1f} s"

    def _of_words(self) -> Iterator[str]:
        if not self.turns or self.turns[-1] != self.case.turn:
            yield f"answered {self.turns} and not {self.case.turn!r}"
        if self.gap is None:
            yield "no answer was heard"
        elif self.gap > self.case.within:
            yield f"answered after {self.gap:.2f} s"


def _answered(turns: Sequence[Turn], *, since: float) -> Iterator[str]:
    """The words that were answered audibly. Turns whose answers nobody heard are answered with the next one."""
    words: list[str] = []
    for turn in turns:
        if turn.turn_end < since or plain(turn.asked) == plain(TELL):
            continue
        words.append(plain(turn.asked))
        if turn.sent_first is not None:
            yield " ".join(words)
            words = []


# --- telling --------------------------------------------------------------------------------------------------------


def main() -> int:
    options = argparse.ArgumentParser(prog="make turns", description=__doc__)
    options.add_argument("--work-ahead", default="eager", choices=("off", "careful", "eager"))
    options.add_argument("--only", default="", help="cases whose class or name contains this")
    options.add_argument("--gaps", action="store_true", help="tell the gap of each case too")
    given = options.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    cases = [case for case in battery() if given.only in case.kind or given.only in case.name]
    verdicts = [verdict(case, ears, work_ahead=given.work_ahead) for ears in EARS for case in cases]
    console.print(table(verdicts))
    for one in verdicts:
        if one.wrong:
            console.print(f"[red]✗[/] {one.ears:<16}{one.case.kind}: {one.case.name}: {one.wrong}")
        elif given.gaps and one.gap is not None:
            console.print(f"[dim]  {one.ears:<16}{one.case.kind}: {one.case.name}: {1000 * one.gap:.0f} ms[/]")
    return 1 if any(one.wrong for one in verdicts) else 0


def table(verdicts: Sequence[Verdict]) -> Table:
    """Right and wrong of each class, on each kind of ears."""
    shown = Table(box=None, header_style="dim", pad_edge=False)
    shown.add_column("")
    for ears in EARS:
        shown.add_column(f"{ears.split('-')[0]}: right", justify="right")
        shown.add_column("gap p50", justify="right")
    for kind in dict.fromkeys(one.case.kind for one in verdicts):
        shown.add_row(kind, *_cells([one for one in verdicts if one.case.kind == kind]))
    shown.add_section()
    shown.add_row("all", *_cells(verdicts))
    for name, rate in RATES.items():
        cells = [cell for ears in EARS for cell in (rate([one for one in verdicts if one.ears == ears]), "")]
        shown.add_row(name, *cells)
    return shown


def _cells(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for ears in EARS:
        these = [one for one in verdicts if one.ears == ears]
        gaps = [one.gap for one in these if one.gap is not None]
        yield f"{sum(not one.wrong for one in these)} of {len(these)}"
        yield f"{1000 * statistics.median(gaps):.0f} ms" if gaps else ""


def _share(verdicts: Sequence[Verdict], of: str, what: str) -> str:
    these = [one for one in verdicts if one.case.expect == of]
    return f"{sum(getattr(one, what) for one in these)} of {len(these)}"


RATES: dict[str, Callable[[Sequence[Verdict]], str]] = {
    "spoke before the caller had finished": lambda them: _share(them, "answer", "cut_off"),
    "fell silent for nothing, and went on": lambda them: _share(them, "go on", "paused"),
    "fell silent for nothing, for good": lambda them: _share(them, "go on", "gave_up"),
    "requests thrown away": lambda them: str(sum(one.wasted for one in them)),
    "barge-in to clear, p50": lambda them: _median([one.stop for one in them if one.stop is not None]),
}


def _median(seconds: Sequence[float]) -> str:
    return f"{1000 * statistics.median(seconds):.0f} ms" if seconds else ""


if __name__ == "__main__":
    sys.exit(main())
