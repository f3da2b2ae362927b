"""Lines of usage times rates: the account of a call, exact.

Rounding happens once and here: each row is rounded to twelve decimals of a dollar, half to even. Sums are never
rounded; people are shown six decimals. What has no rate costs None, never nothing, and its name is on the list.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from app.money.rates import Item, Rate, RateBook
from app.money.usage import PROMPT_UNITS, Line

QUANTUM = Decimal("0.000000000001")
PRECISION = 60  # digits: more than any quantity times any price, so that nothing is rounded before the end

COMPONENTS = {
    "inbound_minute": "telephony",
    "outbound_minute": "telephony",
    "stream_minute": "media stream",
    "recording_minute": "recording",
    "amd_call": "machine detection",
    "carrier_difference": "telephony, the carrier's difference",
    "second": "hearing",
    "input_token": "thinking, input",
    "output_token": "thinking, output",
    "cache_write_5m_token": "thinking, cache write",
    "cache_write_1h_token": "thinking, cache write",
    "cache_read_token": "thinking, cache read",
    "character": "speaking",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line with its rate and its cost; both None when no rate is known."""

    line: Line
    rate: Rate | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Account:
    """What one call cost, row by row."""

    rows: tuple[Row, ...]

    @property
    def known(self) -> Decimal:
        """The sum of the rows that have a price."""
        return sum((row.cost for row in self.rows if row.cost is not None), Decimal(0))

    @property
    def total(self) -> Decimal | None:
        """The sum of all rows; None as long as one of them has no price: less than the truth is not the truth."""
        return None if self.unknown else self.known

    @property
    def wasted(self) -> Decimal:
        """Of what is known, the part that nobody gained by."""
        return sum((row.cost for row in self.rows if row.line.wasted and row.cost is not None), Decimal(0))

    @property
    def unknown(self) -> tuple[Item, ...]:
        """What was used and has no price: somebody must be told."""
        return tuple(sorted({row.line.item for row in self.rows if row.cost is None}))

    @property
    def status(self) -> str:
        """unknown, or provisional until the carrier's own figures have come."""
        return "unknown" if self.unknown else "provisional"


def account(lines: Iterable[Line], book: RateBook, day: date) -> Account:
    """The account of a call that began on `day` (UTC). Neither order nor repetition of the lines matters."""
    once: dict[str, Line] = {}
    for line in lines:
        assert once.setdefault(line.key, line) == line, f"two different lines are called {line.key}"
    prompts = _prompts(once.values())
    ordered = sorted(once.values(), key=lambda line: line.key)
    return Account(tuple(_row(line, book.find(line.item, day, prompts[_request(line)])) for line in ordered))


def price_unknown(before: Account, book: RateBook, day: date) -> Account:
    """The same account, its unknown rows priced by rates that came later. A row that has a price keeps it."""
    priced = account((row.line for row in before.rows), book, day)
    return Account(tuple(old if old.cost is not None else new for old, new in _pairs(before.rows, priced.rows)))


def shown(amount: Decimal) -> str:
    """Dollars as people see them: six decimals."""
    return f"{amount:.6f}"


def _pairs(old: Sequence[Row], new: Sequence[Row]) -> Iterable[tuple[Row, Row]]:
    return zip(sorted(old, key=lambda row: row.line.key), new, strict=True)


def _request(line: Line) -> tuple[str, str, int | None]:
    """Which request a line belongs to; a tier is reached by a request, not by a call."""
    return line.vendor, line.product, line.question


def _prompts(lines: Iterable[Line]) -> dict[tuple[str, str, int | None], int]:
    sizes: dict[tuple[str, str, int | None], int] = defaultdict(int)
    for line in lines:
        if line.unit in PROMPT_UNITS:
            sizes[_request(line)] += int(line.quantity)
    return sizes


def _row(line: Line, rate: Rate | None) -> Row:
    if rate is None:
        return Row(line, None, None)
    with localcontext() as context:
        context.prec = PRECISION
        return Row(line, rate, (line.quantity * rate.price / rate.per).quantize(QUANTUM, ROUND_HALF_EVEN))
