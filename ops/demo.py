"""`make demo`: a server of your own, one whole call on it, and what the call came to. No key, no account, no network.

The server hears, thinks and speaks on this machine, and the call is held aloud, over a telephone company's wires that
the lab plays. `--lab` has the lab play Deepgram, Claude and ElevenLabs instead, each over its own wire.
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

from app.call.account import Turn
from app.mind.offline_calendar import spoken as spoken_slot
from app.money.cost import Account as Cost
from app.money.cost import Row, shown
from app.money.cost import account as price
from app.money.rates import RateBook
from app.report import call_sheet
from app.senses import cannot_work
from app.settings import Settings
from app.store.bookings import Bookings
from app.store.database import Database
from app.store.rate_card import seed_rates
from app.switchboard.books import bookings
from ops.demo_call import BOOKING, NAME, QUESTIONS, Following, hold, spoken
from ops.lab.caller import Caller
from ops.lab.place import Target
from ops.lab.report import Report
from ops.lab.transcript import Line

FOLDER = Path("var/demo")
DATABASE = f"sqlite:///{FOLDER}/patchcord.db"
SAMPLE = Path(__file__).parent / "samples" / "clinic.yaml"
AGENT, SECRET = "reception", "demo"
START_SECONDS = 60.0  # it takes five; where nothing has been compiled yet, and ears are of an older release, thirty
CALL_SECONDS = 240.0  # it takes one minute; whoever is misheard again and again takes two
DRAIN_SECONDS = 2.0  # who presses Ctrl-C while they talk to the agent has heard enough
_LOOK_SECONDS = 0.1
_STOP_SECONDS = 15.0
_COLOURS = {"caller": "cyan", "agent": "green", "carrier": "yellow"}
_KEYS = ("DEEPGRAM_API_KEY", "ANTHROPIC_API_KEY", "ELEVENLABS_API_KEY")
_URLS = ("DEEPGRAM_URL", "ANTHROPIC_BASE_URL", "ELEVENLABS_BASE_URL", "TWILIO_API_BASE")
_NOT_HERS = (*_KEYS, *_URLS, "STT_URL", "TTS_URL", "REDIS_URL", "TWILIO_ACCOUNT_SID")  # whatever the shell has set


def main() -> int:
    options = argparse.ArgumentParser(prog="make demo", description=__doc__)
    options.add_argument("--once", action="store_true", help="end after the call; exit code 0 if it went as it should")
    options.add_argument("--lab", action="store_true", help="have the lab play Deepgram, Claude and ElevenLabs")
    options.add_argument("--port", type=int, default=0, help="where the server listens; a free port if not given")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, _end)
    console = Console(highlight=False, soft_wrap=True)
    if not given.lab and (why := cannot_work(Settings.read({}))):
        console.print(f"{why} Until then the lab plays the vendors.", markup=False)
        given.lab = True
    console.print("A server, and one call on it that takes about a minute:")
    try:
        with _house(console, given.port or _free_port(), lab=given.lab) as (address, server):
            if not _call(console, address, lab=given.lab):
                return 1
            if not given.once:
                return _stay(console, address, server)
    except KeyboardInterrupt:
        console.print("\nGoodbye.")
    return 0


def _end(*_: object) -> NoReturn:
    """Who is told to end takes the server along."""
    raise SystemExit(128 + signal.SIGTERM)


# --- the call ---------------------------------------------------------------------------------------------------------


def _call(console: Console, address: str, *, lab: bool) -> bool:
    """Place the call, and tell it from both ends: what is heard at the telephone, and what the server waited for."""
    story = QUESTIONS if lab else BOOKING
    console.print(f"\n[bold]One call to +15005550001[/]: {story.name}\n")
    began: list[float] = []
    held: list[Line] = []  # what was said over the agent's words, whose line is not over yet

    def tell(line: Line) -> None:
        if line.who == "caller" and caller.ear.sounding:
            held.append(line)
            return
        for each in (line, *held):
            began.append(each.start)
            console.print(_line(each, each.start - began[0]))
        held.clear()

    def turned(turn: Turn) -> None:
        console.print(f"[dim]{escape(call_sheet.turn(turn))}[/]")

    caller = Caller(story, tell=tell) if lab else Caller(story, tell=tell, voice=spoken, prompted=True)
    following = Following(FOLDER / "traces", (lambda words: None) if lab else caller.understands, turned)
    target = Target(address, auth_token=SECRET)
    try:
        report = asyncio.run(asyncio.wait_for(hold(target, caller, following), CALL_SECONDS))
    except TimeoutError:
        console.print(f"\n[red]✗ The call did not end within {CALL_SECONDS:g} s.[/]")
        return False
    _tell_cost(console, following)
    return _tell_end(console, report, lab=lab)


def _line(line: Line, moment: float) -> str:
    cut = " [red]✂ cut off here[/]" if line.cut else ""
    return f"{moment:6.1f}  [{_COLOURS[line.who]}]{line.who:>7}[/]  {escape(line.text)}{cut}"


def _tell_cost(console: Console, following: Following) -> None:
    """The account, by the prices that come with this release. The lab's telephone company sends no bill."""
    console.print("\n[bold]What the call came to[/]")
    if following.recorded is None:
        return
    booked = bookings([following.recorded])
    cost = price(booked.lines, RateBook(seed_rates()), booked.call.started_at.date())
    for line in call_sheet.sheet(following.account, Cost(tuple(row for row in cost.rows if not _is_the_line(row)))):
        console.print(line, markup=False)
    line_alone = Cost(tuple(row for row in cost.rows if _is_the_line(row)))
    console.print(f"[dim]  (over a real line of Twilio's it would have cost {shown(line_alone.known)} more)[/]")


def _is_the_line(row: Row) -> bool:
    return row.line.vendor == "twilio"


def _tell_end(console: Console, report: Report, *, lab: bool) -> bool:
    if report.failed:
        console.print(f"\n[red]✗ The call did not go as it should: {escape(report.failed)}[/]")
        return False
    console.print("\n[green]✓ The call went as it should.[/]")
    if not lab:
        slots = asyncio.run(_booked())
        if not slots:
            console.print(f"[red]✗ There is no appointment of {NAME} in the diary.[/]")
            return False
        console.print(f"[green]✓ In the diary:[/] {NAME}, {spoken_slot(slots[0])}.")
    return True


async def _booked() -> list[datetime]:
    database = Database.open(DATABASE)
    try:
        return await Bookings(database, AGENT).of(NAME, "", datetime.now())
    finally:
        await database.close()


# --- the house --------------------------------------------------------------------------------------------------------


@contextmanager
def _house(console: Console, port: int, *, lab: bool) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The server, and with `lab` the lab's vendors, each a process; all are gone when this ends."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        **dict.fromkeys(_NOT_HERS, ""),
        **{"PORT": str(port), "HOST": "127.0.0.1", "PUBLIC_URL": address, "DATA_DIR": str(FOLDER)},
        **{"DATABASE_URL": DATABASE, "TWILIO_AUTH_TOKEN": SECRET, "DRAIN_SECONDS": f"{DRAIN_SECONDS:g}"},
    }
    with ExitStack() as stack:
        if lab:
            vendors = f"http://127.0.0.1:{_free_port()}"
            environment |= {**dict.fromkeys(_KEYS, "demo"), **dict.fromkeys(_URLS, vendors)}
            command = [sys.executable, "-m", "ops.lab", "vendors", "--port", vendors.rpartition(":")[2]]
            stack.enter_context(_process(command, os.environ, "vendors"))
            console.print(f"  the lab plays Deepgram, Claude and ElevenLabs at {vendors}")
        _apply(environment)
        console.print(f"  the agent of {SAMPLE.name} is in a new database, {FOLDER}/patchcord.db")
        if not lab:
            console.print("  the server is learning what a clinic's callers say …")
        server = stack.enter_context(_process([_patchcord(), "serve"], environment, "server"))
        _await(f"{address}/readyz", server)
        how = "" if lab else ", and hears, thinks and speaks by itself"
        console.print(f"  Patchcord answers at {address}{how}")
        yield address, server


def _patchcord() -> str:
    return str(Path(sys.executable).parent / "patchcord")


def _apply(environment: Mapping[str, str]) -> None:
    command = [_patchcord(), "apply", str(SAMPLE)]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=START_SECONDS)
    if done.returncode:
        raise SystemExit(f"The agent could not be brought into the database:\n{done.stderr}")


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], name: str) -> Iterator[subprocess.Popen[bytes]]:
    with (FOLDER / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=dict(environment), stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
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


def _stay(console: Console, address: str, server: subprocess.Popen[bytes]) -> int:
    """Until Ctrl-C. The exit code, if the server ends before."""
    console.print(f"\n[bold]Open {address}/phone to talk yourself; Ctrl-C ends it.[/]")
    console.print('  Say for example "I would like to book an appointment" or "What are your opening hours?"')
    code = server.wait()
    console.print(f"The server has ended with code {code}; its log is {FOLDER}/server.log.")
    return 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
