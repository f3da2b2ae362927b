"""The words of a text and the places a synthesiser names are two counts; here they become one."""

from app.call.events import Word
from app.mouth.offline_recital import Place, Recital
from app.mouth.ways import Sound

RATE = 16000
SECOND = bytes(2 * RATE)


def recited(text: str, *parts: tuple[float, list[Place]], pause: float = 0.0) -> tuple[list[Sound], list[Word]]:
    """The text with so many seconds of sound in each part, and the places told with it."""
    sounds: list[Sound] = []
    recital = Recital(text, RATE, sounds.append, pause=pause)
    for seconds, places in parts:
        recital.add(bytes(2 * round(seconds * RATE)), places)
    recital.end()
    return sounds, [word for sound in sounds for word in sound.words]


def near(words: list[Word]) -> list[Word]:
    return [Word(word.text, round(word.start, 3), round(word.end, 3)) for word in words]


def test_a_word_ends_where_the_next_one_begins_or_its_clause_ends() -> None:
    places = [Place(0.0, 0), Place(0.4, 6), Place(0.9, None)]
    _, words = recited("Hello there.", (1.0, places))
    assert near(words) == [Word("Hello", 0.0, 0.4), Word("there.", 0.4, 0.9)]


def test_a_word_comes_with_the_sound_that_it_ends_in() -> None:
    sounds, _ = recited("one two", (0.3, [Place(0.0, 0)]), (0.3, [Place(0.4, 4)]), (0.3, []))
    assert [[word.text for word in sound.words] for sound in sounds] == [[], ["one"], [], ["two"]]


def test_two_places_within_one_word_are_one_word() -> None:
    _, words = recited("at 10:30 sharp", (1.0, [Place(0.0, 0), Place(0.2, 3), Place(0.4, 5), Place(0.6, 9)]))
    assert [(word.text, round(word.end, 2)) for word in words] == [("at", 0.2), ("10:30", 0.6), ("sharp", 1.0)]


def test_words_without_a_place_share_the_time_around_them() -> None:
    _, words = recited("yes - well - no", (1.0, [Place(0.0, 0), Place(0.8, 13)]))
    assert [word.text for word in words] == ["yes", "-", "well", "-", "no"]
    assert [word.end for word in words] == sorted(word.end for word in words)


def test_all_words_are_told_even_without_a_single_place() -> None:
    _, words = recited("no places at all", (1.0, []))
    assert [word.text for word in words] == ["no", "places", "at", "all"]
    assert abs(words[-1].end - 1.0) < 0.01


def test_a_pause_comes_before_the_words_and_moves_them() -> None:
    sounds, words = recited("Hello.", (0.5, [Place(0.0, 0), Place(0.5, None)]), pause=0.2)
    assert abs(sum(sound.clip.seconds for sound in sounds) - 0.7) < 0.01
    assert near(words) == [Word("Hello.", 0.2, 0.7)]
    assert sounds[0].clip.mulaw()[:1600] == b"\xff" * 1600
