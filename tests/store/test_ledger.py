"""An account is written as a whole, once, however often it is written."""

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import func, select

from app.money.rates import Rate
from app.store.alerts import standing_alerts
from app.store.database import Database
from app.store.ledger import account_of, price_unknown_calls, write_call
from app.store.rate_card import check_rates, import_rates
from app.store.tables import CallDayRow, CallRow, CostDayRow, LatencyDayRow, TurnRow, UsageRow
from tests.store.ledgers import (
    CALL,
    COST,
    DAY,
    GHOST,
    LINES,
    RATES,
    START,
    TURNS,
    numbered,
    priced,
    random_lines,
    written,
)


async def call(database: Database, sid: str = "CA1") -> CallRow:
    async with database.reading() as session:
        return (await session.scalars(select(CallRow).where(CallRow.sid == sid))).one()


async def counts(database: Database) -> list[int | None]:
    tables = (CallRow, TurnRow, UsageRow, CallDayRow, CostDayRow, LatencyDayRow)
    async with database.reading() as session:
        return [await session.scalar(select(func.count()).select_from(table)) for table in tables]


async def test_a_call_costs_the_sum_of_its_rows_to_the_last_digit(database: Database) -> None:
    await written(database)
    row = await call(database)
    async with database.reading() as session:
        assert await session.scalar(select(func.sum(UsageRow.cost_usd))) == COST
    assert (row.cost_usd, row.cost_status, row.turns) == (COST, "provisional", 3)
    assert row.latency_p50 == pytest.approx(0.5)
    assert row.latency_p95 == pytest.approx(0.81)


async def test_every_row_of_usage_names_its_rate(database: Database) -> None:
    await written(database)
    async with database.reading() as session:
        rows = list(await session.scalars(select(UsageRow).order_by(UsageRow.key)))
    assert [(row.rate, row.rate_per) for row in rows] == [
        (Decimal("0.0048"), 60),
        (Decimal("0.1"), 1_000_000),
        (Decimal("0.04"), 1000),
        (Decimal("0.04"), 1000),
    ]
    assert all(row.rate_id is not None for row in rows)
    assert [row.wasted for row in rows] == ["", "", "", "unheard"]


async def test_writing_it_again_changes_nothing(database: Database) -> None:
    first = await written(database)
    before = await counts(database)
    assert await written(database) == first
    assert await counts(database) == before
    async with database.reading() as session:
        day = (await session.scalars(select(CallDayRow))).one()
        assert (day.day, day.calls, day.seconds, day.unknown) == (DAY, 1, 61.0, 0)
        assert await session.scalar(select(func.sum(CostDayRow.cost_usd))) == COST


async def test_the_account_that_was_written_is_read_again(database: Database) -> None:
    await written(database)
    async with database.reading() as session:
        assert await account_of(session, "CA1") == await priced(database)
        assert await account_of(session, "CA2") is None


async def test_a_call_that_goes_on_is_not_in_the_figures_until_it_has_ended(database: Database) -> None:
    await written(database, replace(CALL, ended_at=None), TURNS[:1], LINES[:1])
    assert await counts(database) == [1, 1, 1, 0, 0, 0]
    await written(database)
    assert (await counts(database))[:4] == [1, 3, 4, 1]


async def test_what_was_first_told_wrong_is_taken_back_from_the_figures(database: Database) -> None:
    await written(database, replace(CALL, agent="night", duration_seconds=10.0), TURNS, (*LINES, GHOST))
    await written(database)
    async with database.reading() as session:
        days = {row.agent: (row.calls, row.seconds) for row in await session.scalars(select(CallDayRow))}
        costs = select(CostDayRow.agent, func.sum(CostDayRow.cost_usd), func.sum(CostDayRow.unknown))
        spent = {
            name: (cost, unknown) for name, cost, unknown in await session.execute(costs.group_by(CostDayRow.agent))
        }
        waits = select(LatencyDayRow.agent, func.sum(LatencyDayRow.n)).group_by(LatencyDayRow.agent)
        waited = {name: n for name, n in await session.execute(waits)}
    assert days == {"night": (0, 0.0), "reception": (1, 61.0)}
    assert spent == {"night": (0, 0), "reception": (COST, 0)}
    assert waited == {"night": 0, "reception": 6}


async def test_the_figures_are_the_sum_of_random_ledgers_written_in_any_order(database: Database) -> None:
    chance = Random(7)
    ledgers = [(numbered(n), random_lines(chance)) for n in range(12)]
    again = [*ledgers, *chance.sample(ledgers, 6)]
    chance.shuffle(again)
    for record, lines in again:
        await written(database, record, (), lines)
    async with database.reading() as session:
        of_rows = await session.scalar(select(func.sum(UsageRow.cost_usd)))
        of_days = await session.scalar(select(func.sum(CostDayRow.cost_usd)))
        kept = await session.execute(select(CallRow.id, CallRow.cost_usd, CallRow.cost_status))
        each = select(func.sum(UsageRow.cost_usd), func.count() - func.count(UsageRow.cost_usd))
        for call_id, cost, status in list(kept):
            total, unknown = (await session.execute(each.where(UsageRow.call_id == call_id))).one()
            assert (cost is None, status == "unknown") == (unknown > 0, unknown > 0)
            assert unknown or cost == (total or 0)
        calls = (await session.scalars(select(CallDayRow))).one()
    assert of_rows == of_days
    assert calls.calls == 12
    assert calls.unknown == sum(any(line.item == GHOST.item for line in lines) for _, lines in ledgers)


async def test_two_who_write_one_call_together_write_it_once(database: Database) -> None:
    await asyncio.gather(*(written(database) for _ in range(4)))
    assert (await counts(database))[:4] == [1, 3, 4, 1]


async def test_calls_that_end_together_neither_deadlock_nor_lose_anything(database: Database) -> None:
    await priced(database)
    await asyncio.gather(*(written(database, numbered(n)) for n in range(8)))
    async with database.reading() as session:
        assert await session.scalar(select(func.sum(CostDayRow.cost_usd))) == 8 * COST
        assert await session.scalar(select(CallDayRow.calls)) == 8


async def test_an_unknown_price_costs_null_and_raises_one_alert(database: Database) -> None:
    for number in range(3):
        await written(database, numbered(number), (), (*LINES, GHOST))
    row = await call(database, "CA0")
    assert (row.cost_usd, row.cost_status) == (None, "unknown")
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).where(UsageRow.cost_usd == 0)) == 0
        (alert,) = await standing_alerts(session)
        told = await check_rates(session, DAY)
    assert alert.kind == "unknown_price"
    assert alert.what.startswith("elevenlabs eleven_v9 character has no rate")
    assert told == [
        "elevenlabs eleven_v9 character has no rate, and 3 calls used it: import one with `patchcord rates import`"
    ]


async def test_an_unknown_price_is_filled_in_when_its_rate_comes_and_nothing_else_is_touched(
    database: Database,
) -> None:
    await written(database, CALL, TURNS, (*LINES, GHOST))
    ghost = Rate(*GHOST.item, Decimal("0.08"), 1000, date(2026, 1, 1), "list", DAY)
    dearer = [replace(rate, price=rate.price * 2, effective_from=START.date().replace(day=21)) for rate in RATES]
    async with database.writing() as session:
        await import_rates(session, [ghost, *dearer])
    async with database.writing() as session:
        assert await price_unknown_calls(session) == 1
    row = await call(database)
    assert (row.cost_usd, row.cost_status) == (COST + Decimal("0.008"), "provisional")
    async with database.reading() as session:
        assert await standing_alerts(session) == []
        assert await session.scalar(select(func.sum(CostDayRow.cost_usd))) == row.cost_usd
        assert await session.scalar(select(func.sum(CostDayRow.unknown))) == 0
        assert await session.scalar(select(CallDayRow.unknown)) == 0
    async with database.writing() as session:
        assert await price_unknown_calls(session) == 0


async def test_a_write_that_fails_leaves_nothing_half_done(database: Database) -> None:
    account = await priced(database)
    twice = (TURNS[0], TURNS[0])

    async def fail() -> None:
        async with database.writing() as session:
            await write_call(session, CALL, twice, account)

    with pytest.raises(Exception, match=r"(?i)unique"):
        await fail()
    assert await counts(database) == [0, 0, 0, 0, 0, 0]
