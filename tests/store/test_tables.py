"""The names of tables are a contract, and what the tables must refuse they refuse."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from app.store.database import Database
from app.store.tables import AgentRow, CallRow, Row, TurnRow, UsageRow

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def agent(version: int, state: str) -> AgentRow:
    words = dict.fromkeys(("greeting", "prompt", "model", "voice"), "x")
    return AgentRow(name="reception", version=version, state=state, settings={}, created_at=NOW, **words)


def call() -> CallRow:
    parties = {"number": "+15005550001", "from_number": "+15005550009", "to_number": "+15005550001"}
    return CallRow(sid="CA1", direction="inbound", started_at=NOW, **parties)


def test_the_names_that_others_rely_on_are_there() -> None:
    promised = "agents numbers calls turns usage rates budgets alerts webhooks deliveries"
    assert set(promised.split()) <= {table.name for table in Row.metadata.sorted_tables}


async def test_only_one_version_of_an_agent_answers(database: Database) -> None:
    async with database.writing() as session:
        session.add_all([agent(1, "retired"), agent(2, "retired"), agent(3, "published")])
    with pytest.raises(IntegrityError):
        async with database.writing() as session:
            session.add(agent(4, "published"))


async def test_a_call_takes_its_turns_and_usage_with_it(database: Database) -> None:
    async with database.writing() as session:
        row = call()
        session.add(row)
        await session.flush()
        session.add(TurnRow(call_id=row.id, number=1, who="caller"))
        session.add(UsageRow(call_id=row.id, key="1", vendor="v", product="p", unit="u", quantity=1))
    async with database.writing() as session:
        await session.execute(delete(CallRow))
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(TurnRow)) == 0
        assert await session.scalar(select(func.count()).select_from(UsageRow)) == 0


async def test_a_call_is_there_once(database: Database) -> None:
    async with database.writing() as session:
        session.add(call())
    with pytest.raises(IntegrityError):
        async with database.writing() as session:
            session.add(call())
