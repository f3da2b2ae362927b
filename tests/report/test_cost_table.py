"""Spent money as a table."""

from decimal import Decimal

from app.report.cost_table import Spent, by_component, cost_sheet, together

NIGHT = Spent("night", 4, 120.0, Decimal("0.1"), Decimal("0.02"))
DAY = Spent("reception", 2, 60.0, Decimal("0.3"), Decimal(0), 1)


def test_each_row_is_measured_by_call_and_by_minute() -> None:
    sheet = cost_sheet("agent", "2026-11-20", [NIGHT, DAY], together([NIGHT, DAY]))
    assert sheet.rows == (
        ("night", 4, 2.0, Decimal("0.1"), Decimal("0.025"), Decimal("0.05"), Decimal("0.02"), 0),
        ("reception", 2, 1.0, Decimal("0.3"), Decimal("0.15"), Decimal("0.3"), Decimal(0), 1),
        ("total", 6, 3.0, Decimal("0.4"), Decimal("0.066667"), Decimal("0.133333"), Decimal("0.02"), 1),
    )


def test_without_calls_there_is_no_cost_per_call() -> None:
    (row,) = cost_sheet("day", "2026-11-20", [], together([])).rows
    assert row == ("total", 0, 0.0, Decimal(0), None, None, Decimal(0), 0)


def test_what_has_no_name_is_called_so() -> None:
    sheet = cost_sheet("campaign", "2026-11-20", [Spent("", 1, 1.0)], Spent("total"))
    assert sheet.rows[0][0] == "(none)"


def test_units_are_gathered_into_components_the_costliest_first() -> None:
    units = [
        ("inbound_minute", Spent("", cost=Decimal("0.1"))),
        ("outbound_minute", Spent("", cost=Decimal("0.2"), wasted=Decimal("0.1"))),
        ("character", Spent("", cost=Decimal("0.5"), unpriced=2)),
        ("fax_page", Spent("", cost=Decimal("0.01"))),
    ]
    assert by_component(units, 3, 60.0) == [
        Spent("speaking", 3, 60.0, Decimal("0.5"), Decimal(0), 2),
        Spent("telephony", 3, 60.0, Decimal("0.3"), Decimal("0.1")),
        Spent("fax_page", 3, 60.0, Decimal("0.01")),
    ]
