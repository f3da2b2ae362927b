"""The diary on both databases: an appointment is given once, and told only to whom it belongs."""

import asyncio
from datetime import date, datetime

import pytest

from app.errors import VendorError
from app.store.bookings import Bookings
from app.store.database import Database

MONDAY = date(2026, 11, 23)
TEN = datetime(2026, 11, 23, 10)
ELEVEN = datetime(2026, 11, 23, 11)
BEFORE = datetime(2026, 11, 20, 12)
ANNA = ("Anna Miller", "+15005550100")
JOHN = ("John Smith", "+15005550101")


@pytest.fixture
def diary(database: Database) -> Bookings:
    return Bookings(database, "clinic")


async def test_what_is_booked_is_taken_and_belongs_to_whom_it_was_given(diary: Bookings) -> None:
    assert await diary.book(*ANNA, ELEVEN)
    assert await diary.book(*ANNA, TEN)
    assert await diary.taken(MONDAY, MONDAY) == {TEN, ELEVEN}
    assert await diary.of("anna  MILLER", ANNA[1], BEFORE) == [TEN, ELEVEN]
    assert await diary.of(*ANNA, TEN) == [ELEVEN]
    assert await diary.of(*JOHN, BEFORE) == []


async def test_nobody_is_told_of_an_appointment_made_from_another_telephone(diary: Bookings) -> None:
    await diary.book(*ANNA, TEN)
    assert await diary.of(ANNA[0], JOHN[1], BEFORE) == []
    assert not await diary.cancel(ANNA[0], JOHN[1], TEN)
    assert await diary.of(ANNA[0], "", BEFORE) == [TEN]


async def test_an_appointment_is_given_once_however_many_ask_at_the_same_time(diary: Bookings) -> None:
    given = await asyncio.gather(*(diary.book(f"Caller {n}", "", TEN) for n in range(5)))
    assert sorted(given) == [False] * 4 + [True]
    assert await diary.taken(MONDAY, MONDAY) == {TEN}


async def test_a_moved_appointment_leaves_its_old_place_free(diary: Bookings) -> None:
    await diary.book(*ANNA, TEN)
    assert await diary.move(*ANNA, TEN, ELEVEN)
    assert await diary.taken(MONDAY, MONDAY) == {ELEVEN}
    assert await diary.book(*JOHN, TEN)
    assert not await diary.move(*JOHN, TEN, ELEVEN)
    assert await diary.of(*JOHN, BEFORE) == [TEN]


async def test_a_cancelled_appointment_can_be_given_again(diary: Bookings) -> None:
    await diary.book(*ANNA, TEN)
    assert await diary.cancel(*ANNA, TEN)
    assert not await diary.cancel(*ANNA, TEN)
    assert await diary.book(*JOHN, TEN)


async def test_diaries_know_nothing_of_each_other(diary: Bookings, database: Database) -> None:
    other = Bookings(database, "dentist")
    assert await diary.book(*ANNA, TEN)
    assert await other.taken(MONDAY, MONDAY) == frozenset()
    assert await other.book(*JOHN, TEN)


async def test_a_database_without_the_table_is_told_as_a_fault_of_the_database(bare_database_url: str) -> None:
    empty = Database.open(bare_database_url)
    with pytest.raises(VendorError, match="database: "):
        await Bookings(empty, "clinic").taken(MONDAY, MONDAY)
    await empty.close()
