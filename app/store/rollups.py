"""The figures that are kept ready for reports: what a call adds to them, and how they are added to.

They are written in the transaction that writes the call, as the difference to what the call had added before: so a call
that is written twice counts once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession

from app.report.percentiles import bucket
from app.report.stages import stages
from app.store.tables import CallDayRow, CallRow, CostDayRow, LatencyDayRow, Row, TurnRow, UsageRow
from app.store.upsert import insert_into

Key = tuple[Any, ...]

# SQLite takes at most 32,766 values in one statement; the widest of these rows has eleven.
ROWS_AT_ONCE = 1000


@dataclass(slots=True)
class Tally:
    """What is to be added, by key, in the order of the tables' columns."""

    calls: dict[Key, tuple[Any, ...]] = field(default_factory=dict)
    costs: dict[Key, tuple[Any, ...]] = field(default_factory=dict)
    latencies: dict[Key, tuple[Any, ...]] = field(default_factory=dict)

    def minus(self, old: "Tally") -> "Tally":
        """What is still to be added when `old` has been."""
        return Tally(
            _difference(self.calls, old.calls),
            _difference(self.costs, old.costs),
            _difference(self.latencies, old.latencies),
        )


def tally(call: CallRow, turns: Iterable[TurnRow], usage: Sequence[UsageRow]) -> Tally:
    """All that one call adds."""
    day: date = call.started_at.astimezone(UTC).date()
    place = (day, call.agent, call.campaign, call.number)
    unknown = int(any(row.cost_usd is None for row in usage))
    made = Tally(calls={place: (1, unknown, call.duration_seconds or 0.0)})
    for row in usage:
        key = (*place, row.vendor, row.product, row.unit, row.wasted)
        cost = Decimal(0) if row.cost_usd is None else row.cost_usd
        _add(made.costs, key, (row.quantity, cost, int(row.cost_usd is None)))
    counts = Counter(
        (day, call.agent, stage, bucket(seconds)) for turn in turns for stage, seconds in stages(turn).items()
    )
    made.latencies.update({key: (n,) for key, n in counts.items()})
    return made


async def add(session: AsyncSession, more: Tally) -> None:
    """Add to the figures. Always in the same order, so that two calls that end together wait and do not deadlock."""
    await _add_to(session, CallDayRow, more.calls)
    await _add_to(session, CostDayRow, more.costs)
    await _add_to(session, LatencyDayRow, more.latencies)


async def _add_to(session: AsyncSession, table: type[Row], more: dict[Key, tuple[Any, ...]]) -> None:
    columns = list(inspect(table).columns)
    keys = [column for column in columns if column.primary_key]
    sums = [column for column in columns if not column.primary_key]
    rows = [
        dict(zip((column.name for column in columns), (*key, *amounts), strict=True))
        for key, amounts in sorted(more.items(), key=lambda item: item[0])
    ]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        insert = insert_into(session, table).values(rows[start : start + ROWS_AT_ONCE])
        together = {column.name: column + insert.excluded[column.name] for column in sums}
        await session.execute(insert.on_conflict_do_update(index_elements=keys, set_=together))


def _add(sums: dict[Key, tuple[Any, ...]], key: Key, amounts: tuple[Any, ...]) -> None:
    before = sums.get(key, (0,) * len(amounts))
    sums[key] = tuple(old + new for old, new in zip(before, amounts, strict=True))


def _difference(new: dict[Key, tuple[Any, ...]], old: dict[Key, tuple[Any, ...]]) -> dict[Key, tuple[Any, ...]]:
    left = dict(new)
    for key, amounts in old.items():
        _add(left, key, tuple(-amount for amount in amounts))
    return {key: amounts for key, amounts in left.items() if any(amounts)}
