"""A call's cost is the sum of its rows: exact, in any order, told twice, and for ever at the price of its day."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money.cost import COMPONENTS, Account, account, price_unknown, shown
from app.money.rates import Rate, RateBook
from app.money.usage import PROMPT_UNITS, Line

DAY = date(2026, 11, 20)


def rate(product: str, unit: str, price: str, per: int = 1_000_000, *, since: date = DAY, tier: int = 0) -> Rate:
    return Rate("v", product, unit, Decimal(price), per, since, "list", DAY, tier)


def line(key: str, product: str, unit: str, quantity: str, question: int | None = None, wasted: str = "") -> Line:
    return Line(key, "v", product, unit, Decimal(quantity), question, wasted=wasted)


HAIKU = [
    *(rate("haiku", unit, price) for unit, price in (("input_token", "0.10"), ("cache_read_token", "0.01"))),
    rate("haiku", "output_token", "0.50"),
    rate("haiku", "input_token", "0.50", tier=100_000),
    rate("haiku", "cache_read_token", "0.05", tier=100_000),
    rate("haiku", "output_token", "2.50", tier=100_000),
]
BOOK = RateBook([*HAIKU, rate("flux", "second", "0.0065", 60)])


def costs(found: Account) -> dict[str, str]:
    return {row.line.key: shown(row.cost) if row.cost is not None else "unknown" for row in found.rows}


def test_a_row_costs_its_units_times_its_rate() -> None:
    found = account([line("1", "flux", "second", "60"), line("2", "haiku", "input_token", "3000", 1)], BOOK, DAY)
    assert costs(found) == {"1": "0.006500", "2": "0.000300"}
    assert found.total == Decimal("0.0068")


def test_many_small_rows_lose_nothing_to_rounding() -> None:
    found = account([line(f"{n}", "haiku", "input_token", "24", n) for n in range(1000)], BOOK, DAY)
    assert found.total == Decimal("0.0024")


def test_a_price_that_does_not_divide_is_rounded_once_half_to_even() -> None:
    (row,) = account([line("1", "flux", "second", "1")], BOOK, DAY).rows
    assert row.cost == Decimal("0.000108333333")
    halves = RateBook([rate("p", "u", "0.000000000001", 2)])
    rounded = account([line("1", "p", "u", "1"), line("2", "p", "u", "3")], halves, DAY)
    assert [row.cost for row in rounded.rows] == [Decimal(0), Decimal("0.000000000002")]


def test_a_request_past_the_tier_is_charged_by_it_as_a_whole() -> None:
    small = [line("1", "haiku", "input_token", "40000", 1), line("2", "haiku", "cache_read_token", "60000", 1)]
    large = [line("3", "haiku", "input_token", "40001", 2), line("4", "haiku", "cache_read_token", "60000", 2)]
    answers = [line("5", "haiku", "output_token", "1000", 1), line("6", "haiku", "output_token", "1000", 2)]
    assert costs(account([*small, *large, *answers], BOOK, DAY)) == {
        "1": "0.004000",
        "2": "0.000600",
        "3": "0.020000",  # 0.0200005
        "4": "0.003000",
        "5": "0.000500",
        "6": "0.002500",
    }


def test_two_requests_of_one_call_do_not_reach_a_tier_together() -> None:
    found = account([line(str(n), "haiku", "input_token", "60000", n) for n in range(2)], BOOK, DAY)
    assert found.total == Decimal("0.012")


def test_what_has_no_rate_costs_none_and_is_named() -> None:
    found = account([line("1", "flux", "second", "60"), line("2", "ghost", "character", "5")], BOOK, DAY)
    assert costs(found) == {"1": "0.006500", "2": "unknown"}
    assert (found.total, found.known, found.status) == (None, Decimal("0.0065"), "unknown")
    assert found.unknown == (("v", "ghost", "character"),)


def test_what_was_wasted_is_part_of_the_total_and_told_apart() -> None:
    found = account([line("1", "flux", "second", "60"), line("2", "flux", "second", "60", None, "unheard")], BOOK, DAY)
    assert (found.total, found.wasted) == (Decimal("0.013"), Decimal("0.0065"))


def test_two_different_lines_of_one_name_are_a_bug() -> None:
    with pytest.raises(AssertionError, match="two different lines"):
        account([line("1", "flux", "second", "60"), line("1", "flux", "second", "61")], BOOK, DAY)


def test_every_part_of_a_prompt_belongs_to_a_component() -> None:
    assert set(COMPONENTS) >= PROMPT_UNITS


# --- any ledger ---------------------------------------------------------------------------------------------------

products = st.sampled_from(["haiku", "flux", "ghost"])
units = st.sampled_from(["input_token", "output_token", "cache_read_token", "second"])
quantities = st.decimals(0, 200_000, places=6)
whole = st.builds(
    Line,
    key=st.integers(0, 10_000).map(str),
    vendor=st.just("v"),
    product=products,
    unit=units,
    quantity=quantities,
    question=st.none() | st.integers(0, 5),
    wasted=st.sampled_from(["", "cancelled"]),
)
ledgers = st.lists(whole, unique_by=lambda made: made.key, max_size=30)
prices = st.decimals(0, 100, places=12)
days = st.dates(date(2025, 1, 1), date(2028, 1, 1))
books = st.lists(
    st.builds(
        Rate,
        vendor=st.just("v"),
        product=products,
        unit=units,
        price=prices,
        per=st.sampled_from([1, 60, 1000, 1_000_000]),
        effective_from=days,
        source=st.just("list"),
        checked_on=st.just(DAY),
        tier_from=st.sampled_from([0, 100_000]),
    ),
    unique_by=lambda made: made.key,
    max_size=20,
)


@given(ledgers, books, days, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(ledger: list[Line], rates: list[Rate], day: date, chance: object) -> None:
    book, again = RateBook(rates), ledger * 2
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert account(again, book, day) == account(ledger, book, day)


@given(ledgers, books, days)
def test_a_call_costs_the_sum_of_its_rows(ledger: list[Line], rates: list[Rate], day: date) -> None:
    found = account(ledger, RateBook(rates), day)
    each = [row.cost for row in found.rows]
    assert len(each) == len(ledger)
    if None in each:
        assert found.total is None
        assert found.unknown
    else:
        assert found.total == sum(cost for cost in each if cost is not None)
    assert all((row.rate is None) == (row.cost is None) for row in found.rows)


@given(ledgers, books, days, books)
def test_an_old_call_keeps_its_price_when_later_rates_come(
    ledger: list[Line], rates: list[Rate], day: date, more: list[Rate]
) -> None:
    known = {rate.key for rate in rates}
    later = [rate for rate in more if rate.effective_from > day and rate.key not in known]
    assert account(ledger, RateBook([*rates, *later]), day) == account(ledger, RateBook(rates), day)


@given(ledgers, books, days, books)
def test_pricing_the_unknown_touches_nothing_that_has_a_price(
    ledger: list[Line], rates: list[Rate], day: date, more: list[Rate]
) -> None:
    before = account(ledger, RateBook(rates), day)
    known = {rate.key for rate in rates}
    book = RateBook([*rates, *(rate for rate in more if rate.key not in known)])
    after = price_unknown(before, book, day)
    assert price_unknown(after, book, day) == after
    assert len(after.rows) == len(before.rows)
    for old, new in zip(before.rows, after.rows, strict=True):
        assert new.line == old.line
        if old.cost is not None:
            assert new == old
    assert after.known >= before.known
