"""Answers to single wishes, where a whole talk would hide the case."""

from datetime import date, datetime, time, timedelta

import pytest

from app.mind.offline_answers import Answer, Answers, NotYet
from app.mind.offline_calendar import Clinic
from app.mind.offline_dialogue import Asked, Wish
from tests.mind.diary import FRIDAY, PaperDiary

MONDAY = date(2026, 11, 23)
TEN = datetime(2026, 11, 23, 10)
CLINIC = Clinic(days_ahead=30)
BOOKING = Wish(job="book", name="Anna Miller", day=MONDAY, at=time(10), asked=Asked.RIGHT, agreed=True)


def answers(diary: PaperDiary, *, may_write: bool = True, now: datetime = FRIDAY) -> Answers:
    return Answers(diary, CLINIC, {}, "", now, may_write)


def full(*days: date) -> PaperDiary:
    return PaperDiary({slot: ("Somebody", "") for day in days for slot in CLINIC.slots(day)})


async def test_before_the_turn_is_over_the_diary_may_be_read_and_not_written() -> None:
    diary = PaperDiary()
    with pytest.raises(NotYet):
        await answers(diary, may_write=False).to(BOOKING)
    assert diary.booked == {}
    assert "free" in (await answers(diary, may_write=False).to(Wish(job="book", day=MONDAY, at=time(10)))).text


async def test_a_full_day_is_answered_with_the_next_that_is_not() -> None:
    told = await answers(full(MONDAY)).to(Wish(job="book", day=MONDAY))
    assert told.text.startswith("Monday, November 23rd is full. The next free appointment is on Tuesday, November 24th")


async def test_when_everything_is_full_that_is_said() -> None:
    every = [FRIDAY.date() + timedelta(days=n) for n in range(40)]
    told = await answers(full(*every)).to(Wish(job="book", earliest=True))
    assert "we are full for the next 30 days" in told.text


@pytest.mark.parametrize(
    ("day", "reason"), [(date(2026, 11, 22), "We are closed on Sunday"), (date(2027, 2, 1), "I can only book 30 days")]
)
async def test_a_day_that_cannot_be_has_its_reason(day: date, reason: str) -> None:
    assert (await answers(PaperDiary()).to(Wish(job="book", day=day))).text.startswith(reason)


async def test_of_today_only_what_is_still_to_come_is_free() -> None:
    told = await answers(PaperDiary(), now=datetime(2026, 11, 20, 16, 10)).to(Wish(job="book", day=FRIDAY.date()))
    assert "I have 4:30." in told.text


async def test_only_the_part_of_the_day_that_was_wished_for_is_offered() -> None:
    told = await answers(PaperDiary()).to(Wish(job="book", day=MONDAY, part=12))
    assert "I have 12 o'clock, 2 o'clock and 4 o'clock." in told.text


async def test_whose_appointment_it_is_already_is_told_so() -> None:
    diary = PaperDiary({TEN: ("Anna Miller", "")})
    assert "You are booked for Monday, November 23rd at 10 o'clock." in (await answers(diary).to(BOOKING)).text


async def test_one_that_moves_to_where_it_is_has_moved() -> None:
    diary = PaperDiary({TEN: ("Anna Miller", "")})
    there = Wish(job="move", name="Anna Miller", day=MONDAY, at=time(10))
    assert "Your appointment is now on Monday, November 23rd" in (await answers(diary).to(there)).text


async def test_of_several_appointments_the_one_of_that_day_is_cancelled() -> None:
    later = TEN + timedelta(days=1)
    diary = PaperDiary({TEN: ("Anna Miller", ""), later: ("Anna Miller", "")})
    await answers(diary).to(Wish(job="cancel", name="Anna Miller", day=later.date(), asked=Asked.RIGHT, agreed=True))
    assert list(diary.booked) == [TEN]


def test_after_a_tool_the_talk_goes_on() -> None:
    told = answers(PaperDiary())
    assert told.to_tools("take_message", failed=False).text.startswith("I have written that down")
    assert told.to_tools("take_message", failed=True).text.startswith("I am sorry, that did not work.")
    assert told.to_tools("opt_out", failed=False) == Answer(Asked.MORE.value)
