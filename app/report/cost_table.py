"""What calls cost, as a table: together, per call, per minute, and how much of it was wasted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.money.cost import COMPONENTS
from app.report.sheets import NO_NAME, Cell, Sheet

BY = ("day", "component", "agent", "campaign", "number")
CENT = Decimal("0.000001")
SECONDS = 60

NOTES = (
    "cost_usd: the sum of the usage rows that have a price; per call and per minute are of that sum.",
    "wasted_usd, part of it: cancelled or unheard work, speech rendered ahead, the unused rest of started minutes.",
    "unpriced: usage rows without a known price; while there are any, the true cost is higher.",
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What one label stands for: calls, their seconds, and their rows' sums."""

    label: str
    calls: int = 0
    seconds: float = 0.0
    cost: Decimal = Decimal(0)
    wasted: Decimal = Decimal(0)
    unpriced: int = 0


def by_component(units: Iterable[tuple[str, Spent]], calls: int, seconds: float) -> list[Spent]:
    """Rows of units gathered into components, the costliest first; each is measured against all calls."""
    sums: dict[str, Spent] = {}
    for unit, spent in units:
        name = COMPONENTS.get(unit, unit)
        old = sums.get(name, Spent(name))
        sums[name] = Spent(
            name, calls, seconds, old.cost + spent.cost, old.wasted + spent.wasted, old.unpriced + spent.unpriced
        )
    return sorted(sums.values(), key=lambda spent: (-spent.cost, spent.label))


def together(rows: Iterable[Spent]) -> Spent:
    """All of them as one, when no call stands in two of them."""
    total = Spent("total")
    for row in rows:
        total = Spent(
            "total",
            total.calls + row.calls,
            total.seconds + row.seconds,
            total.cost + row.cost,
            total.wasted + row.wasted,
            total.unpriced + row.unpriced,
        )
    return total


def cost_sheet(by: str, period: str, spent: Sequence[Spent], total: Spent) -> Sheet:
    """The table; its last row is the total, which is not the sum of the others where those overlap."""
    columns = (by, "calls", "minutes", "cost_usd", "usd_per_call", "usd_per_minute", "wasted_usd", "unpriced")
    rows = tuple(_row(each) for each in (*spent, total))
    return Sheet(f"Cost by {by}, {period} (UTC)", columns, rows, NOTES)


def _row(spent: Spent) -> tuple[Cell, ...]:
    minutes = spent.seconds / SECONDS
    return (
        spent.label or NO_NAME,
        spent.calls,
        minutes,
        spent.cost,
        (spent.cost / spent.calls).quantize(CENT) if spent.calls else None,
        (spent.cost / Decimal(repr(minutes))).quantize(CENT) if minutes else None,
        spent.wasted,
        spent.unpriced,
    )
