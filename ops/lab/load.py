"""Many calls at once on any server, with one table at the end: `patchcord load URL --calls N`."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ops.lab import story as stories
from ops.lab.caller import Caller
from ops.lab.grid import LATE, Grid
from ops.lab.place import Target, milliseconds, run, wanted
from ops.lab.report import Lateness, Report, Tally
from ops.lab.story import Story, StoryError, rounds

RAMP_PER_CALL = 0.1  # ten rings a second: a busy minute, not a flood
NOISY = 0.01  # a caller late in more than one beat of a hundred measures itself
_NAMES = {
    "greeting": "greeting: start of the stream → first sound",
    "gap": "gap: end of the caller's voice → first sound of the answer",
    "barge_in": "barge-in: voice over the agent → clear",
    "quieted": "barge-in: voice over the agent → silence",
}


async def load(
    target: Target,
    story: Story,
    *,
    calls: int,
    ramp: float | None = None,
    done: Callable[[Report], None] = lambda report: None,
) -> Tally:
    """So many calls, begun evenly over `ramp` seconds; `done` gets each report when its call is over."""
    tally = Tally()
    spread = calls * RAMP_PER_CALL if ramp is None else ramp
    began, processor = time.monotonic(), time.process_time()
    async with target.carrier() as carrier:

        async def one(number: int) -> None:
            await asyncio.sleep(max(0.0, began + number * spread / calls - time.monotonic()))
            report = await _numbered(target, number).ring(carrier, Caller(story))
            tally.reports.append(report)
            done(report)

        async with asyncio.TaskGroup() as ringing:
            for number in range(calls):
                ringing.create_task(one(number))
        tally.seconds = time.monotonic() - began
        tally.lateness = _lateness(carrier.grid, time.process_time() - processor)
    return tally


def _numbered(target: Target, number: int) -> Target:
    """Every call from a number of its own, or a server that limits calls by number would refuse them."""
    return replace(target, from_=f"{target.from_[:-4]}{(int(target.from_[-4:]) + number) % 10_000:04d}")


def _lateness(grid: Grid, processor_seconds: float) -> Lateness:
    return Lateness(grid.beats, grid.late, grid.worst, processor_seconds)


def load_command(url: str = "", **options: Any) -> int:
    """`patchcord load URL --calls N`: place many calls. The exit code: 0 all went well, 1 not all, 2 wrong options.

    calls: how many (10); ramp: seconds over which they begin (a tenth of a second each).
    story: a YAML file; without it the first call's questions, `turns` times over (1), or until `seconds` have passed.
    json: print the figures as JSON instead of bar and table; output: write them to this file as well.
    All options of `patchcord call` that say whom to call, and as whom, hold here too.
    """
    own = {name: options.pop(name, None) for name in ("calls", "ramp", "story", "turns", "seconds", "json", "output")}
    try:
        target = wanted(url, options)
        calls = int(own["calls"] or 10)
        if calls < 1 or (own["ramp"] or 0.0) < 0.0 or not target.from_[-4:].isdigit():
            raise ValueError("calls must be one or more, ramp not negative, and from_ end in four digits")
        again = rounds(int(own["turns"] or 1), seconds=float(own["seconds"] or 0.0))
        story = stories.read(Path(own["story"])) if own["story"] else again
    except (StoryError, ValueError) as wrong:
        print(f"patchcord load: {wrong}", file=sys.stderr)
        return 2
    console = Console(highlight=False, quiet=bool(own["json"]))
    tally = run(_shown(target, story, calls, own["ramp"], console))
    written = json.dumps(tally.as_data(), indent=2, ensure_ascii=False)
    if own["json"]:
        print(written)
    if own["output"]:
        Path(own["output"]).write_text(written + "\n", encoding="utf-8")
    return 1 if tally.failures else 0


async def _shown(target: Target, story: Story, calls: int, ramp: float | None, console: Console) -> Tally:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawn twice a second: a bar drawn more often takes the processor from the calls that it counts.
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        bar = progress.add_task("calls", total=calls)
        failed = 0

        def done(report: Report) -> None:
            nonlocal failed
            failed += bool(report.failed)
            description = f"calls ([red]{failed} failed[/])" if failed else "calls"
            progress.update(bar, advance=1, description=description)

        tally = await load(target, story, calls=calls, ramp=ramp, done=done)
    console.print(table(tally))
    return tally


def table(tally: Tally) -> RenderableType:
    """All figures in one place: what calls were like, how many failed and why, and whether the caller was punctual."""
    figures = Table(box=None, header_style="dim", pad_edge=False)
    figures.add_column("")
    for name in ("n", "p50", "p95", "p99", "worst"):
        figures.add_column(name, justify="right")
    for name, spread in tally.spreads().items():
        ranks = (spread.p50, spread.p95, spread.p99, spread.worst)
        figures.add_row(_NAMES[name], str(spread.n), *(milliseconds(rank) for rank in ranks))
    return Group("", figures, "", *_remarks(tally))


def _remarks(tally: Tally) -> list[str]:
    well, counts, lateness = len(tally.reports) - len(tally.failures), tally.counts(), tally.lateness
    remarks = [
        f"[bold]{well} of {len(tally.reports)} calls went well[/] in {tally.seconds:.1f} s, {counts['turns']} turns",
        f"{counts['holes']} holes in the agent's speech, {counts['spoken_into']} answers into the caller's words, "
        f"{counts['unanswered']} turns unanswered, {counts['without_clear']} interruptions without a clear",
        f"the caller itself: {lateness.late} of {lateness.beats} beats over {1000 * LATE:.0f} ms late, the worst by "
        f"{milliseconds(lateness.worst)}; {lateness.processor_seconds:.1f} s of processor",
    ]
    if lateness.share > NOISY:
        remarks.append("[yellow]The caller was late too often: these figures are partly its own. Give it a core.[/]")
    remarks += [f"[red]{count} times: {escape(reason)}[/]" for reason, count in tally.reasons().most_common(10)]
    if errors := tally.errors():
        told = ", ".join(f"{code} ({count} times)" for code, count in sorted(errors.items()))
        remarks.append(f"[dim]the telephone company logged {told}[/]")
    return remarks
