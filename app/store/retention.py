"""What is forgotten: by its age, class by class, and all that belongs to one caller. Figures without people stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.tables import CallRow, NoteRow, TurnRow

AT_ONCE = 500  # calls in one transaction, so that nobody waits for a day's forgetting


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days each class is kept; 0 means for ever."""

    transcripts: int = 90
    traces: int = 30
    recordings: int = 30
    calls: int = 730


async def forget_transcripts(session: AsyncSession, before: datetime) -> int:
    """The words of old calls; their times stay, which name nobody. How many calls had words left."""
    spoken = or_(TurnRow.heard != "", TurnRow.written != "")
    asked = select(CallRow.id).where(CallRow.started_at < before, CallRow.turns > 0)
    asked = asked.where(select(TurnRow.id).where(TurnRow.call_id == CallRow.id, spoken).exists())
    calls = list(await session.scalars(asked.order_by(CallRow.started_at).limit(AT_ONCE)))
    if calls:
        await session.execute(update(TurnRow).where(TurnRow.call_id.in_(calls)).values(heard="", written=""))
    return len(calls)


async def forget_calls(session: AsyncSession, before: datetime) -> int:
    """Old calls with everything that belongs to them, but for the wish never to be called again."""
    asked = select(CallRow.sid).where(CallRow.started_at < before).order_by(CallRow.started_at).limit(AT_ONCE)
    return await _delete(session, list(await session.scalars(asked)))


async def calls_of(session: AsyncSession, party: str) -> list[str]:
    """The sids of all calls from or to this telephone number."""
    return list(await session.scalars(select(CallRow.sid).where(_is_party(party))))


async def forget_caller(session: AsyncSession, party: str) -> int:
    """Every call with this person and every note, but for the wish never to be called again. How many calls."""
    gone = await _delete(session, await calls_of(session, party))
    await session.execute(delete(NoteRow).where(NoteRow.party == party, NoteRow.kind != "opt_out"))
    return gone


def cutoff(now: datetime, days: int) -> datetime | None:
    """Before which moment things are forgotten; None: they are kept."""
    return now - timedelta(days=days) if days else None


def _is_party(party: str) -> ColumnElement[bool]:
    inbound = (CallRow.direction == "inbound") & (CallRow.from_number == party)
    return inbound | ((CallRow.direction == "outbound") & (CallRow.to_number == party))


async def _delete(session: AsyncSession, sids: Sequence[str]) -> int:
    for start in range(0, len(sids), AT_ONCE):
        some = sids[start : start + AT_ONCE]
        await session.execute(delete(NoteRow).where(NoteRow.call_sid.in_(some), NoteRow.kind != "opt_out"))
        await session.execute(delete(CallRow).where(CallRow.sid.in_(some)))
    return len(sids)
