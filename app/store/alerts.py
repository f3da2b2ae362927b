"""What somebody must know: raised once for each occasion, until it is settled."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.tables import AlertRow
from app.store.upsert import insert_into

UNKNOWN_PRICE = "unknown_price"


async def raise_alert(session: AsyncSession, key: str, kind: str, what: str, **details: Any) -> bool:
    """Raise it, unless it stands already; True when it was new. A settled one stands again when it happens again."""
    now = datetime.now(UTC)
    values = {"key": key, "kind": kind, "what": what, "details": details, "raised_at": now}
    statement = insert_into(session, AlertRow)
    again = statement.on_conflict_do_update(
        index_elements=[AlertRow.key],
        set_={"what": what, "details": details, "raised_at": now, "settled_at": None},
        where=AlertRow.settled_at.is_not(None),
    )
    return (await session.execute(again.values(**values).returning(AlertRow.id))).scalar() is not None


async def settle_alert(session: AsyncSession, key: str) -> None:
    """It is no longer so."""
    standing = update(AlertRow).where(AlertRow.key == key, AlertRow.settled_at.is_(None))
    await session.execute(standing.values(settled_at=datetime.now(UTC)))


async def standing_alerts(session: AsyncSession) -> list[AlertRow]:
    """All that nobody has settled, the newest first."""
    order = (
        select(AlertRow).where(AlertRow.settled_at.is_(None)).order_by(AlertRow.raised_at.desc(), AlertRow.id.desc())
    )
    return list(await session.scalars(order))
