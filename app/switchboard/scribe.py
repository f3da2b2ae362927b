"""The scribe: turns the traces of calls that are over into rows, off every call's path.

Whatever happens to the database, calls go on and their traces wait. Whatever happens to a process, its traces lie
there, and the next scribe that finds them unlocked finishes them. Writing one twice changes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from app.errors import PatchcordError
from app.switchboard.books import Bookings, bookings
from app.switchboard.trace import is_being_written, read

log = logging.getLogger(__name__)

WRITTEN = "written"  # the folder beside the traces where those lie that have become rows
UNREADABLE = "unreadable"
_LOOK_SECONDS = 5.0  # for what other processes left; our own calls wake the scribe at once
_AWAY_SECONDS = 2.0  # between two tries while the database is away
_SETTLE_SECONDS = 0.5  # a carrier that is about to resume a broken call asks within this time

Book = Callable[[Bookings], Awaitable[None]]


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
            try:
                account = await asyncio.to_thread(_bookings, traces)
            except (PatchcordError, ValueError, KeyError, TypeError) as error:
                log.error("the trace of call %s cannot be read (%r); it is put aside", sid, error)
                await asyncio.to_thread(self._put, traces, UNREADABLE)
                continue
            try:
                await self._book(account)
            except Exception as error:  # whatever a database raises: the trace waits, and is tried again
                log.warning("the account of call %s waits: %r", sid, error)
                return False
            await asyncio.to_thread(self._put, traces, WRITTEN)
            self.waiting -= 1
        return True

    def _finished(self) -> list[tuple[str, list[Path]]]:
        """The calls whose every trace is complete or left by a process that is gone, each with its traces in order."""
        calls: dict[str, list[Path]] = {}
        for path in self._folder.glob("*.jsonl"):
            calls.setdefault(path.name.partition(".")[0], []).append(path)
        return [
            (sid, sorted(traces, key=_place))
            for sid, traces in sorted(calls.items())
            if not self._is_going_on(sid) and not any(map(is_being_written, traces))
        ]

    def _put(self, traces: Sequence[Path], folder: str) -> None:
        target = self._folder / folder
        target.mkdir(exist_ok=True)
        for trace in traces:
            trace.rename(target / trace.name)


def _bookings(traces: Sequence[Path]) -> Bookings:
    return bookings([read(trace) for trace in traces])


def _place(path: Path) -> int:
    """CA1.jsonl is a call's first trace, CA1.2.jsonl its second."""
    number = path.name.removesuffix(".jsonl").partition(".")[2]
    return int(number) if number.isdecimal() else 1
