"""The scribe: whatever happens to the database or to a process, every call has its account, once."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.call.actions import UseTools
from app.call.events import ToolCall
from app.store.database import Database
from app.store.migrate import migrate
from app.store.notes import list_notes, notepad
from app.store.tables import CallRow, CostDayRow, TurnRow, UsageRow
from app.switchboard.books import Bookings
from app.switchboard.scribe import UNREADABLE, Scribe, write_into
from app.switchboard.trace import WRITTEN, FileTrace, end_line, head_line, line, open_trace
from tests import servers
from tests.switchboard.test_books import CALL, HEAD, HEARING, recorded, resumed, whole

PATIENCE = 20.0  # real seconds; a database on a loaded machine takes some to come back


def nobody(sid: str) -> bool:
    """No call is going on."""
    return False


async def rows(database: Database) -> tuple[int, ...]:
    async with database.reading() as session:
        tables = (CallRow, TurnRow, UsageRow)
        return tuple([await session.scalar(select(func.count()).select_from(table)) or 0 for table in tables])


async def calls_counted(database: Database) -> int:
    """How many lines the reports' own figures hold; a call that counted twice would double their sums."""
    async with database.reading() as session:
        hearing = select(func.sum(CostDayRow.quantity)).where(CostDayRow.vendor == "deepgram")
        return round(float(await session.scalar(hearing) or 0) * 10)


class Desk:
    """Takes accounts, as long as it is not away."""

    def __init__(self) -> None:
        self.taken: list[Bookings] = []
        self.away = False

    async def __call__(self, account: Bookings) -> None:
        if self.away:
            raise ConnectionError("the database is away")
        self.taken.append(account)


async def test_an_account_is_written_once_and_its_trace_put_away(tmp_path: Path, database: Database) -> None:
    whole(tmp_path)
    scribe = Scribe(tmp_path, write_into(database), nobody)
    assert await scribe.write_all()
    once = await rows(database)
    assert once == (1, 2, 8)
    assert [path.name for path in (tmp_path / WRITTEN).iterdir()] == ["CA1.jsonl"]
    assert await scribe.write_all()
    assert await rows(database) == once


async def test_a_trace_that_is_written_twice_changes_nothing(tmp_path: Path, database: Database) -> None:
    whole(tmp_path)
    scribe = Scribe(tmp_path, write_into(database), nobody)
    await scribe.write_all()
    before = await rows(database), await calls_counted(database)
    (tmp_path / WRITTEN / "CA1.jsonl").rename(tmp_path / "CA1.jsonl")  # as after a kill between the rows and this
    await scribe.write_all()
    assert (await rows(database), await calls_counted(database)) == before


async def test_a_call_that_goes_on_waits(tmp_path: Path) -> None:
    whole(tmp_path)
    desk, going_on = Desk(), {"CA1"}
    scribe = Scribe(tmp_path, desk, going_on.__contains__)
    assert await scribe.write_all()
    assert desk.taken == []
    going_on.clear()
    await scribe.write_all()
    assert [account.call.sid for account in desk.taken] == ["CA1"]


async def test_the_traces_of_a_resumed_call_are_read_in_their_order(tmp_path: Path) -> None:
    resumed(tmp_path)
    for number in range(3, 12):  # by name, the tenth would come before the second
        recorded(tmp_path, part=number, end=(100.0, f"stream {number}", "carrier"))
    desk = Desk()
    await Scribe(tmp_path, desk, nobody).write_all()
    assert desk.taken[0].call.end_reason == "stream 11"


async def test_a_call_that_goes_on_after_its_account_was_written_keeps_its_first_part(tmp_path: Path) -> None:
    whole(tmp_path)
    desk = Desk()
    scribe = Scribe(tmp_path, desk, nobody)
    await scribe.write_all()
    second = open_trace(tmp_path, "CA1")
    assert second.path.name == "CA1.2.jsonl"
    second.write(head_line(HEAD) + end_line(120.0, "goodbye", "agent"))
    second.close()
    await scribe.write_all()
    assert [account.call.details["traces"] for account in desk.taken] == [1, 2]
    assert {turn.heard for turn in desk.taken[1].turns} == {"When are you open?", "At nine."}


async def test_a_trace_that_cannot_be_read_is_put_aside_and_the_others_are_written(tmp_path: Path) -> None:
    whole(tmp_path)
    (tmp_path / "CA0.jsonl").write_text('{"is":"call","format":99}\n')
    (tmp_path / "CA2.jsonl").write_text("no trace at all\n")
    desk = Desk()
    assert await Scribe(tmp_path, desk, nobody).write_all()
    assert [account.call.sid for account in desk.taken] == ["CA1"]
    assert {path.name for path in (tmp_path / UNREADABLE).iterdir()} == {"CA0.jsonl", "CA2.jsonl"}


async def test_one_unreadable_trace_of_a_call_does_not_cost_the_rest_of_it(tmp_path: Path) -> None:
    whole(tmp_path)
    (tmp_path / "CA1.2.jsonl").write_text('{"is":\n')
    desk = Desk()
    await Scribe(tmp_path, desk, nobody).write_all()
    assert len(desk.taken[0].turns) == 2
    assert [path.name for path in (tmp_path / UNREADABLE).iterdir()] == ["CA1.2.jsonl"]


async def test_a_trace_whose_first_line_is_about_to_be_written_is_let_be(tmp_path: Path) -> None:
    fresh = tmp_path / "CA1.jsonl"
    fresh.touch()
    scribe = Scribe(tmp_path, Desk(), nobody)
    await scribe.write_all()
    assert fresh.exists()
    old = time.time() - 60
    os.utime(fresh, (old, old))
    await scribe.write_all()
    assert not fresh.exists()


async def test_a_note_that_could_not_be_written_at_once_is_written_with_the_account(
    tmp_path: Path, database: Database
) -> None:
    message = {"name": "Ann", "message": "Call me."}
    recorded(
        tmp_path, *CALL, (107.0, UseTools(5, (ToolCall("a", "take_message", message), ToolCall("b", "opt_out", {}))))
    )
    pages = notepad(database, call_sid="CA1", agent="reception", number="+1", party="+2")
    await pages["opt_out"]({})  # this one was written while the call talked
    await Scribe(tmp_path, write_into(database), nobody).write_all()
    async with database.reading() as session:
        assert sorted(kept.kind for kept in await list_notes(session)) == ["opt_out", "take_message"]


# --- the database goes, and comes back ------------------------------------------------------------------------------


async def test_while_the_database_is_away_accounts_wait_and_are_counted(tmp_path: Path) -> None:
    whole(tmp_path)
    desk = Desk()
    desk.away = True
    scribe = Scribe(tmp_path, desk, nobody)
    assert not await scribe.write_all()
    assert scribe.waiting == 1
    desk.away = False
    assert await scribe.write_all()
    assert (len(desk.taken), scribe.waiting) == (1, 0)


@asynccontextmanager
async def writing(scribe: Scribe) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(scribe.run())
        yield
        running.cancel()


async def test_a_real_database_that_is_stopped_and_started_has_every_account_once(tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    with servers.own_postgres() as server:
        await migrate(server.url)
        database = Database.open(server.url)
        scribe = Scribe(traces, write_into(database), nobody)
        async with writing(scribe):
            for sid in ("CA1", "CA2"):
                called(traces, sid)
            await until_written(traces, 2, scribe)
            await asyncio.to_thread(server.stop)
            for sid in ("CA3", "CA4", "CA5"):
                called(traces, sid)
            scribe.look()
            await until_waiting(scribe, 3)
            await asyncio.to_thread(server.start)
            await until_written(traces, 5, scribe)
        assert await rows(database) == (5, 10, 40)
        assert await calls_counted(database) == 5 * 125
        await database.close()


def called(traces: Path, sid: str) -> None:
    trace = FileTrace(traces, sid)
    trace.write(head_line(replace(HEAD, facts=replace(HEAD.facts, sid=sid))))
    for moment, thing in (*CALL, (112.0, HEARING)):
        trace.write(line(moment, thing))
    trace.write(end_line(112.0, "the caller hung up", "caller"))
    trace.close()


async def until_written(traces: Path, count: int, scribe: Scribe) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(list((traces / WRITTEN).glob("*.jsonl"))) < count:
            scribe.look()
            await asyncio.sleep(0.05)


async def until_waiting(scribe: Scribe, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while scribe.waiting < count:
            scribe.look()
            await asyncio.sleep(0.05)


# --- a process is killed --------------------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from app.switchboard.trace import FileTrace, head_line, line
from tests.switchboard.test_books import CALL, HEAD
trace = FileTrace(Path(sys.argv[1]), "CA1")
trace.write(head_line(HEAD) + "".join(line(moment, thing) for moment, thing in CALL) + '{"t":107.0,"is":"Cle')
print("written", flush=True)
sys.stdin.read()
"""


async def test_what_a_killed_process_left_is_finished_as_soon_as_it_is_dead(tmp_path: Path, database: Database) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            assert await holder.stdout.readline() == b"written\n"
        scribe = Scribe(tmp_path, write_into(database), nobody)
        await scribe.write_all()
        assert await rows(database) == (0, 0, 0), "a living process holds this trace"
    finally:
        holder.send_signal(signal.SIGKILL)
        await holder.wait()
    await scribe.write_all()
    async with database.reading() as session:
        call = (await session.scalars(select(CallRow))).one()
        hearing = (await session.scalars(select(UsageRow).where(UsageRow.vendor == "deepgram"))).one()
    assert (call.end_reason, call.end_fault, call.turns) == ("the process was killed", "platform", 2)
    assert hearing.estimated


async def test_two_scribes_over_one_folder_write_one_account(tmp_path: Path, database: Database) -> None:
    whole(tmp_path)
    both = [Scribe(tmp_path, write_into(database), nobody) for _ in range(2)]
    await asyncio.gather(*(scribe.write_all() for scribe in both))
    assert await rows(database) == (1, 2, 8)
    assert await calls_counted(database) == 125


def test_the_parts_of_a_call_never_share_a_file(tmp_path: Path) -> None:
    first, second = open_trace(tmp_path, "CA1"), open_trace(tmp_path, "CA1")
    assert (first.path.name, second.path.name) == ("CA1.jsonl", "CA1.2.jsonl")
    first.close()
    second.close()
    with pytest.raises(FileExistsError):
        FileTrace(tmp_path, "CA1")
