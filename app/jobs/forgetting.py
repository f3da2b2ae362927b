"""Forgets what has been kept long enough, class by class, and everything of one caller when somebody asks."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from app.store.database import Database
from app.store.retention import Retention, calls_of, cutoff, forget_caller, forget_calls, forget_transcripts


class Memory(Protocol):
    async def remember(self, call_sid: str, messages_json: str, ttl: float) -> None: ...


class Forgetting:
    """`folder`: where traces and recordings lie, each class in a folder of its own."""

    def __init__(self, database: Database, folder: Path, retention: Retention) -> None:
        self._database = database
        self._folder = folder
        self._retention = retention

    async def __call__(self, now: datetime) -> None:
        for days, forget in ((self._retention.transcripts, forget_transcripts), (self._retention.calls, forget_calls)):
            before = cutoff(now, days)
            more = before is not None
            while more and before is not None:
                async with self._database.writing() as session:
                    more = bool(await forget(session, before))
        for name, days in (("traces", self._retention.traces), ("recordings", self._retention.recordings)):
            if (before := cutoff(now, days)) is not None:
                await asyncio.to_thread(_delete_older, self._folder / name, before.timestamp())


async def forget(party: str, database: Database, memory: Memory, folder: Path) -> tuple[int, int]:
    """Everything of this caller: rows, files, memory. How many calls and how many files."""
    async with database.reading() as session:
        sids = set(await calls_of(session, party))
    sids |= await asyncio.to_thread(_sids_in_traces, folder / "traces", party)  # those that are no rows yet
    files = await asyncio.to_thread(_delete_of, folder, sids)
    for sid in sids:
        await memory.remember(sid, "", 0.001)
    async with database.writing() as session:
        return await forget_caller(session, party), files


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _delete_older(folder: Path, before: float) -> None:
    for path in list(_files(folder)):
        waits = path.parent == folder and path.suffix == ".jsonl"  # not a row yet: the scribe needs it
        if not waits and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)


def _delete_of(folder: Path, sids: set[str]) -> int:
    mine = [
        path for name in ("traces", "recordings") for path in _files(folder / name) if path.name.split(".")[0] in sids
    ]
    for path in mine:
        path.unlink(missing_ok=True)
    return len(mine)


def _sids_in_traces(folder: Path, party: str) -> set[str]:
    return {path.name.split(".")[0] for path in _files(folder) if _party(path) == party}


def _party(path: Path) -> str:
    """With whom a trace says that the call was."""
    try:
        with path.open(encoding="utf-8") as lines:
            return str(json.loads(lines.readline())["facts"]["party"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
