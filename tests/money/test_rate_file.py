"""Rates as CSV: read, written, and refused with the line and the remedy."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money.rate_file import RateFaults, read_rates, write_rates
from app.money.rates import Rate

HEAD = "vendor,product,unit,price,per,tier_from,effective_from,source,checked_on\n"
GOOD = "deepgram,nova-3,second,0.0048,60,0,2026-01-01,price list,2026-09-14\n"
RATE = Rate("deepgram", "nova-3", "second", Decimal("0.0048"), 60, date(2026, 1, 1), "price list", date(2026, 9, 14))


def told(text: str) -> list[str]:
    with pytest.raises(RateFaults) as caught:
        read_rates(text, "rates.csv")
    return list(caught.value.sentences)


def test_a_file_is_read_and_written_again_the_same() -> None:
    assert read_rates(HEAD + GOOD, "rates.csv") == (RATE,)
    assert write_rates([RATE]) == HEAD + GOOD


def test_the_tier_may_be_left_empty_and_the_columns_stand_in_any_order() -> None:
    columns = HEAD.strip().split(",")[::-1]
    cells = GOOD.strip().replace(",0,2026", ",,2026").split(",")[::-1]
    assert read_rates(",".join(columns) + "\n" + ",".join(cells) + "\n", "r") == (RATE,)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("0.0048", "cheap", "line 2: price is 'cheap'; write dollars with at most 12 decimals, such as 0.0065"),
        ("0.0048", "-1", "line 2: price is '-1'"),
        ("0.0048", "NaN", "line 2: price is 'NaN'"),
        ("0.0048", "0.0000000000001", "line 2: price is '0.0000000000001'"),
        (",60,", ",0,", "line 2: per is '0'; write the number of units that the price is for"),
        (",60,", ",1e3,", "line 2: per is '1e3'"),
        ("2026-01-01", "1 January", "line 2: effective_from is '1 January'; write a day such as 2026-10-07"),
        ("price list", "", "line 2: source is ''; write where the price was read"),
        (GOOD, GOOD + GOOD, "line 3: nova-3 second from 2026-01-01 stands here twice"),
        ("vendor,", "seller,", "line 1: there is no column vendor"),
        (GOOD, '"deepgram', "line 2: this is not CSV"),
    ],
)
def test_a_fault_has_its_line_and_says_how_to_mend_it(old: str, new: str, sentence: str) -> None:
    found = told((HEAD + GOOD).replace(old, new))
    assert any(line.startswith(f"rates.csv, {sentence}") for line in found), found


def test_every_fault_is_told() -> None:
    assert len(told(HEAD + GOOD.replace("60", "x").replace("0.0048", "y"))) == 2


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).map(str.strip).filter(str.strip)


@given(words, st.decimals(0, 1000, places=12), st.integers(1, 10**6), st.dates())
def test_any_rate_comes_back_as_it_was_written(name: str, price: Decimal, per: int, day: date) -> None:
    rate = Rate("v", name, "u", price, per, day, name, day)
    assert read_rates(write_rates([rate]), "r") == (rate,)
