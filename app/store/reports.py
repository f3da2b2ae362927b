"""The reports' questions to the database. They read the figures kept by the day, so a million calls answer at once.

`calls_by_day`, `cost_by_day` and `latency_by_day` are read by their primary keys, which begin with the day; single
turns are read by `ix_calls_started_at_id`, and only when there are few.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.errors import SettingsError
from app.report import cost_table, latency_table
from app.report.cost_table import Spent
from app.report.latency_table import Found
from app.report.percentiles import percentiles, percentiles_of_histogram
from app.report.sheets import Sheet
from app.report.stages import GAP, MOMENTS, stages
from app.store.tables import CallDayRow, CallRow, CostDayRow, LatencyDayRow, TurnRow

# So many turns are read one by one for exact percentiles, in a tenth of a second; of more, the kept histogram answers.
EXACT_TURNS = 20_000

Within = Sequence[ColumnElement[bool]]

TURN_COLUMNS = tuple(getattr(TurnRow, name) for name in MOMENTS)


async def cost_report(session: AsyncSession, first: date, last: date, by: str) -> Sheet:
    """What the calls of these days cost, both days included; `by` is one of `cost_table.BY`."""
    _known(by, cost_table.BY)
    rows = await _spent(session, first, last, "day" if by == "component" else by)
    total = cost_table.together(rows)
    if by == "component":
        units = await _sums(session, first, last, CostDayRow.unit)
        rows = cost_table.by_component(units.items(), total.calls, total.seconds)
    return cost_table.cost_sheet(by, _period(first, last), rows, total)


async def latency_report(session: AsyncSession, first: date, last: date, by: str, agent: str | None = None) -> Sheet:
    """How long people waited on these days, both included; `by` is one of `latency_table.BY`."""
    _known(by, latency_table.BY)
    within: Within = [LatencyDayRow.day.between(first, last)]
    if agent is not None:
        within = [*within, LatencyDayRow.agent == agent]
    turns = await session.scalar(select(func.sum(LatencyDayRow.n)).where(*within, LatencyDayRow.stage == GAP))
    exact = (turns or 0) <= EXACT_TURNS
    found = await (_exact(session, first, last, by, agent) if exact else _kept(session, within, by))
    return latency_table.latency_sheet(by, _period(first, last), found, exact=exact)


def _known(by: str, known: tuple[str, ...]) -> None:
    if by not in known:
        raise SettingsError(f"there is no report by {by!r}; choose one of {', '.join(known)}")


def _period(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


# --- cost ---------------------------------------------------------------------------------------------------------


async def _spent(session: AsyncSession, first: date, last: date, by: str) -> list[Spent]:
    """A row for each value of the column `by`, in its order."""
    costs = await _sums(session, first, last, getattr(CostDayRow, by))
    label = getattr(CallDayRow, by)
    calls = select(label, func.sum(CallDayRow.calls), func.sum(CallDayRow.seconds)).group_by(label)
    found = await session.execute(calls.where(CallDayRow.day.between(first, last)))
    rows = []
    for name, count, seconds in found:
        sums = costs.get(str(name), Spent(""))
        rows.append(Spent(str(name), int(count), seconds, sums.cost, sums.wasted, sums.unpriced))
    return sorted(rows, key=lambda spent: spent.label)


async def _sums(session: AsyncSession, first: date, last: date, label: InstrumentedAttribute[Any]) -> dict[str, Spent]:
    nothing = literal(Decimal(0), CostDayRow.cost_usd.type)
    wasted = func.sum(case((CostDayRow.wasted != "", CostDayRow.cost_usd), else_=nothing))
    sums = select(label, func.sum(CostDayRow.cost_usd), wasted, func.sum(CostDayRow.unknown)).group_by(label)
    found = await session.execute(sums.where(CostDayRow.day.between(first, last)))
    return {str(name): Spent(str(name), 0, 0.0, cost, lost, int(unknown)) for name, cost, lost, unknown in found}


# --- latency ------------------------------------------------------------------------------------------------------


async def _kept(session: AsyncSession, within: Within, by: str) -> Found:
    """From the histograms that are kept by the day."""
    label = {"agent": LatencyDayRow.agent, "day": LatencyDayRow.day}.get(by, LatencyDayRow.stage)
    keys = (label, LatencyDayRow.stage, LatencyDayRow.bucket)
    found = await session.execute(select(*keys, func.sum(LatencyDayRow.n)).where(*within).group_by(*keys))
    counts: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for name, stage, bucket, n in found:
        counts["" if by == "stage" else str(name), stage][bucket] = int(n)
    return {key: percentiles_of_histogram(histogram) for key, histogram in counts.items()}


async def _exact(session: AsyncSession, first: date, last: date, by: str, agent: str | None) -> Found:
    """From the turns themselves."""
    begin, end = (datetime.combine(day, time.min, UTC) for day in (first, last + timedelta(days=1)))
    turns = select(*TURN_COLUMNS, CallRow.agent, CallRow.started_at).join(CallRow, CallRow.id == TurnRow.call_id)
    turns = turns.where(CallRow.started_at >= begin, CallRow.started_at < end, CallRow.ended_at.is_not(None))
    if agent is not None:
        turns = turns.where(CallRow.agent == agent)
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for turn in await session.execute(turns):
        label = {"agent": turn.agent, "day": str(turn.started_at.date())}.get(by, "")
        for stage, seconds in stages(turn).items():
            values[label, stage].append(seconds)
    return {key: percentiles(each) for key, each in values.items()}
