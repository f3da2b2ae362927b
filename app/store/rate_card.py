"""The rates in the database: imported once, listed, checked; and the seed that a new house begins with."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import SettingsError
from app.money.rate_file import COLUMNS, read_rates
from app.money.rates import Rate, RateBook
from app.store.tables import CallRow, RateRow, UsageRow
from app.store.upsert import insert_into

STALE_DAYS = 90  # four of the seed's prices changed within five months
SEED = "seed_rates.csv"


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rates were new, and how many stood there already."""

    added: int
    unchanged: int


def seed_rates() -> tuple[Rate, ...]:
    """List prices in dollars with their sources, as known when this release was made."""
    return read_rates((files("app.money") / SEED).read_text(encoding="utf-8"), SEED)


async def import_rates(session: AsyncSession, rates: Iterable[Rate]) -> Imported:
    """Add what is new. A rate that stands there with another price is refused: old calls were charged by it."""
    standing = {rate.key: rate for rate in await list_rates(session)}
    new: list[dict[str, Any]] = []
    unchanged = 0
    for rate in rates:
        old = standing.get(rate.key)
        if old is not None and (old.price, old.per) != (rate.price, rate.per):
            raise SettingsError(
                f"{rate.vendor} {rate.product} {rate.unit} from {rate.effective_from} costs {old.price.normalize():f} "
                f"per {old.per} already and cannot change; give the new price a later effective_from"
            )
        if old is not None:
            unchanged += 1
            continue
        new.append(_columns(rate))
        standing[rate.key] = rate
    if new:  # another process may be adding the same: both start with the same seed
        await session.execute(insert_into(session, RateRow).on_conflict_do_nothing(), new)
    return Imported(len(new), unchanged)


async def list_rates(session: AsyncSession) -> list[Rate]:
    """Every rate, by vendor, product and unit, the oldest first."""
    order = (RateRow.vendor, RateRow.product, RateRow.unit, RateRow.tier_from, RateRow.effective_from)
    return [_rate(row) for row in await session.scalars(select(RateRow).order_by(*order))]


async def load_book(session: AsyncSession) -> RateBook:
    """The rates as accounts are made with; each knows its row."""
    return RateBook(await list_rates(session))


async def check_rates(session: AsyncSession, today: date) -> list[str]:
    """A sentence for each thing that is wrong with the rates: what was used has none, or nobody has looked for long."""
    item = (UsageRow.vendor, UsageRow.product, UsageRow.unit)
    unpriced = (
        select(*item, func.count(UsageRow.call_id.distinct()))
        .join(CallRow, CallRow.id == UsageRow.call_id)
        .where(CallRow.cost_status == "unknown", UsageRow.cost_usd.is_(None))
        .group_by(*item)
        .order_by(*item)
    )
    told = [
        f"{vendor} {product} {unit} has no rate, and {calls} calls used it: import one with `patchcord rates import`"
        for vendor, product, unit, calls in await session.execute(unpriced)
    ]
    limit = today - timedelta(days=STALE_DAYS)
    newest = {(*rate.item, rate.tier_from): rate for rate in await list_rates(session)}
    return told + [
        f"{rate.vendor} {rate.product} {rate.unit} was last checked on {rate.checked_on}; look at {rate.source} again"
        for rate in newest.values()
        if rate.checked_on < limit
    ]


def _columns(rate: Rate) -> dict[str, Any]:
    return {name: getattr(rate, name) for name in COLUMNS}


def _rate(row: RateRow) -> Rate:
    return Rate(**{name: getattr(row, name) for name in COLUMNS}, id=row.id)
