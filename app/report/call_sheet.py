"""One call on one page of text: what was said, how long each turn took and why, what vendors will bill.

Turns an account into lines; knows nothing of files, terminals or colours.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from app.call.account import DEFINITIONS, Account, Turn
from app.call.actions import Write
from app.call.events import Metered
from app.money.cost import Account as Cost
from app.money.cost import shown

_USED = ("vendor", "product", "unit", "quantity", "")
_STAGES = ("endpointing", "first token", "first clause", "first voice", "send")


def said(line: Write, began: float) -> str:
    """One line of the transcript. What was written and not heard stands in brackets."""
    cut = ""
    if line.interrupted:
        unheard = " ".join(line.text.split()[len(line.heard.split()) :])
        cut = f" [not heard: {unheard}]"
    return f"{line.started - began:7.2f}  {line.who:<7} {line.heard}{cut}"


def turn(told: Turn) -> str:
    """What the caller waited for, in milliseconds."""
    steps = ", ".join(f"{name} {_ms(seconds)}" for name, seconds in told.stages().items())
    ahead = ", begun ahead" if told.ahead else ""
    return f"         turn {told.number}: gap {_ms(told.gap)} ms ({steps}{ahead})"


def sheet(account: Account, cost: Cost | None = None) -> list[str]:
    """The figures of a whole call, with what they mean; `cost` prices what was used."""
    lines = ["Turns (milliseconds)"]
    rows: list[tuple[str, ...]] = [("turn", "gap", *_STAGES, "")]
    for told in account.turns:
        stages = told.stages()
        figures = (_ms(told.gap), *(_ms(stages[name]) for name in _STAGES))
        rows.append((str(told.number), *figures, "begun ahead" if told.ahead else ""))
    lines += _table(rows) + [f"  {name}: {meaning}" for name, meaning in DEFINITIONS.items() if name == "gap"]
    if account.greeting is not None:
        lines.append(f"  greeting: {_ms(account.greeting)} ms from the stream's start to the first sound sent")
    if account.barge_ins:
        stops = ", ".join(_ms(seconds) for seconds in account.barge_ins)
        lines.append(f"  barge-in: {stops} ms from the caller's onset to the clear")
    lines += ["", "Used"]
    lines += _priced(cost) if cost is not None else _table([_USED, *_usage(account.usage)])
    for trouble in account.troubles:
        lines.append(f"  trouble at the {trouble.who}: {trouble.what}")
    lines += ["", f"Ended: {account.reason or 'still going on'}" + (f" ({account.fault})" if account.fault else "")]
    return lines


def _usage(usage: Iterable[Metered]) -> list[tuple[str, ...]]:
    sums: dict[tuple[str, ...], Decimal] = {}
    for metered in usage:
        key = (metered.vendor, metered.product, metered.unit, _why(metered.wasted))
        sums[key] = sums.get(key, Decimal(0)) + Decimal(metered.quantity)
    return [(*key[:3], f"{amount:f}", key[3]) for key, amount in sorted(sums.items())]


def _priced(cost: Cost) -> list[str]:
    """What was used, and what it costs: exact, and unknown where no price is known."""
    sums: dict[tuple[str, ...], tuple[Decimal, Decimal | None]] = {}
    for row in cost.rows:
        key: tuple[str, ...] = (row.line.vendor, row.line.product, row.line.unit, _why(row.line.wasted))
        amount, dollars = sums.get(key, (Decimal(0), Decimal(0)))
        sums[key] = (
            amount + row.line.quantity,
            None if row.cost is None or dollars is None else dollars + row.cost,
        )
    rows: list[tuple[str, ...]] = [(*_USED[:4], "US dollars", "")]
    for key, (amount, dollars) in sorted(sums.items()):
        rows.append((*key[:3], f"{amount.normalize():f}", "unknown" if dollars is None else shown(dollars), key[3]))
    total = "unknown" if cost.total is None else shown(cost.total)
    return _table([*rows, ("", "", "", "all of it", total, f"of which wasted {shown(cost.wasted)}")])


def _why(wasted: str) -> str:
    return f"wasted: {wasted}" if wasted else ""


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"
