"""A roster in the database: applied twice it changes nothing, and a called number finds its agent."""

import asyncio
from dataclasses import replace

from app.call.agent import Agent, HttpTool, Patience
from app.store.database import Database
from app.store.roster import Applied, answering, apply, numbers, published, version_of
from app.store.roster_form import Number, Roster

TOOL = HttpTool(
    "book", "Book a visit.", "https://clinic.example/book", parameters={"type": "object", "required": ["x"]}
)
RECEPTION = Agent(
    "reception", "Hello.", "You answer.", tools=(TOOL,), transfers={"nurse": "+15005550003"}, patience=Patience(cover=1)
)
NIGHT = Agent("night", "Good night.", "You answer at night.")
DAY_NUMBER = Number("+15005550001", "reception")
CLINIC = Roster((RECEPTION, NIGHT), (DAY_NUMBER,))


async def applied(database: Database, roster: Roster) -> list[Applied]:
    async with database.writing() as session:
        return await apply(session, roster)


async def test_a_called_number_finds_its_agent(database: Database) -> None:
    await applied(database, CLINIC)
    async with database.reading() as session:
        assert await answering(session, "+15005550001") == (RECEPTION, 1)
        assert await answering(session, "+15005550002") is None
        assert await published(session, "night") == (NIGHT, 1)
        assert await numbers(session) == [DAY_NUMBER]


async def test_what_is_new_is_created(database: Database) -> None:
    assert [str(change) for change in await applied(database, CLINIC)] == [
        "agent reception: created (version 1)",
        "agent night: created (version 1)",
        "number +15005550001: created",
    ]


async def test_a_second_time_changes_nothing(database: Database) -> None:
    await applied(database, CLINIC)
    assert {change.what for change in await applied(database, CLINIC)} == {"unchanged"}
    async with database.reading() as session:
        assert await answering(session, "+15005550001") == (RECEPTION, 1)


async def test_a_changed_agent_gives_a_new_version_and_keeps_the_old_one(database: Database) -> None:
    await applied(database, CLINIC)
    friendlier = replace(RECEPTION, patience=Patience(cover=1.2))
    changes = await applied(database, Roster((friendlier, NIGHT), (replace(DAY_NUMBER, agent="night"),)))
    assert [(change.what, change.version) for change in changes] == [("changed", 2), ("unchanged", 1), ("changed", 0)]
    async with database.reading() as session:
        assert await answering(session, "+15005550001") == (NIGHT, 1)
        assert await published(session, "reception") == (friendlier, 2)
        assert await version_of(session, "reception", 1) == RECEPTION


async def test_going_back_to_an_old_text_is_a_change_too(database: Database) -> None:
    for greeting in ("Hello.", "Good day.", "Hello."):
        await applied(database, Roster((replace(RECEPTION, greeting=greeting),)))
    async with database.reading() as session:
        assert await published(session, "reception") == (RECEPTION, 3)


async def test_what_the_file_does_not_name_stays(database: Database) -> None:
    await applied(database, CLINIC)
    await applied(database, Roster((NIGHT,)))
    async with database.reading() as session:
        assert await answering(session, "+15005550001") == (RECEPTION, 1)


async def test_two_files_applied_in_the_same_moment_give_one_version_each(database: Database) -> None:
    variants = [replace(RECEPTION, greeting=f"Hello {n}.") for n in range(3)]
    changes = await asyncio.gather(*(applied(database, Roster((variant,))) for variant in variants))
    assert sorted(change.version for (change,) in changes) == [1, 2, 3]
