"""The carrier's price takes the place of ours, once, and the sum of the rows stays the cost of the call."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from app.money.usage import Line
from app.store.alerts import standing_alerts
from app.store.database import Database
from app.store.reconciliations import Waiting, due, enrol, postpone, settle
from app.store.tables import CallRow, CostDayRow, ReconciliationRow, UsageRow
from tests.store.ledgers import CALL, COST, LINES, written

NOW = datetime(2026, 11, 21, 0, 10, tzinfo=UTC)
ENDED = replace(CALL, ended_at=NOW - timedelta(minutes=5), answered_at=CALL.started_at)
MINUTE = Line("line.1", "twilio", "us-local", "inbound_minute", Decimal(1))


async def waiting(database: Database, now: datetime = NOW) -> list[Waiting]:
    async with database.writing() as session:
        await enrol(session, now)
    async with database.reading() as session:
        return await due(session, now)


async def settled(database: Database, call: Waiting, price: str) -> Decimal:
    async with database.writing() as session:
        return await settle(session, call, NOW, price=Decimal(price), seconds=61, status="completed")


async def costs(database: Database) -> tuple[Decimal | None, Decimal | None, Decimal | None, str]:
    """The call's cost, the sum of its rows, the sum of the reports' figures, and how sure it is."""
    async with database.reading() as session:
        call = (await session.scalars(select(CallRow))).one()
        rows = await session.scalar(select(func.sum(UsageRow.cost_usd)))
        return call.cost_usd, rows, await session.scalar(select(func.sum(CostDayRow.cost_usd))), call.cost_status


async def test_only_calls_that_were_answered_and_are_over_are_asked_about(database: Database) -> None:
    await written(database, ENDED)
    await written(database, replace(ENDED, sid="CA2", ended_at=None))
    await written(database, replace(ENDED, sid="CA3", answered_at=None))
    await written(database, replace(ENDED, sid="CA4", ended_at=NOW - timedelta(days=2)))
    await written(database, replace(ENDED, sid="BR5"))  # from a browser, of which the carrier knows nothing
    assert [call.sid for call in await waiting(database)] == ["CA1"]


async def test_the_difference_becomes_a_row_and_every_sum_agrees(database: Database) -> None:
    await written(database, ENDED, lines=(*LINES, MINUTE))  # there is no rate for the minute: its cost is unknown
    assert (await costs(database))[3] == "unknown"
    (call,) = await waiting(database)
    assert await settled(database, call, "0.0085") == Decimal("0.0085")
    total = COST + Decimal("0.0085")
    assert await costs(database) == (total, total, total, "reconciled")
    assert await waiting(database) == []


async def test_settling_twice_settles_once(database: Database) -> None:
    await written(database, ENDED)
    (call,) = await waiting(database)
    for price in ("0.02", "0.017"):
        await settled(database, call, price)
    total = COST + Decimal("0.017")
    assert await costs(database) == (total, total, total, "reconciled")


async def test_a_call_that_is_written_anew_is_asked_about_again(database: Database) -> None:
    await written(database, ENDED)
    (call,) = await waiting(database)
    await settled(database, call, "0.02")
    await written(database, ENDED)
    assert await costs(database) == (COST, COST, COST, "provisional")
    assert [call.sid for call in await waiting(database)] == ["CA1"]


@pytest.mark.parametrize(("price", "told"), [("0.0099", []), ("0.5", ["reconciliation"])])
async def test_a_difference_that_matters_is_told(database: Database, price: str, told: list[str]) -> None:
    await written(database, ENDED)
    (call,) = await waiting(database)
    await settled(database, call, price)
    async with database.reading() as session:
        assert [alert.kind for alert in await standing_alerts(session)] == told


async def test_a_price_that_does_not_come_is_asked_for_less_and_less_and_then_given_up(database: Database) -> None:
    await written(database, ENDED)
    now, tries = NOW, 0
    while found := await waiting(database, now):
        tries += 1
        async with database.writing() as session:
            await postpone(session, found[0], now, "it has no price yet")
        async with database.reading() as session:
            row = (await session.scalars(select(ReconciliationRow))).one()
        if row.state == "given_up":
            break
        assert await waiting(database, row.next_at - timedelta(seconds=1)) == []
        now = row.next_at
    assert 10 <= tries <= 20
    assert timedelta(days=1) < now - NOW < timedelta(days=1, hours=5)
    async with database.reading() as session:
        assert "told no price" in (await standing_alerts(session))[0].what
