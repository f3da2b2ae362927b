"""Words out of letters, whole and in their places."""

import pytest

from app.call.events import Word
from app.mouth.words import WordTimes, paced, spread


def letters(text: str, start: float = 0.0) -> tuple[list[str], list[float], list[float]]:
    """Every letter a tenth of a second long."""
    starts = [start + n / 10 for n in range(len(text))]
    return list(text), starts, [each + 0.1 for each in starts]


def texts(words: tuple[Word, ...]) -> list[str]:
    return [word.text for word in words]


def test_a_word_is_told_with_its_times() -> None:
    times = WordTimes()
    times.expect("Hi you")
    assert times.add(*letters("Hi ")) == (Word("Hi", 0.0, 0.1 + 0.1),)


def test_a_word_in_two_messages_is_told_with_the_second() -> None:
    times = WordTimes()
    times.expect("Good morning")
    assert texts(times.add(*letters("Good mor"))) == ["Good"]
    assert times.begun == 2
    (word,) = times.add(*letters("ning", 0.8))
    assert (word.text, word.start) == ("morning", 0.5)
    assert word.end == pytest.approx(1.2)


def test_the_last_word_is_told_though_no_space_follows_it() -> None:
    times = WordTimes()
    times.expect("Goodbye.")
    assert texts(times.add(*letters("Goodbye."))) == ["Goodbye."]
    assert times.untold == []


def test_the_beginning_of_a_longer_word_is_not_taken_for_a_word() -> None:
    times = WordTimes()
    times.expect("an answer")
    assert texts(times.add(*letters("an ans"))) == ["an"]
    assert texts(times.add(*letters("wer", 0.6))) == ["answer"]


def test_letters_that_differ_from_the_text_are_told_as_they_sound() -> None:
    times = WordTimes()
    times.expect("9 pm")
    assert texts(times.add(*letters("nine pm"))) == ["nine", "pm"]


def test_at_the_end_the_words_without_times_share_the_sound_that_is_left() -> None:
    times = WordTimes()
    times.expect("one two six")
    times.add(*letters("one "))
    assert times.rest(1.1) == (
        Word("two", pytest.approx(0.3), pytest.approx(0.7)),  # type: ignore[arg-type]
        Word("six", pytest.approx(0.7), pytest.approx(1.1)),  # type: ignore[arg-type]
    )
    assert times.told == 3


def test_words_are_spread_by_their_letters() -> None:
    assert spread(["a", "abc"], 0.0, 0.6) == [
        Word("a", 0.0, pytest.approx(0.2)),  # type: ignore[arg-type]
        Word("abc", pytest.approx(0.2), pytest.approx(0.6)),  # type: ignore[arg-type]
    ]


def test_paced_words_follow_each_other_without_a_gap() -> None:
    words = list(paced("We open at nine."))
    assert texts(tuple(words)) == ["We", "open", "at", "nine."]
    assert [word.start for word in words[1:]] == [word.end for word in words[:-1]]
    assert 0.9 < words[-1].end < 1.3
