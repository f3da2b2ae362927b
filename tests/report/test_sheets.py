"""The same figures as text, CSV and JSON."""

import csv
import json
from decimal import Decimal
from io import StringIO

import pytest

from app.report.sheets import FORMATS, Sheet, write

SHEET = Sheet(
    "Cost by agent",
    ("agent", "calls", "cost_usd", "minutes"),
    (("reception", 12, Decimal("0.123456789012"), 3.5), ("night", 3, None, 0.25)),
    ("cost_usd: the sum.",),
)


def test_as_text_figures_stand_right_and_words_left() -> None:
    assert write(SHEET, "table") == (
        "Cost by agent\n"
        "\n"
        "agent      calls  cost_usd  minutes\n"
        "---------  -----  --------  -------\n"
        "reception     12  0.123457    3.500\n"
        "night          3         —    0.250\n"
        "\n"
        "cost_usd: the sum.\n"
    )


def test_as_csv_a_figure_that_is_not_there_is_an_empty_cell() -> None:
    assert list(csv.reader(StringIO(write(SHEET, "csv")))) == [
        ["agent", "calls", "cost_usd", "minutes"],
        ["reception", "12", "0.123457", "3.500"],
        ["night", "3", "", "0.250"],
    ]


def test_as_json_money_is_text_and_exact() -> None:
    told = json.loads(write(SHEET, "json"))
    assert told["rows"][0] == {"agent": "reception", "calls": 12, "cost_usd": "0.123457", "minutes": 3.5}
    assert told["rows"][1]["cost_usd"] is None


@pytest.mark.parametrize("name", ["=1+1", "@cmd", "+HYPERLINK()", "-cmd"])
def test_a_spreadsheet_is_given_no_formula(name: str) -> None:
    assert f"'{name}" in write(Sheet("t", ("agent",), ((name,),)), "csv")


def test_a_telephone_number_stays_a_telephone_number() -> None:
    assert write(Sheet("t", ("number",), (("+15005550001",),)), "csv") == "number\n+15005550001\n"


@pytest.mark.parametrize("form", FORMATS)
def test_a_sheet_without_rows_can_be_written(form: str) -> None:
    assert "agent" in write(Sheet("t", ("agent",), ()), form) or form == "json"
