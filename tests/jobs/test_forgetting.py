"""Files go when their time is over, and with their caller; what is not a row yet stays until it is."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.jobs.forgetting import Forgetting, forget
from app.store.database import Database
from app.store.live import LocalLive
from app.store.retention import Retention, calls_of
from app.switchboard.trace import FileTrace, head_line
from tests.store.ledgers import CALL, START, written
from tests.switchboard.test_books import FACTS, HEAD

NOW = START + timedelta(days=40)


def file(path: Path, day: datetime) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    os.utime(path, (day.timestamp(), day.timestamp()))
    return path


async def test_old_files_go_and_what_waits_for_the_scribe_stays(tmp_path: Path, database: Database) -> None:
    old, new = NOW - timedelta(days=31), NOW - timedelta(days=29)
    gone = [file(tmp_path / "traces/written/CA1.jsonl", old), file(tmp_path / "recordings/CA1.wav", old)]
    kept = [
        file(tmp_path / "traces/written/CA2.jsonl", new),
        file(tmp_path / "traces/CA3.jsonl", old),
        file(tmp_path / "recordings/CA2.wav", new),
    ]
    await Forgetting(database, tmp_path, Retention())(NOW)
    assert [path.exists() for path in (*gone, *kept)] == [False, False, True, True, True]


async def test_what_is_kept_for_ever_is_kept(tmp_path: Path, database: Database) -> None:
    ancient = file(tmp_path / "traces/written/CA1.jsonl", datetime(2001, 1, 1, tzinfo=UTC))
    await written(database)
    await Forgetting(database, tmp_path, Retention(0, 0, 0, 0))(NOW)
    assert ancient.exists()
    async with database.reading() as session:
        assert await calls_of(session, CALL.from_number) == ["CA1"]


async def test_old_calls_go_however_many_there_are(tmp_path: Path, database: Database) -> None:
    for number in range(3):
        await written(database, replace(CALL, sid=f"CA{number}"))
    await Forgetting(database, tmp_path, Retention(calls=39))(NOW)
    async with database.reading() as session:
        assert await calls_of(session, CALL.from_number) == []


async def test_a_caller_is_forgotten_in_rows_files_and_memory(tmp_path: Path, database: Database) -> None:
    await written(database, replace(CALL, from_number=FACTS.party))
    await written(database, replace(CALL, sid="CA2"))
    mine = [file(tmp_path / "traces/written/CA1.jsonl", START), file(tmp_path / "recordings/CA1.wav", START)]
    waiting = FileTrace(tmp_path / "traces", "CA8")  # of the same caller, and no row yet
    waiting.write(head_line(replace(HEAD, facts=replace(FACTS, sid="CA8"))))
    waiting.close()
    others = file(tmp_path / "traces/written/CA2.jsonl", START)
    memory = LocalLive()
    await memory.remember("CA8", "[]", 60.0)
    assert await forget(FACTS.party, database, memory, tmp_path) == (1, 3)
    assert [path.exists() for path in (*mine, waiting.path, others)] == [False, False, False, True]
    await asyncio.sleep(0.005)
    assert await memory.recall("CA8") is None
    assert await forget(FACTS.party, database, memory, tmp_path) == (0, 0)
