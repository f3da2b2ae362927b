"""One answer at a time: what is said to a wish, and when the diary may be written."""

from dataclasses import replace
from datetime import datetime, time

import pytest

from app.call.actions import Said
from app.mind.offline_answers import Answers, NotYet
from app.mind.offline_calendar import Clinic
from app.mind.offline_dialogue import Asked, Wish, wish
from tests.mind.diary import FRIDAY, PaperDiary

MONDAY_1030 = datetime(2026, 11, 23, 10, 30)
WHOLE = Wish(
    job="book",
    name="Anna Miller",
    day=MONDAY_1030.date(),
    at=time(10, 30),
    offered=MONDAY_1030,
    asked=Asked.RIGHT,
    agreed=True,
)


def answers(diary: PaperDiary, *, may_write: bool = True) -> Answers:
    return Answers(diary, Clinic(), {"front desk": "+15005550199"}, "+15005550100", FRIDAY, may_write)


async def test_what_is_missing_is_asked_for() -> None:
    answer = await answers(PaperDiary()).to(Wish(job="book"))
    assert answer.text.endswith(Asked.DAY.value)


async def test_all_of_it_is_read_back_before_it_is_written() -> None:
    diary = PaperDiary()
    answer = await answers(diary).to(replace(WHOLE, agreed=False, asked=Asked.NAME))
    assert answer.text.endswith(Asked.RIGHT.value)
    assert diary.booked == {}


async def test_a_yes_writes_it_once_the_turn_is_over() -> None:
    diary = PaperDiary()
    with pytest.raises(NotYet):
        await answers(diary, may_write=False).to(WHOLE)
    assert diary.booked == {}
    assert (await answers(diary).to(WHOLE)).text.startswith("You are booked for Monday")
    assert diary.booked == {MONDAY_1030: ("Anna Miller", "+15005550100")}


async def test_goodbye_ends_the_call() -> None:
    history = (Said("agent", "The clinic, hello."), Said("caller", "Thank you, goodbye."))
    answer = await answers(PaperDiary()).to(wish(history, FRIDAY.date(), Clinic()))
    assert answer.tool is not None
    assert answer.tool.name == "end_call"


def test_a_tool_that_failed_is_said_to_have_failed() -> None:
    worked = answers(PaperDiary()).to_tools("take_message", failed=False)
    failed = answers(PaperDiary()).to_tools("take_message", failed=True)
    assert worked.text != failed.text
