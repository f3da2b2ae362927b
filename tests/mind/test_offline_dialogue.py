"""What a caller wants, read out of the history alone."""

from datetime import date, time

from app.call.actions import Said
from app.mind.offline_calendar import Clinic
from app.mind.offline_dialogue import Asked, Wish, wish

FRIDAY = date(2026, 11, 20)


def after(*lines: str) -> Wish:
    """The wish after these lines, the agent's and the caller's in turn, the agent's first."""
    speakers = ("agent", "caller")
    said = [Said(speakers[place % 2], text) for place, text in enumerate(lines)]
    return wish(said, FRIDAY, Clinic())


def test_nothing_is_wanted_before_anybody_speaks() -> None:
    assert wish((), FRIDAY, Clinic()) == Wish()


def test_a_wish_grows_with_every_line() -> None:
    known = after(
        "The clinic, hello.",
        "I'd like to book an appointment.",
        Asked.DAY.value,
        "On Monday, please.",
        Asked.TIME.value,
        "Ten thirty.",
    )
    assert (known.job, known.day, known.at) == ("book", date(2026, 11, 23), time(10, 30))


def test_a_question_is_known_by_its_last_words() -> None:
    known = after("Monday at 10:30 is free. What is your name, please?", "Anna Miller")
    assert known.asked is Asked.NAME
    assert known.name == "Anna Miller"


def test_what_is_called_wrong_is_forgotten_and_the_rest_is_kept() -> None:
    known = Wish(job="book", name="Anna Miller", day=FRIDAY, at=time(10, 30))
    assert known.without("day") == Wish(job="book", name="Anna Miller", at=time(10, 30))
    assert known.without("time") == Wish(job="book", name="Anna Miller", day=FRIDAY)
    assert known.without("name").name == "Anna Miller", "most of a name may be right"


def test_utterances_that_mean_nothing_are_counted_and_forgotten_by_one_that_does() -> None:
    assert after("The clinic, hello.", "green ideas", "Sorry?", "sleep furiously").missed == 2
    assert after("The clinic, hello.", "green ideas", "Sorry?", "book an appointment").missed == 0
