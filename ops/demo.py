"""`make demo`: a server of your own, one whole call on it, and what the call came to. No key, no account, no network.

The vendors are played by the lab over real sockets, in processes of their own; the server is the real one.
"""

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from app.call.account import Account
from app.money.cost import Account as Cost
from app.money.cost import account as price
from app.money.rates import RateBook
from app.report import call_sheet
from app.store.rate_card import seed_rates
from app.switchboard import trace
from app.switchboard.books import bookings
from ops.lab.place import Target, place
from ops.lab.report import Report
from ops.lab.story import Ends, Hears, Says, Story, TalksOver
from ops.lab.transcript import Line

FOLDER = Path("var/demo")
SAMPLE = Path(__file__).parent / "samples" / "clinic.yaml"
START_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_COLOURS = {"caller": "cyan", "agent": "green", "carrier": "yellow"}

STORY = Story(
    "a caller with three questions, one of them over the agent's words",
    (
        Hears("how can i help", within=10.0),
        Says("When are you open?"),
        Hears("nine to five"),
        Says("Tell me everything about the clinic."),
        TalksOver("Sorry, are you open on Sundays?", after_words=4),
        Hears("closed on sundays"),
        Says("Thank you, goodbye."),
        Hears("goodbye"),
        Ends(),
    ),
)


def main() -> int:
    options = argparse.ArgumentParser(prog="make demo", description=__doc__)
    options.add_argument("--once", action="store_true", help="end after the call; exit code 0 if it went as it should")
    options.add_argument("--port", type=int, default=0, help="where the server listens; a free port if not given")
    given = options.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    with _house(console, given.port or _free_port()) as address:
        report, account = asyncio.run(_call(console, address))
        console.print("\n[bold]What the call came to[/]")
        for line in call_sheet.sheet(account, _cost()):
            console.print(line, markup=False)
        if report.failed:
            console.print(f"\n[red]✗ The call did not go as it should: {report.failed}[/]")
            return 1
        console.print(f"\n[green]✓ The call went as it should.[/] Its trace: {_newest_trace()}")
        if not given.once:
            _stay(console, address)
    return 0


# --- the call ---------------------------------------------------------------------------------------------------------


async def _call(console: Console, address: str) -> tuple[Report, Account]:
    """Place the call, and tell it from both ends: what is heard at the telephone, and what the server waited for."""
    console.print(f"\n[bold]One call to +15005550001[/]  [dim]{STORY.name}[/]\n")
    account = Account()
    began: list[float] = []

    def tell(line: Line) -> None:
        began.append(line.start)
        moment = max(0.0, line.start - began[0])
        cut = " [red]✂ cut off here[/]" if line.cut else ""
        console.print(f"{moment:6.1f}  [{_COLOURS[line.who]}]{line.who:>7}[/]  {line.text}{cut}")

    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_follow(console, account, over))
        report = await place(Target(address, auth_token="demo"), STORY, tell=tell)
        over.set()
    return report, account


async def _follow(console: Console, account: Account, over: asyncio.Event) -> None:
    """Read the call's trace while it is written: each turn's times, as soon as they are known."""
    read = told = 0
    while True:
        last = over.is_set()
        path = _newest_trace()
        entries = trace.read(path).entries if path is not None else []
        for entry in entries[read:]:
            if entry.thing is not None:
                account.add(entry.moment, entry.thing)
        read = len(entries)
        while told < len(account.turns) and account.turns[told].sent_first is not None:
            console.print(f"[dim]{call_sheet.turn(account.turns[told])}[/]")
            told += 1
        if last:
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _cost() -> Cost | None:
    """What the call cost, by the prices that come with this release."""
    path = _newest_trace()
    if path is None:
        return None
    booked = bookings([trace.read(path)])
    return price(booked.lines, RateBook(seed_rates()), booked.call.started_at.date())


def _newest_trace() -> Path | None:
    traces = sorted((FOLDER / "traces").rglob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    return traces[-1] if traces else None


# --- the house --------------------------------------------------------------------------------------------------------


@contextmanager
def _house(console: Console, port: int) -> Iterator[str]:
    """The lab's vendors and the server, each a process; both are gone when this ends."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    vendors, address = f"http://127.0.0.1:{_free_port()}", f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        **{"PORT": str(port), "HOST": "127.0.0.1", "PUBLIC_URL": address, "DATA_DIR": str(FOLDER)},
        **{"DATABASE_URL": f"sqlite:///{FOLDER}/patchcord.db", "REDIS_URL": "", "TWILIO_AUTH_TOKEN": "demo"},
        **{name: "demo" for name in ("DEEPGRAM_API_KEY", "ANTHROPIC_API_KEY", "ELEVENLABS_API_KEY")},
        **{name: vendors for name in ("DEEPGRAM_URL", "ANTHROPIC_BASE_URL", "ELEVENLABS_BASE_URL", "TWILIO_API_BASE")},
    }
    patchcord = str(Path(sys.executable).parent / "patchcord")
    lab = [sys.executable, "-m", "ops.lab", "vendors", "--port", vendors.rpartition(":")[2]]
    with _process(lab, os.environ, "vendors"):
        console.print(f"  the lab plays Deepgram, Claude and ElevenLabs at {vendors}")
        subprocess.run([patchcord, "apply", str(SAMPLE)], env=environment, check=True, stdout=subprocess.DEVNULL)
        console.print(f"  the agent of {SAMPLE.name} is in the database")
        with _process([patchcord, "serve"], environment, "server") as server:
            _await(f"{address}/healthz", server)
            console.print(f"  Patchcord answers at {address}")
            yield address


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], name: str) -> Iterator[subprocess.Popen[bytes]]:
    with (FOLDER / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=dict(environment), stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers; what it said instead, if it does not."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(_LOOK_SECONDS)
    log = (FOLDER / "server.log").read_text(errors="replace")
    raise SystemExit(f"The server did not start within {START_SECONDS:g} s. It said:\n{log[-2000:]}")


def _stay(console: Console, address: str) -> None:
    console.print(
        f"\nThe server stays at {address} until you press Ctrl-C. In another terminal:\n"
        f"  .venv/bin/patchcord call {address} --auth-token demo\n"
        f"  .venv/bin/patchcord load {address} --auth-token demo --calls 10\n"
    )
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Goodbye.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
