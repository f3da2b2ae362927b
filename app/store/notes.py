"""What an agent writes down for people: messages, callbacks, wishes never to be called again.

A note is written at once, and again from the call's trace when the call is over: the first who writes it has done it.
So a database that is away delays a note and loses none.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.call.masking import masked_data
from app.store.database import Database
from app.store.tables import NoteRow
from app.store.upsert import insert_into

log = logging.getLogger(__name__)

ANSWERS = {
    "take_message": "The message is written down.",
    "schedule_callback": "The callback is written down.",
    "opt_out": "It is written down: this person will not be called again.",
}
"""The kinds of note, and what the mind is told when one is taken."""

_WRITE_SECONDS = 1.5  # while the caller waits; later the trace tells it again


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """One note. `key` is what it says: the same thing said twice in a call is one note."""

    call_sid: str
    key: str
    kind: str
    agent: str
    number: str
    party: str
    fields: dict[str, Any]
    at: datetime


def note(
    kind: str, fields: Mapping[str, Any], at: datetime, *, call_sid: str, agent: str, number: str, party: str
) -> NoteRecord:
    """The note as it is kept: without card numbers, under the name of its contents."""
    kept: dict[str, Any] = masked_data(dict(fields))
    said = json.dumps([kind, kept], sort_keys=True, ensure_ascii=False)
    key = hashlib.sha256(said.encode()).hexdigest()[:32]
    return NoteRecord(call_sid, key, kind, agent, number, party, kept, at)


async def write_notes(session: AsyncSession, notes: Iterable[NoteRecord]) -> None:
    """Those that are there already stay as they are."""
    rows = [asdict(each) for each in notes]
    if rows:
        await session.execute(insert_into(session, NoteRow).on_conflict_do_nothing(), rows)


async def list_notes(session: AsyncSession, kind: str = "", at_most: int = 100) -> list[NoteRow]:
    """The newest first; of one kind, if it is named."""
    asked = select(NoteRow).order_by(NoteRow.at.desc(), NoteRow.id.desc()).limit(at_most)
    return list(await session.scalars(asked.where(NoteRow.kind == kind) if kind else asked))


def notepad(
    database: Database, *, call_sid: str, agent: str, number: str, party: str
) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[str]]]:
    """For one call: what writes each kind of note, and answers the mind."""

    def page(kind: str) -> Callable[[Mapping[str, Any]], Awaitable[str]]:
        async def take(fields: Mapping[str, Any]) -> str:
            taken = note(kind, fields, datetime.now(UTC), call_sid=call_sid, agent=agent, number=number, party=party)
            try:
                async with asyncio.timeout(_WRITE_SECONDS), database.writing() as session:
                    await write_notes(session, [taken])
            except (SQLAlchemyError, OSError) as error:  # TimeoutError is one of these
                log.warning("a note of call %s waits for the database in its trace: %r", call_sid, error)
            return ANSWERS[kind]

        return take

    return {kind: page(kind) for kind in ANSWERS}
