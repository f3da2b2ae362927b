"""All callers of one run, in a process of their own: what to do comes as JSON on stdin, what they saw goes to stdout.

A caller that shares its process with a progress bar, or with whoever reads figures, is late for its own frames.
"""

import asyncio
import gc
import json
import sys
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from ops.lab.bench.share import Asked
from ops.lab.caller import Caller
from ops.lab.place import Target, run
from ops.lab.report import Lateness, Report
from ops.lab.speech import say
from ops.lab.story import Hears, Parts, Repeats, Says, Step, Story, TalksOver

RAMP_PER_CALL = 0.1  # ten rings a second: a busy minute, not a flood
_DECIDED = 80  # beats: 1.6 s behind the voice, by when every vendor has found the end of it


def story(name: str, seconds: float) -> Story:
    """Three questions, the last of them into the agent's words, again and again. The caller always says its name.

    In no seconds at all there is time for one question, into the greeting: that has been through every door once.
    """
    ending = (Says(f"Thank you, goodbye, {name}."), Hears(), Parts())
    if not seconds:
        short = (TalksOver(f"Sorry, are you open on Sundays, {name}?", after_words=2), Hears())
        return Story("a bench's short question", short + ending)
    again = (
        Says(f"When are you open, {name}?"),
        Hears(),
        Says(f"Tell me everything about the clinic, {name}."),
        TalksOver(f"Sorry, are you open on Sundays, {name}?", after_words=4),
        Hears(),
    )
    return Story("a bench's questions", (Hears(), Repeats(again, seconds=seconds), *ending))


def rules(names: list[str]) -> list[dict[str, str]]:
    """What the mind is to say, so that its answers carry the caller's name to the voice's vendor as well."""
    return [
        {"when": rf"sunday.*\b{name}\b", "say": f"No, we are closed on Sundays. On Saturdays from ten to two, {name}."}
        for name in names
    ]


def rehearse(steps: Iterable[Step]) -> None:
    """Make every word that will be said: that takes 10 ms a word, by which all callers would be late together."""
    for step in steps:
        if isinstance(step, Repeats):
            rehearse(step.steps)
        elif isinstance(step, Says | TalksOver):
            say(step.text)


class PunctualCaller(Caller):
    """A caller who notes how late each of its own frames was, so that nobody else is blamed for it."""

    def __init__(self, told: Story) -> None:
        super().__init__(told)
        self.beats: list[tuple[float, float]] = []  # when each was due, and how late it came

    def beat(self, now: float) -> list[str]:
        self.beats.append((now, time.monotonic() - now))
        return super().beat(now)

    def beats_after(self, moment: float) -> tuple[tuple[float, float], ...]:
        """Those of the time in which the end of a turn is decided."""
        first = bisect_left(self.beats, (moment, 0.0))
        return tuple(self.beats[first : first + _DECIDED])


async def ring(target: Target, names: list[str], seconds: float) -> dict[str, Any]:
    """One call for each name, begun a tenth of a second apart; what they saw, as plain data."""
    reports: dict[str, Report] = {}
    callers = {name: PunctualCaller(story(name, seconds)) for name in names}
    for name in names:
        rehearse(story(name, seconds).steps)
    async with target.carrier() as carrier:
        began, processor = time.monotonic(), time.process_time()

        async def one(number: int, name: str) -> None:
            await asyncio.sleep(number * RAMP_PER_CALL)
            person = replace(target, from_=f"+1500555{number:04d}")
            reports[name] = await person.ring(carrier, callers[name])

        async with asyncio.TaskGroup() as ringing:
            for number, name in enumerate(names):
                ringing.create_task(one(number, name))
        lateness = Lateness(carrier.grid.beats, carrier.grid.late, carrier.grid.worst, time.process_time() - processor)
        seen = [_seen(name, report, callers[name]) for name, report in reports.items()]
        return {"calls": seen, "lateness": asdict(lateness), "seconds": time.monotonic() - began}


def _seen(name: str, report: Report, caller: PunctualCaller) -> dict[str, Any]:
    turns = report.turns
    asked = [
        Asked(name, turn.onset, turn.end, turn.answered, caller.beats_after(turn.end))
        for turn in turns
        if turn.answered is not None and not turn.spoken_into
    ]
    return {
        "failed": report.failed,
        "seconds": report.outcome.ended - report.outcome.began,
        "greeting": report.caller.greeting,
        "holes": report.holes,
        "asked": [asdict(turn) for turn in asked],
        "clears": [turn.barge_in for turn in turns if turn.barge_in is not None],
        "without_clear": sum(turn.over and turn.cleared is None for turn in turns),
        "unanswered": sum(turn.answered is None for turn in turns),
        "spoken_into": sum(turn.spoken_into for turn in turns),
    }


def main() -> None:
    wanted: Mapping[str, Any] = json.load(sys.stdin)
    gc.disable()  # this process ends after a minute; a collection in it would be 30 ms of everybody's figures
    seen = run(ring(Target(**wanted["target"]), wanted["names"], wanted["seconds"]))
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
