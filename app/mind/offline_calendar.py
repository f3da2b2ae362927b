"""Days and times of a small clinic, as they are counted and as they are said. Pure: today is an argument."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = tuple("January February March April May June July August September October November December".split())


@dataclass(frozen=True, slots=True)
class Clinic:
    """When people may come, and for how long. `weekdays` counts from Monday, which is 0."""

    opens: time = time(9)
    closes: time = time(17)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    visit_minutes: int = 30
    days_ahead: int = 90

    def is_open_on(self, day: date) -> bool:
        return day.weekday() in self.weekdays

    def slots(self, day: date) -> list[datetime]:
        """Every appointment of a day, free or not."""
        if not self.is_open_on(day):
            return []
        minutes = range(_minutes(self.opens), _minutes(self.closes), self.visit_minutes)
        return [datetime.combine(day, time(*divmod(minute, 60))) for minute in minutes]

    def days(self, today: date) -> list[date]:
        """The days on which one may book, from today on."""
        every = (today + timedelta(days=n) for n in range(self.days_ahead + 1))
        return [day for day in every if self.is_open_on(day)]

    def at(self, hour: int, minute: int, noon: int | None) -> time:
        """The time that people mean: without a.m. or p.m. it is the one at which the clinic is open."""
        if noon is not None:
            return time(hour % 12 + noon, minute)
        early = time(hour % 12, minute)
        return early if self.opens <= early else time(hour % 12 + 12, minute)

    def hours(self) -> str:
        first, last = WEEKDAYS[self.weekdays[0]], WEEKDAYS[self.weekdays[-1]]
        return f"We are open from {spoken_time(self.opens)} to {spoken_time(self.closes)}, {first} to {last}."


def spoken_day(day: date) -> str:
    return f"{WEEKDAYS[day.weekday()]}, {MONTHS[day.month - 1]} {day.day}{_ending(day.day)}"


def spoken_time(at: time) -> str:
    hour = at.hour if at.hour in (0, 12) else at.hour % 12
    return f"{hour}:{at.minute:02}" if at.minute else f"{hour} o'clock"


def spoken(slot: datetime) -> str:
    return f"{spoken_day(slot.date())} at {spoken_time(slot.time())}"


def spoken_times(slots: Iterable[datetime]) -> str:
    *most, last = [spoken_time(slot.time()) for slot in slots]
    return f"{', '.join(most)} and {last}" if most else last


def day_of_month(today: date, day: int, month: int | None) -> date | None:
    """The next such day, today counted in; without a month the next one that has it."""
    for ahead in range(366):
        found = today + timedelta(days=ahead)
        if found.day == day and month in (None, found.month):
            return found
    return None


def next_weekday(today: date, weekday: int) -> date:
    """The coming one: who means today says today."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _ending(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _minutes(at: time) -> int:
    return 60 * at.hour + at.minute
