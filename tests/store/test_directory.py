"""Who answers which number: fresh enough, soon enough, and also when the database is away."""

from dataclasses import replace

import pytest

from app.call.agent import Agent
from app.store.database import Database
from app.store.directory import FRESH_SECONDS, Directory
from app.store.roster import apply
from app.store.roster_form import Number, Roster

RECEPTION = Agent("reception", "Hello.", "You answer.")
NIGHT = Agent("night", "Good night.", "You answer at night.")
NUMBER = Number("+15005550001", "reception")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def write(database: Database, *agents: Agent, number: Number = NUMBER) -> None:
    async with database.writing() as session:
        await apply(session, Roster(agents, (number,)))


async def test_a_number_is_answered_by_its_agent_and_others_by_nobody(database: Database) -> None:
    await write(database, RECEPTION, NIGHT)
    directory = Directory(database)
    assert await directory.answering("+15005550001") == (RECEPTION, 1)
    assert await directory.answering("+15005550002") is None


async def test_a_changed_agent_answers_after_some_seconds(database: Database) -> None:
    clock = Clock()
    directory = Directory(database, clock)
    await write(database, RECEPTION)
    await directory.answering("+15005550001")
    friendlier = replace(RECEPTION, greeting="Good day.")
    await write(database, friendlier)
    assert await directory.answering("+15005550001") == (RECEPTION, 1)
    clock.now += FRESH_SECONDS
    assert await directory.answering("+15005550001") == (friendlier, 2)


async def test_a_number_nobody_answered_is_answered_soon_after_it_was_applied(database: Database) -> None:
    clock = Clock()
    directory = Directory(database, clock)
    assert await directory.answering("+15005550001") is None
    await write(database, RECEPTION)
    clock.now += FRESH_SECONDS
    assert await directory.answering("+15005550001") == (RECEPTION, 1)


async def test_every_number_is_listed_with_its_agent(database: Database) -> None:
    await write(database, RECEPTION)
    await write(database, NIGHT, number=Number("+15005550009", "night"))
    assert await Directory(database).numbers() == [("+15005550001", "reception"), ("+15005550009", "night")]


async def test_a_version_stays_what_it_was(database: Database) -> None:
    await write(database, RECEPTION)
    directory = Directory(database)
    await write(database, replace(RECEPTION, greeting="Good day."))
    assert await directory.version_of("reception", 1) == RECEPTION
    assert await directory.version_of("reception", 2) == replace(RECEPTION, greeting="Good day.")
    assert await directory.version_of("reception", 3) is None
    assert await directory.version_of("nobody", 1) is None


async def test_the_agents_are_those_that_answer_a_number(database: Database) -> None:
    await write(database, RECEPTION, NIGHT)
    directory = Directory(database)
    assert await directory.agents() == [RECEPTION]
    await write(database, RECEPTION, NIGHT, number=Number("+15005550002", "night"))
    assert {agent.name for agent in await directory.agents()} == {"reception", "night"}


async def test_without_a_database_the_last_answer_stands(caplog: pytest.LogCaptureFixture, sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    clock = Clock()
    directory = Directory(database, clock)
    await write(database, RECEPTION)
    assert await directory.answering("+15005550001") == (RECEPTION, 1)
    assert await directory.version_of("reception", 1) == RECEPTION
    async with database.writing() as session:
        await (await session.connection()).exec_driver_sql("ALTER TABLE agents RENAME TO elsewhere")
    clock.now += FRESH_SECONDS
    assert await directory.answering("+15005550001") == (RECEPTION, 1)
    assert await directory.version_of("reception", 1) == RECEPTION
    assert await directory.version_of("reception", 2) is None
    assert "the last answer stands" in caplog.text
    await database.close()
