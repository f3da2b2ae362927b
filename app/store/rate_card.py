"""The rates in the database: imported once, listed, checked; and the seed that a new house begins with."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import SettingsError
from app.money.rate_file import read_rates
from app.money.rates import Rate, RateBook
from app.store.tables import CallRow, RateRow, UsageRow

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
    added = unchanged = 0
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
        session.add(_row(rate))
        standing[rate.key] = rate
        added += 1
    await session.flush()
    return Imported(added, unchanged)


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


def _row(rate: Rate) -> RateRow:
    return RateRow(
        vendor=rate.vendor,
        product=rate.product,
        unit=rate.unit,
        price=rate.price,
        per=rate.per,
        tier_from=rate.tier_from,
        effective_from=rate.effective_from,
        source=rate.source,
        checked_on=rate.checked_on,
    )


def _rate(row: RateRow) -> Rate:
    return Rate(
        vendor=row.vendor,
        product=row.product,
        unit=row.unit,
        price=row.price,
        per=row.per,
        effective_from=row.effective_from,
        source=row.source,
        checked_on=row.checked_on,
        tier_from=row.tier_from,
        id=row.id,
    )
