"""`make bench`: every number of calls on Patchcord and on the peer, one after the other, under the same conditions.

It judges no time. The exit code is 0 if all of our own calls went well, 1 if not, 2 if the options make no sense.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ops.lab.bench import caller, host
from ops.lab.bench.chart import chart
from ops.lab.bench.figures import Figures, figures
from ops.lab.bench.host import BenchError, Cores, Measured
from ops.lab.bench.share import names
from ops.lab.bench.table import footer, table
from ops.lab.peers import install
from ops.lab.peers.run import PeerError
from ops.lab.vendors import Lab

CALLS = (1, 10, 50, 100, 150, 200)
BAR = 0.02  # the own share that people do not hear, at the 95th percentile
TELLING = 20  # turns; of fewer, the 95th percentile is only the worst, which says nothing of the others
SETTLED = 1.0  # seconds after a start until a server has nothing left to do but wait

Serve = Callable[[str, str, Cores], AbstractContextManager[Measured]]


@dataclass(frozen=True, slots=True)
class Plan:
    calls: tuple[int, ...] = CALLS
    seconds: float = 20.0
    ears: tuple[str, ...] = ("nova-3", "flux")
    profile: str = "reference"
    peer: bool = True
    warm: bool = True
    seed: int = 0


def bench_command(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    console = Console(highlight=False, width=max(Console().width, 132) if not sys.stdout.isatty() else None)
    plan = Plan(given.calls, given.seconds, given.ears, given.profile, given.peer != "none", seed=given.seed)
    if given.quick:
        plan = replace(plan, calls=(3,), seconds=0.0, ears=("nova-3",), peer=False, warm=False)
    host.FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        if plan.peer and not _peer_is_ready(console):
            plan = replace(plan, peer=False)
        pairs = _measured(plan, Cores.here(), console)
    except BenchError as error:
        console.print(f"[red]{error}[/]")
        return 1
    _tell(plan, pairs, console)
    output = Path(given.output or f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    output.write_text(json.dumps(_as_data(plan, pairs), indent=1) + "\n", encoding="utf-8")
    console.print(f"[dim]Written to {output}[/]")
    if given.chart:
        Path(given.chart).write_text(_drawn(pairs), encoding="utf-8")
    return 1 if any(ours.failed for ours, _ in pairs) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--calls", type=_numbers, default=CALLS, help="how many at once: 1,10,50")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each call asks its questions")
    parser.add_argument("--ears", type=_ears, default=("nova-3", "flux"), help="nova-3,flux")
    parser.add_argument("--profile", choices=("reference", "published"), default="reference")
    parser.add_argument("--peer", choices=("pipecat", "none"), default="pipecat")
    parser.add_argument("--quick", action="store_true", help="see in 20 s that the bench works; without a peer")
    parser.add_argument("--output", help="a file for the figures, as JSON; else bench-TIME.json")
    parser.add_argument("--chart", help="a file for the own share over calls, as SVG")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(word) for word in text.split(","))
    if not all(0 < number <= 1000 for number in numbers):
        raise argparse.ArgumentTypeError("from 1 to 1000 calls")
    return numbers


def _ears(text: str) -> tuple[str, ...]:
    wanted = tuple(text.split(","))
    if unknown := set(wanted) - set(host.NUMBERS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: there are {', '.join(host.NUMBERS)}")
    return wanted


def _peer_is_ready(console: Console) -> bool:
    try:
        install.ready("pipecat")
    except (subprocess.SubprocessError, OSError) as error:
        console.print(
            f"[yellow]Pipecat could not be installed ({error}), so there is nothing to compare with. A figure without "
            "its peer is not a result: see to the network, or say --peer none to do without.[/]"
        )
        return False
    return True


# --- measuring --------------------------------------------------------------------------------------------------------


def _measured(plan: Plan, cores: Cores, console: Console) -> list[tuple[Figures, Figures | None]]:
    pairs = []
    for ears in plan.ears:
        peer_stands = plan.peer
        for calls in plan.calls:
            ours = _run(plan, ears, calls, host.patchcord, cores, console)
            theirs = _run(plan, ears, calls, host.peer, cores, console) if peer_stands else None
            if theirs is not None and theirs.has_collapsed:
                peer_stands = False
                console.print(f"[dim]pipecat, {ears}: collapsed at {calls} calls; it is not asked for more[/]")
            pairs.append((ours, theirs))
    return pairs


def _run(plan: Plan, ears: str, calls: int, serve: Serve, cores: Cores, console: Console) -> Figures:
    """One number of calls on one server, both fresh."""
    callers = names(calls + 1)
    began, busy = time.monotonic(), os.getloadavg()[0]
    try:
        with (
            host.vendors(cores, plan.profile, caller.rules(callers), plan.seed) as address,
            serve(address, ears, cores) as measured,
        ):
            time.sleep(SETTLED)
            if plan.warm:  # what is loaded, opened or rendered once belongs to no call
                host.call(measured, callers[calls:], 0.0, cores)
            lab = Lab(address)
            lab.stamps()
            with host.watching(measured) as used:
                seen = host.call(measured, callers[:calls], plan.seconds, cores)
            notes = lab.stamps()
            who = measured.name
    except PeerError as error:
        raise BenchError(str(error)) from error
    run = figures(
        who,
        ears,
        seen,
        notes,
        looks=used.knocks,
        lags=used.lags,
        tasks=used.tasks,
        processor_seconds=used.processor_seconds,
        megabytes=used.megabytes,
    )
    gap, share = run.spreads["gap"], run.spreads["own share"]
    console.print(
        f"[dim]{who:>9}, {ears}, {calls:>3} calls: gap p50 {_ms(gap.p50)}, own share p95 {_ms(share.p95)}, "
        f"clear p95 {_ms(run.spreads['clear'].p95)}, {run.holes} holes, {len(run.failed)} kinds of failure "
        f"({time.monotonic() - began:.0f} s; the machine's load before it {busy:.1f})[/]"
    )
    return run


# --- telling ----------------------------------------------------------------------------------------------------------


def _tell(plan: Plan, pairs: Sequence[tuple[Figures, Figures | None]], console: Console) -> None:
    for ears in plan.ears:
        console.print()
        console.print(table(ears, [pair for pair in pairs if pair[0].ears == ears]))
    remarks = [
        f"Vendors' times: {plan.profile}. Each call asks questions for {plan.seconds:g} s. Whoever is measured has one "
        "core, vendors and callers share the rest.",
        "clear: from the first sample of the caller's voice. knock: GET of its health address, twice a second; lag: "
        "what it says there of its event loop, the 95th percentile of the last five seconds.",
        "Processor: all that the process used in the run, over all seconds of calls. Memory: what is its own, at the "
        "most, less what it was before the first call.",
    ]
    console.print(footer([each for pair in pairs for each in pair if each is not None], remarks))


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.1f} ms"


def _as_data(plan: Plan, pairs: Sequence[tuple[Figures, Figures | None]]) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "profile": plan.profile,
        "seconds": plan.seconds,
        "runs": [each.as_data() for pair in pairs for each in pair if each is not None],
    }


def _drawn(pairs: Sequence[tuple[Figures, Figures | None]]) -> str:
    lines: dict[str, list[tuple[int, float]]] = {}
    for pair in pairs:
        for each in pair:
            share = each.spreads["own share"] if each is not None else None
            if each is not None and share is not None and share.p95 is not None and share.n >= TELLING:
                lines.setdefault(f"{each.who}, {each.ears}", []).append((each.calls, share.p95))
    return chart("Own share of the gap, 95th percentile", dict(sorted(lines.items())), BAR)
