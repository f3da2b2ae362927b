"""What is old goes, class by class; what belongs to a person goes when asked; sums stay."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from app.store.database import Database
from app.store.notes import note, write_notes
from app.store.retention import cutoff, forget_caller, forget_calls, forget_transcripts
from app.store.tables import CallRow, CostDayRow, NoteRow, TurnRow, UsageRow
from tests.store.ledgers import CALL, COST, START, written

OLD = replace(CALL, sid="CA0", started_at=START - timedelta(days=100), from_number="+19")


async def two_calls(database: Database) -> None:
    """An old one with a stranger, who left a message and wants no more calls; and a new one."""
    await written(database, OLD)
    await written(database)
    about = {"call_sid": "CA0", "agent": "reception", "number": CALL.number, "party": "+19"}
    async with database.writing() as session:
        await write_notes(
            session,
            [note("take_message", {"message": "x"}, START, **about), note("opt_out", {}, START, **about)],
        )


async def left(database: Database) -> tuple[list[str], list[str], int | None]:
    """Which calls there are, which notes, and how many rows of usage."""
    async with database.reading() as session:
        calls = list(await session.scalars(select(CallRow.sid).order_by(CallRow.sid)))
        notes = list(await session.scalars(select(NoteRow.kind).order_by(NoteRow.kind)))
        return calls, notes, await session.scalar(select(func.count()).select_from(UsageRow))


async def test_the_words_of_old_calls_go_and_their_times_stay(database: Database) -> None:
    await two_calls(database)
    async with database.writing() as session:
        assert await forget_transcripts(session, START - timedelta(days=90)) == 1
        assert await forget_transcripts(session, START - timedelta(days=90)) == 0
    async with database.reading() as session:
        turns = list(await session.scalars(select(TurnRow).order_by(TurnRow.call_id, TurnRow.number)))
    assert [turn.heard + turn.written for turn in turns] == ["", "", "", "Are you open?", "Yes.", "Bye."]
    assert turns[1].gap_seconds == turns[4].gap_seconds


async def test_old_calls_go_with_all_their_rows_but_not_the_wish_to_be_left_alone(database: Database) -> None:
    await two_calls(database)
    async with database.writing() as session:
        assert await forget_calls(session, START - timedelta(days=90)) == 1
    assert await left(database) == (["CA1"], ["opt_out"], 4)


async def test_everything_of_a_caller_goes_and_the_sums_stay(database: Database) -> None:
    await two_calls(database)
    await written(database, replace(CALL, sid="CA7", direction="outbound", from_number=CALL.number, to_number="+19"))
    for gone in (2, 0):
        async with database.writing() as session:
            assert await forget_caller(session, "+19") == gone
    assert await left(database) == (["CA1"], ["opt_out"], 4)
    async with database.reading() as session:
        assert await session.scalar(select(func.sum(CostDayRow.cost_usd))) == 3 * COST


def test_no_days_are_for_ever() -> None:
    assert cutoff(START, 0) is None
    assert cutoff(START, 2) == START - timedelta(days=2)
