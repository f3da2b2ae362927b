"""A table of figures, for people (text), for spreadsheets (CSV) and for programs (JSON): the same figures in each.

Exact money stays exact: in JSON it is text, because JSON's numbers are not decimal.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO

from app.money.cost import shown

Cell = str | int | float | Decimal | None

FORMATS = ("table", "csv", "json")
NO_NAME = "(none)"  # the label of what has none
NOTHING = "—"  # a cell without a figure, which is not a zero


@dataclass(frozen=True, slots=True)
class Sheet:
    """Columns, rows, and notes that belong under them: definitions, what is missing."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def write(sheet: Sheet, form: str) -> str:
    """The sheet as `table`, `csv` or `json`."""
    return {"table": as_table, "csv": as_csv, "json": as_json}[form](sheet)


def as_table(sheet: Sheet) -> str:
    cells = [list(sheet.columns), *([_text(cell) for cell in row] for row in sheet.rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(sheet.columns))]
    figures = [_all_figures(sheet.rows, place) for place in range(len(sheet.columns))]
    lines = [_line(row, widths, figures) for row in cells]
    ruler = "  ".join("-" * width for width in widths)
    body = [sheet.title, "", lines[0], ruler, *lines[1:]]
    return "\n".join([*body, *(["", *sheet.notes] if sheet.notes else [])]) + "\n"


def as_csv(sheet: Sheet) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(sheet.columns)
    for row in sheet.rows:
        writer.writerow(["" if cell is None else _harmless(_text(cell)) for cell in row])
    return out.getvalue()


def as_json(sheet: Sheet) -> str:
    rows = [dict(zip(sheet.columns, map(_plain, row), strict=True)) for row in sheet.rows]
    return json.dumps({"title": sheet.title, "rows": rows, "notes": list(sheet.notes)}, ensure_ascii=False, indent=2)


def _text(cell: Cell) -> str:
    if cell is None:
        return NOTHING
    if isinstance(cell, Decimal):
        return shown(cell)
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _plain(cell: Cell) -> str | int | float | None:
    if isinstance(cell, Decimal):
        return shown(cell)
    return round(cell, 6) if isinstance(cell, float) else cell


def _harmless(text: str) -> str:
    """A spreadsheet would run what begins with one of these; a telephone number and a figure are no formulas."""
    figure = text.lstrip("+-").replace(".", "", 1).isdigit()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not figure else text


def _all_figures(rows: Sequence[tuple[Cell, ...]], place: int) -> bool:
    return all(not isinstance(row[place], str) for row in rows)


def _line(row: list[str], widths: list[int], figures: list[bool]) -> str:
    padded = (
        cell.rjust(width) if figure else cell.ljust(width)
        for cell, width, figure in zip(row, widths, figures, strict=True)
    )
    return "  ".join(padded).rstrip()
