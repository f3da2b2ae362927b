"""The scribe: turns the traces of calls that are over into rows, off every call's path.

Whatever happens to the database, calls go on and their traces wait. Whatever happens to a process, its traces lie
there, and the next scribe that finds them unlocked finishes them. Writing one twice changes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC
from pathlib import Path

from app.errors import PatchcordError
from app.money.cost import account
from app.store.database import Database
from app.store.ledger import write_call
from app.store.notes import write_notes
from app.store.rate_card import load_book
from app.switchboard.books import Bookings, bookings
from app.switchboard.trace import WRITTEN, Recorded, is_being_written, read

log = logging.getLogger(__name__)

UNREADABLE = "unreadable"
_LOOK_SECONDS = 5.0  # for what other processes left; our own calls wake the scribe at once
_AWAY_SECONDS = 2.0  # between two tries while the database is away
_SETTLE_SECONDS = 0.5  # a carrier that is about to resume a broken call asks within this time

Book = Callable[[Bookings], Awaitable[None]]


def write_into(database: Database) -> Book:
    """Prices an account by the rates of its day, and writes it whole."""

    async def book(bookings: Bookings) -> None:
        async with database.writing() as session:
            rates = await load_book(session)
            priced = account(bookings.lines, rates, bookings.call.started_at.astimezone(UTC).date())
            await write_call(session, bookings.call, bookings.turns, priced)
            await write_notes(session, bookings.notes)

    return book


class Scribe:
    """`book` writes one account, whole or not at all, and raises when it cannot just now."""

    def __init__(self, folder: Path, book: Book, is_going_on: Callable[[str], bool]) -> None:
        self._folder = folder
        self._book = book
        self._is_going_on = is_going_on
        self._wake = asyncio.Event()
        self.waiting = 0  # accounts that could not be written yet

    def look(self) -> None:
        """A call has ended."""
        self._wake.set()

    async def run(self) -> None:
        """Write what there is to write, until cancelled."""
        while True:
            well = await self.write_all()
            try:
                async with asyncio.timeout(_LOOK_SECONDS if well else _AWAY_SECONDS):
                    await self._wake.wait()
                    await asyncio.sleep(_SETTLE_SECONDS)
            except TimeoutError:
                pass
            self._wake.clear()

    async def write_all(self) -> bool:
        """Write every account that is complete. False: the database would not take them all."""
        finished = await asyncio.to_thread(self._finished)
        self.waiting = len(finished)
        for sid, traces in finished:
            told = await asyncio.to_thread(self._told, traces)
            if told is None:
                continue
            try:
                await self._book(told)
            except Exception as error:  # whatever a database raises: the trace waits, and is tried again
                log.warning("the account of call %s waits: %r", sid, error)
                return False
            await asyncio.to_thread(self._put, traces, WRITTEN)
            self.waiting -= 1
        return True

    def _finished(self) -> list[tuple[str, list[Path]]]:
        """The calls whose every trace is complete or left by a process that is gone, each with its traces in order.

        A call that went on after its account was written is written anew, with the traces that were put away then.
        """
        calls: dict[str, list[Path]] = {}
        for path in self._folder.glob("*.jsonl"):
            calls.setdefault(path.name.partition(".")[0], []).append(path)
        away = self._folder / WRITTEN
        return [
            (sid, sorted([*traces, *away.glob(f"{sid}.jsonl"), *away.glob(f"{sid}.*.jsonl")], key=_place))
            for sid, traces in sorted(calls.items())
            if not self._is_going_on(sid) and not any(map(is_being_written, traces))
        ]

    def _told(self, traces: list[Path]) -> Bookings | None:
        """The account that these traces tell; what cannot be read is put aside, and the rest still counts."""
        recorded: list[Recorded] = []
        for trace in list(traces):
            try:
                recorded.append(read(trace))
            except FileNotFoundError:  # another scribe has just put it away
                return None
            except (PatchcordError, ValueError, KeyError, TypeError) as error:
                log.error("the trace %s cannot be read (%r); it is put aside", trace.name, error)
                self._put([trace], UNREADABLE)
                traces.remove(trace)
        return bookings(recorded) if recorded else None

    def _put(self, traces: Sequence[Path], folder: str) -> None:
        target = self._folder / folder
        target.mkdir(exist_ok=True)
        for trace in traces:
            with suppress(FileNotFoundError):  # another scribe was quicker
                trace.rename(target / trace.name)


def _place(path: Path) -> int:
    """CA1.jsonl is a call's first trace, CA1.2.jsonl its second."""
    number = path.name.removesuffix(".jsonl").partition(".")[2]
    return int(number) if number.isdecimal() else 1
