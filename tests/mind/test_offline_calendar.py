"""Days and times as a clinic counts and says them."""

from datetime import date, datetime, time

import pytest

from app.mind.offline_calendar import Clinic, day_of_month, next_weekday, spoken, spoken_times

FRIDAY = date(2026, 11, 20)


def test_a_day_has_an_appointment_every_half_hour_and_a_weekend_none() -> None:
    slots = Clinic().slots(FRIDAY)
    assert (slots[0].time(), slots[-1].time(), len(slots)) == (time(9), time(16, 30), 16)
    assert Clinic().slots(date(2026, 11, 21)) == []


def test_one_may_book_from_today_to_the_last_day() -> None:
    days = Clinic(days_ahead=7).days(FRIDAY)
    assert days == [FRIDAY, *(date(2026, 11, day) for day in (23, 24, 25, 26, 27))]


@pytest.mark.parametrize(
    ("said", "meant"),
    [((9, 0, None), 9), ((2, 0, None), 14), ((12, 0, None), 12), ((8, 0, None), 20), ((8, 0, 0), 8), ((12, 0, 0), 0)],
)
def test_a_bare_hour_is_the_one_at_which_the_clinic_is_open(said: tuple[int, int, int | None], meant: int) -> None:
    assert Clinic().at(*said).hour == meant


def test_days_are_found_from_today_on() -> None:
    assert day_of_month(FRIDAY, 20, None) == FRIDAY
    assert day_of_month(FRIDAY, 19, None) == date(2026, 12, 19)
    assert day_of_month(FRIDAY, 19, 11) == date(2027, 11, 19)
    assert day_of_month(FRIDAY, 31, 6) is None
    assert next_weekday(FRIDAY, 4) == date(2026, 11, 27)
    assert next_weekday(FRIDAY, 0) == date(2026, 11, 23)


def test_they_are_said_as_people_say_them() -> None:
    assert spoken(datetime(2026, 11, 23, 10, 30)) == "Monday, November 23rd at 10:30"
    assert spoken(datetime(2026, 11, 11, 14, 0)) == "Wednesday, November 11th at 2 o'clock"
    assert spoken_times([datetime(2026, 11, 2, 9), datetime(2026, 11, 2, 12, 30)]) == "9 o'clock and 12:30"
    assert Clinic().hours() == "We are open from 9 o'clock to 5 o'clock, Monday to Friday."
