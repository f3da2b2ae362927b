"""Leases: of all processes on one database, one at a time does a job."""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.tables import LeaseRow
from app.store.upsert import insert_into


async def take_lease(session: AsyncSession, name: str, holder: str, seconds: float, now: datetime) -> bool:
    """Whether the job is ours for so long. Who holds it may take it again; one that has run out is anybody's."""
    until = now + timedelta(seconds=seconds)
    free = or_(LeaseRow.until <= now, LeaseRow.holder == holder)
    insert = insert_into(session, LeaseRow).values(name=name, holder=holder, until=until)
    taking = insert.on_conflict_do_update(
        index_elements=[LeaseRow.name], set_={"holder": holder, "until": until}, where=free
    )
    return (await session.execute(taking.returning(LeaseRow.name))).scalar() is not None


async def release_lease(session: AsyncSession, name: str, holder: str) -> None:
    await session.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder))
