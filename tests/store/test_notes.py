"""A note is never lost and never doubled."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from app.store.database import Database
from app.store.notes import ANSWERS, list_notes, note, notepad, write_notes
from app.store.tables import NoteRow
from app.tools.catalogue import NOTES
from tests.servers import free_port

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ABOUT = {"call_sid": "CA1", "agent": "reception", "number": "+15005550001", "party": "+14155550100"}
MESSAGE = {"name": "Ann", "message": "Call me."}


async def count(database: Database) -> int | None:
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(NoteRow))


def test_there_is_a_page_for_every_kind_that_the_mind_is_offered() -> None:
    assert set(ANSWERS) == NOTES


async def test_a_note_is_written_with_who_said_it_and_where(database: Database) -> None:
    assert await notepad(database, **ABOUT)["take_message"](MESSAGE) == "The message is written down."
    async with database.reading() as session:
        (kept,) = await list_notes(session, "take_message")
    assert (kept.call_sid, kept.agent, kept.number, kept.party) == ("CA1", "reception", "+15005550001", "+14155550100")
    assert kept.fields == MESSAGE


async def test_the_same_note_twice_in_a_call_is_one_and_another_is_another(database: Database) -> None:
    pages = notepad(database, **ABOUT)
    for _ in range(2):
        await pages["take_message"](MESSAGE)
    async with database.writing() as session:
        await write_notes(session, [note("take_message", MESSAGE, AT, **ABOUT)])  # as the scribe does it
    assert await count(database) == 1
    await pages["take_message"]({**MESSAGE, "message": "Call me soon."})
    await pages["opt_out"]({})
    async with database.writing() as session:
        await write_notes(session, [note("opt_out", {}, AT, **{**ABOUT, "call_sid": "CA2"})])
    assert await count(database) == 4


async def test_a_card_that_stands_in_a_message_is_masked(database: Database) -> None:
    await notepad(database, **ABOUT)["take_message"]({**MESSAGE, "message": "My card is 4111 1111 1111 1111."})
    async with database.reading() as session:
        (kept,) = await list_notes(session)
    assert kept.fields["message"] == "My card is xxxx xxxx xxxx 1111."
    assert kept.key == note("take_message", kept.fields, AT, **ABOUT).key, "masked again, it is the same note"


async def test_without_a_database_the_mind_is_answered_all_the_same(tmp_path: Path) -> None:
    away = Database.open(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    assert await notepad(away, **ABOUT)["opt_out"]({}) == ANSWERS["opt_out"]
    await away.close()
