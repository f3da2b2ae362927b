"""Rates in the database: imported once, never changed under an old call."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.errors import SettingsError
from app.money.rates import Rate, RateBook
from app.store.database import Database
from app.store.rate_card import Imported, check_rates, import_rates, list_rates, load_book, seed_rates

TODAY = date(2026, 11, 20)
RATE = Rate("deepgram", "nova-3", "second", Decimal("0.0048"), 60, date(2026, 1, 1), "price list", date(2026, 9, 14))


async def imported(database: Database, *rates: Rate) -> Imported:
    async with database.writing() as session:
        return await import_rates(session, rates)


async def test_a_second_import_changes_nothing(database: Database) -> None:
    seed = seed_rates()
    assert await imported(database, *seed) == Imported(len(seed), 0)
    assert await imported(database, *seed) == Imported(0, len(seed))
    async with database.reading() as session:
        assert {rate.key: rate for rate in await list_rates(session)} == {rate.key: rate for rate in seed}


async def test_a_rate_cannot_be_changed_and_can_be_followed(database: Database) -> None:
    await imported(database, RATE)
    with pytest.raises(
        SettingsError, match=r"costs 0\.0048 per 60 already and cannot change; give the new price a later"
    ):
        await imported(database, replace(RATE, price=Decimal("0.0042")))
    await imported(database, replace(RATE, price=Decimal("0.0042"), effective_from=date(2026, 12, 1)))
    async with database.reading() as session:
        book = await load_book(session)
    before, after = (book.find(RATE.item, day) for day in (date(2026, 11, 30), date(2026, 12, 1)))
    assert before is not None
    assert after is not None
    assert (before.price, after.price) == (Decimal("0.0048"), Decimal("0.0042"))
    assert before.id != after.id


async def test_rates_that_nobody_has_looked_at_for_long_are_told(database: Database) -> None:
    await imported(database, RATE, replace(RATE, product="flux-general-en", checked_on=TODAY - timedelta(days=91)))
    async with database.reading() as session:
        (told,) = await check_rates(session, TODAY)
    assert told == "deepgram flux-general-en second was last checked on 2026-08-21; look at price list again"


@pytest.mark.parametrize(
    ("vendor", "product", "unit"),
    [
        ("anthropic", "claude-haiku-5-5", "cache_read_token"),
        ("anthropic", "claude-haiku-4-5-20251001", "output_token"),
        ("deepgram", "nova-3", "second"),
        ("deepgram", "flux-general-en", "second"),
        ("deepgram", "aura-2-thalia-en", "character"),
        ("elevenlabs", "eleven_flash_v2_5", "character"),
        ("twilio", "us-local", "inbound_minute"),
        ("twilio", "us-local", "outbound_minute"),
        ("twilio", "media-streams", "stream_minute"),
        ("twilio", "recording", "recording_minute"),
        ("twilio", "amd", "amd_call"),
    ],
)
def test_the_seed_prices_what_a_new_house_uses(vendor: str, product: str, unit: str) -> None:
    assert RateBook(seed_rates()).find((vendor, product, unit), TODAY) is not None


@pytest.mark.parametrize(
    ("vendor", "product", "unit"),
    [
        ("offline", "pocketsphinx", "second"),
        ("offline", "rules", "output_token"),
        ("offline", "espeak-ng", "character"),
        ("local", "whisper-1", "second"),
        ("local", "tts-1", "character"),
    ],
)
def test_what_our_own_machine_does_costs_nothing_and_is_not_unknown(vendor: str, product: str, unit: str) -> None:
    rate = RateBook(seed_rates()).find((vendor, product, unit), TODAY)
    assert rate is not None
    assert rate.price == 0


def test_the_seed_knows_the_price_changes_of_its_year() -> None:
    book = RateBook(seed_rates())
    flash = ("elevenlabs", "eleven_flash_v2_5", "character")
    prices = [book.find(flash, day) for day in (date(2026, 9, 14), date(2026, 9, 15))]
    assert [rate and rate.price for rate in prices] == [Decimal("0.05"), Decimal("0.04")]
    large = book.find(("anthropic", "claude-haiku-5-5", "output_token"), TODAY, 100_001)
    assert large is not None
    assert large.price == Decimal("2.50")
