"""Caps are kept once, and what is spent is read from the figures of the day and the month."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.errors import SettingsError
from app.money.limits import DEFAULTS, Cap
from app.store.budgets import list_budgets, set_budget, spent
from app.store.database import Database
from tests.store.ledgers import CALL, COST, DAY, numbered, written


async def test_a_cap_replaces_the_one_before_it(database: Database) -> None:
    for amount, action in ((10, "warn"), (20, "stop")):
        async with database.writing() as session:
            await set_budget(session, Cap("agent", "reception", "day", "usd", Decimal(amount), action))
    async with database.reading() as session:
        caps = await list_budgets(session)
    assert caps == (*DEFAULTS, Cap("agent", "reception", "day", "usd", Decimal(20), "stop"))


async def test_a_cap_without_sense_is_not_kept(database: Database) -> None:
    with pytest.raises(SettingsError):
        async with database.writing() as session:
            await set_budget(session, Cap("caller", "", "day", "usd", Decimal(1)))


async def test_the_day_and_its_month_are_summed_for_everybody_whom_a_call_concerns(database: Database) -> None:
    long = replace(CALL, duration_seconds=90.0, campaign="autumn")
    await written(database, long)
    await written(database, replace(long, sid="CA2", started_at=CALL.started_at - timedelta(days=3)))
    await written(database, replace(numbered(3), started_at=CALL.started_at - timedelta(days=40)))
    async with database.reading() as session:
        found = await spent(session, DAY)
    for scope, subject in (("account", ""), ("agent", "reception"), ("campaign", "autumn"), ("number", CALL.number)):
        assert found.of(scope, subject, "day", "calls") == 1
        assert found.of(scope, subject, "month", "calls") == 2
        assert found.of(scope, subject, "day", "usd") == COST
        assert found.of(scope, subject, "month", "usd") == 2 * COST
        assert found.of(scope, subject, "day", "minutes") == Decimal("1.5")
    assert found.of("agent", "sales", "day", "usd") == 0
