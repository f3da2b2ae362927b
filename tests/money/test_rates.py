"""Which rate holds: by day, by the size of the request, by the name of the product."""

from datetime import date
from decimal import Decimal

import pytest

from app.money.rates import Rate, RateBook

OLD, NEW = date(2026, 1, 1), date(2026, 10, 7)


def rate(price: str, *, product: str = "claude-haiku-5-5", since: date = OLD, tier: int = 0) -> Rate:
    return Rate("anthropic", product, "input_token", Decimal(price), 1_000_000, since, "list", NEW, tier)


def price(book: RateBook, product: str, day: date, prompt: int = 0) -> str | None:
    found = book.find(("anthropic", product, "input_token"), day, prompt)
    return None if found is None else str(found.price)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 12, 31), None),
        (OLD, "2"),
        (date(2026, 10, 6), "2"),
        (NEW, "1"),
        (date(2030, 1, 1), "1"),
    ],
)
def test_a_rate_holds_from_its_day_until_the_next(day: date, expected: str | None) -> None:
    assert price(RateBook([rate("1", since=NEW), rate("2")]), "claude-haiku-5-5", day) == expected


@pytest.mark.parametrize(("prompt", "expected"), [(0, "0.10"), (100_000, "0.10"), (100_001, "0.50"), (900_000, "0.50")])
def test_a_larger_request_has_the_rate_of_its_tier(prompt: int, expected: str) -> None:
    book = RateBook([rate("0.10"), rate("0.50", tier=100_000)])
    assert price(book, "claude-haiku-5-5", NEW, prompt) == expected


def test_a_tier_goes_on_when_only_the_first_price_changes() -> None:
    book = RateBook([rate("0.10"), rate("0.50", tier=100_000), rate("0.08", since=NEW)])
    assert price(book, "claude-haiku-5-5", NEW, 5) == "0.08"
    assert price(book, "claude-haiku-5-5", NEW, 200_000) == "0.50"


def test_an_exact_release_costs_what_its_model_costs() -> None:
    book = RateBook([rate("1", product="claude-haiku-4-5")])
    assert price(book, "claude-haiku-4-5-20251001", NEW) == "1"
    assert price(book, "claude-haiku-4-5-2025", NEW) is None


def test_a_star_serves_what_has_no_rate_of_its_own_and_the_longest_wins() -> None:
    book = RateBook([rate("3", product="aura-*"), rate("2", product="aura-2-*"), rate("1", product="aura-2-luna-en")])
    assert [price(book, name, NEW) for name in ("aura-luna-en", "aura-2-thalia-en", "aura-2-luna-en", "eleven")] == [
        "3",
        "2",
        "1",
        None,
    ]


def test_another_unit_or_vendor_has_no_rate() -> None:
    book = RateBook([rate("1")])
    assert book.find(("anthropic", "claude-haiku-5-5", "output_token"), NEW) is None
    assert book.find(("bedrock", "claude-haiku-5-5", "input_token"), NEW) is None
