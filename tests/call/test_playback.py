"""Which words have been heard by a moment, from the marks that came back by then."""

# Expectations are patterns in the shape of actions: `...` stands where anything may stand.
# mypy: disable-error-code="arg-type"

from app.call.events import (
    Word,
)
from app.call.playback import Playback
from tests.call.playbook import second


def words_heard_at(now: float, *, last_mark_late: float) -> list[str]:
    """Of a second of sound that was sent at 10.0, when its first mark came in time and its second one late."""
    playback = Playback()
    playback.begin(1)
    words = (Word("open", 0.0, 0.6), Word("daily", 0.6, 1.0))
    one, other, *_ = playback.add(1, second(1.0), words, 10.0)
    playback.played(one.mark, 10.25)
    playback.played(other.mark, 10.5 + last_mark_late)
    return [word.text for word in playback.heard_words(1, now)]


def test_a_mark_that_waited_for_the_carriers_beat_does_not_make_a_word_unheard() -> None:
    assert words_heard_at(10.59, last_mark_late=0.015) == []
    assert words_heard_at(10.601, last_mark_late=0.015) == ["open"]


def test_a_mark_that_comes_much_later_tells_of_sound_that_was_late() -> None:
    assert words_heard_at(10.61, last_mark_late=0.1) == []
    assert words_heard_at(10.7, last_mark_late=0.1) == ["open"]
