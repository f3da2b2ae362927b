"""The same meaning in the words of any ears: the grammar's own, or with digits, capitals and commas."""

from datetime import date, time
from random import Random
from typing import Any

import pytest

from app.mind.offline_calendar import Clinic
from app.mind.offline_meaning import Meaning, grammar, plain, understand

FRIDAY = date(2026, 11, 20)


def found(text: str, **options: Any) -> dict[str, Any]:
    meaning = understand(text, FRIDAY, Clinic(), **options)
    every = {name: getattr(meaning, name) for name in Meaning.__slots__}
    return {name: value for name, value in every.items() if value != getattr(Meaning(), name)}


MONDAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 21)
MEANINGS: dict[str, dict[str, Any]] = {
    "i'd like to book an appointment on monday at ten thirty": {"job": "book", "day": MONDAY, "at": time(10, 30)},
    "Could I book an appointment for Monday, 10:30?": {"job": "book", "day": MONDAY, "at": time(10, 30)},
    "Tuesday, November 24th at 3pm": {"day": date(2026, 11, 24), "at": time(15)},
    "tuesday the twenty fourth at three": {"day": date(2026, 11, 24), "at": time(15)},
    "the 2nd of January": {"day": date(2027, 1, 2)},
    "Friday, November 20th at 12:30": {"day": FRIDAY, "at": time(12, 30)},
    "next friday morning": {"day": date(2026, 11, 27), "part": 0},
    "tomorrow at a quarter to four": {"day": TOMORROW, "at": time(15, 45)},
    "15:00 tomorrow": {"day": TOMORROW, "at": time(15)},
    "half past nine": {"at": time(9, 30)},
    "two o'clock": {"at": time(14)},
    "at 8 a.m.": {"at": time(8)},
    "noon": {"at": time(12)},
    "ten": {"at": time(10)},
    "I would rather talk about one of my two dogs": {},
    "the first one please": {"earliest": True, "polite": True},
    "no, at eleven": {"answer": False, "at": time(11)},
    "no the time is wrong": {"answer": False, "wrong": "time"},
    "Yes, that's right.": {"answer": True},
    "that works": {"answer": True},
    "Can I change my appointment to Monday?": {"job": "move", "day": MONDAY},
    "please cancel my appointment": {"job": "cancel", "polite": True},
    "Until when are you open?": {"job": "hours"},
    "My name is Zoë Kowalski": {"name": "Zoë Kowalski"},
    "it's anna miller": {"name": "Anna Miller"},
    "S as in Sam, M, I, T, H": {"spelled": "Smith"},
    "sierra mike india tango hotel": {"spelled": "Smith"},
    "good afternoon": {"polite": True},
    "that's all, thanks": {"goodbye": True, "polite": True},
    "Please call me back about my bill.": {"errand": "please call me back about my bill", "polite": True},
    "pardon": {"again": True},
    "(unclear)": {},
}


@pytest.mark.parametrize("text", MEANINGS)
def test_words_mean(text: str) -> None:
    assert found(text) == MEANINGS[text]


def test_words_that_mean_nothing_else_are_a_name_when_one_was_asked_for() -> None:
    assert found("Kowalski", name_asked=True) == {"name": "Kowalski"}
    assert found("It's Kowalski.", name_asked=True) == {"name": "Kowalski"}
    assert found("What would you like to know?", name_asked=True) == {}
    assert found("Monday", name_asked=True) == {"day": MONDAY}
    assert found("Kowalski") == {}


def test_plain_words_are_plain_already() -> None:
    chance = Random(3)
    for _ in range(300):
        example = grammar().example("said", chance)
        once = plain(example)
        assert plain(once) == once


def test_everything_that_the_ears_can_hear_means_something_to_the_mind() -> None:
    chance = Random(4)
    examples = {grammar().example("said", chance) for _ in range(2000)}
    assert sorted(example for example in examples if not found(example)) == []
