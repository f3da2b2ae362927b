"""Rates as a CSV file that a spreadsheet can open: text into rates, or into every fault with its line; and back."""

import csv
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import Any

from app.errors import SettingsError
from app.money.rates import Rate

COLUMNS = ("vendor", "product", "unit", "price", "per", "tier_from", "effective_from", "source", "checked_on")
DECIMALS = 12  # as many as a cost has


class RateFaults(SettingsError):
    """The file is wrong. `sentences` has one for each fault, with its line; so has the text."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def read_rates(text: str, file: str) -> tuple[Rate, ...]:
    """Every rate of the file; `file` is its name in the sentences of `RateFaults`."""
    reader = csv.DictReader(StringIO(text), strict=True)
    rates: dict[object, Rate] = {}
    faults: list[str] = []
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise RateFaults((f"{file}, line 1: there is no column {', '.join(missing)}; see `patchcord rates list`",))
        for cells in reader:
            place = f"{file}, line {reader.line_num}"
            rate, complaints = _rate(cells)
            faults += [f"{place}: {complaint}" for complaint in complaints]
            if rate is not None and rate.key in rates:
                faults.append(f"{place}: {rate.product} {rate.unit} from {rate.effective_from} stands here twice")
            if rate is not None:
                rates[rate.key] = rate
    except csv.Error as error:
        faults.append(f"{file}, line {reader.line_num + 1}: this is not CSV: {error}")
    if faults:
        raise RateFaults(tuple(faults))
    return tuple(rates.values())


def write_rates(rates: Iterable[Rate]) -> str:
    """The file that `read_rates` reads."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rate in rates:
        cells = {name: getattr(rate, name) for name in COLUMNS}
        writer.writerow([*{**cells, "price": f"{rate.price.normalize():f}"}.values()])
    return out.getvalue()


def _price(text: str) -> Decimal:
    price = Decimal(text)
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -DECIMALS or price < 0:
        raise ValueError
    return price


def _count(text: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ValueError
    return int(text)


def _word(text: str) -> str:
    if not text:
        raise ValueError
    return text


READ: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "vendor": (_word, "a vendor such as anthropic"),
    "product": (_word, "a product such as claude-haiku-5-5"),
    "unit": (_word, "a unit such as input_token"),
    "price": (_price, f"dollars with at most {DECIMALS} decimals, such as 0.0065"),
    "per": (lambda text: _count(text, 1), "the number of units that the price is for, such as 60"),
    "tier_from": (lambda text: _count(text or "0", 0), "the prompt tokens above which this holds, or 0"),
    "effective_from": (date.fromisoformat, "a day such as 2026-10-07"),
    "source": (_word, "where the price was read"),
    "checked_on": (date.fromisoformat, "a day such as 2026-11-20"),
}


def _rate(cells: Mapping[str, str | None]) -> tuple[Rate | None, list[str]]:
    values, complaints = {}, []
    for name, (read, wanted) in READ.items():
        text = (cells[name] or "").strip()
        try:
            values[name] = read(text)
        except (ValueError, InvalidOperation):
            complaints.append(f"{name} is {text!r}; write {wanted}")
    return (None if complaints else Rate(**values)), complaints
