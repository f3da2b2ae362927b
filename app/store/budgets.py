"""Caps as they are kept, and how much of them the figures of the day and of the month have used."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.money.limits import Cap, checked, with_defaults
from app.store.tables import BudgetRow, CallDayRow, CostDayRow
from app.store.upsert import insert_into

Key = tuple[str, str, str, str]
"""Scope, subject, period, measure."""


async def set_budget(session: AsyncSession, cap: Cap) -> None:
    """This cap, in place of the one that stood there."""
    values = {name: getattr(checked(cap), name) for name in ("scope", "subject", "period", "measure", "cap", "action")}
    insert = insert_into(session, BudgetRow).values(**values, created_at=datetime.now(UTC))
    place = [BudgetRow.scope, BudgetRow.subject, BudgetRow.period, BudgetRow.measure]
    again = insert.on_conflict_do_update(index_elements=place, set_={"cap": cap.cap, "action": cap.action})
    await session.execute(again)


async def list_budgets(session: AsyncSession) -> tuple[Cap, ...]:
    """Every cap that holds, the defaults included."""
    rows = await session.scalars(select(BudgetRow).order_by(BudgetRow.scope, BudgetRow.subject, BudgetRow.measure))
    return with_defaults(Cap(r.scope, r.subject, r.period, r.measure, r.cap, r.action) for r in rows)


@dataclass(slots=True)
class Spent:
    """What calls that are over have used."""

    amounts: Mapping[Key, Decimal] = field(default_factory=dict)

    def of(self, scope: str, subject: str, period: str, measure: str) -> Decimal:
        return self.amounts.get((scope, subject, period, measure), Decimal(0))


async def spent(session: AsyncSession, today: date) -> Spent:
    """Of this day and of its month (UTC), from the figures that are kept by the day."""
    amounts: dict[Key, Decimal] = defaultdict(Decimal)
    month = today.replace(day=1)

    def add(row: CallDayRow | CostDayRow, measure: str, amount: Decimal) -> None:
        periods = ("day", "month") if row.day == today else ("month",)
        subjects = (("account", ""), ("agent", row.agent), ("campaign", row.campaign), ("number", row.number))
        for period in periods:
            for scope, subject in subjects:
                amounts[scope, subject, period, measure] += amount

    for calls in await session.scalars(select(CallDayRow).where(CallDayRow.day.between(month, today))):
        add(calls, "calls", Decimal(calls.calls))
        add(calls, "minutes", Decimal(str(calls.seconds)) / 60)
    for costs in await session.scalars(select(CostDayRow).where(CostDayRow.day.between(month, today))):
        add(costs, "usd", costs.cost_usd)
    return Spent(amounts)
