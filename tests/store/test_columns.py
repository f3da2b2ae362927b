"""Money and moments come back as they went in, on both databases."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import StatementError

from app.store.database import Database
from app.store.tables import BudgetRow, RateRow

NOON = datetime(2026, 11, 20, 12, 30, tzinfo=timezone(timedelta(hours=2)))


def rate(price: str, product: str = "nova-3") -> RateRow:
    return RateRow(
        vendor="deepgram",
        product=product,
        unit="second",
        price=Decimal(price),
        per=60,
        effective_from=date(2026, 1, 1),
        source="list",
        checked_on=date(2026, 11, 20),
    )


@pytest.mark.parametrize("price", ["0.000000000001", "0.1", "0.0065", "999.123456789012", "0"])
async def test_money_comes_back_to_the_last_digit(database: Database, price: str) -> None:
    async with database.writing() as session:
        session.add(rate(price))
    async with database.reading() as session:
        assert (await session.scalar(select(RateRow.price))) == Decimal(price)


async def test_a_sum_of_money_is_exact(database: Database) -> None:
    async with database.writing() as session:
        session.add_all(rate("0.000000100001", f"product {n}") for n in range(1000))
    async with database.reading() as session:
        assert (await session.scalar(select(func.sum(RateRow.price)))) == Decimal("0.000100001")


async def test_a_float_is_not_money(database: Database) -> None:
    with pytest.raises(StatementError, match="is a float"):
        async with database.writing() as session:
            await session.execute(update(RateRow).values(price=0.1))


async def test_sqlite_refuses_money_that_it_could_not_give_back(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    with pytest.raises(StatementError, match="more than 15 digits"):
        async with database.writing() as session:
            session.add(rate("123456.123456789012"))
    await database.close()


async def test_a_moment_comes_back_in_utc(database: Database) -> None:
    budget = BudgetRow(scope="account", period="day", measure="usd", cap=Decimal(50), created_at=NOON)
    async with database.writing() as session:
        session.add(budget)
    async with database.reading() as session:
        kept = await session.scalar(select(BudgetRow.created_at))
    assert kept == NOON
    assert kept is not None
    assert kept.tzinfo is UTC


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="no time zone"):
        async with database.writing() as session:
            session.add(
                BudgetRow(
                    scope="account", period="day", measure="usd", cap=Decimal(50), created_at=NOON.replace(tzinfo=None)
                )
            )
