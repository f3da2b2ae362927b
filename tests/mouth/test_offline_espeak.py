"""The real library: sound, the places of words, and a stop."""

import pytest

from app.audio import loudness
from app.errors import VendorError
from app.mouth.offline_espeak import espeak
from app.mouth.offline_recital import Place


def said(text: str, most: int = 1000) -> tuple[bytes, list[Place]]:
    """The first pieces of a text."""
    sounds: list[bytes] = []
    places: list[Place] = []

    def take(sound: bytes, found: list[Place]) -> bool:
        sounds.append(sound)
        places.extend(found)
        return len(sounds) < most

    espeak().say(text, "en-us+f3", 160, take)
    return b"".join(sounds), places


def test_a_text_becomes_a_voice_and_its_words_have_places() -> None:
    text = "Grüß Gott, we open at nine."
    sound, places = said(text)
    assert 1.0 < len(sound) / 2 / espeak().rate < 4.0
    assert loudness(sound) > 500
    begun = [place.letter for place in places if place.letter is not None]
    assert [text[letter:].split()[0] for letter in begun] == text.split()
    assert [place.seconds for place in places] == sorted(place.seconds for place in places)


def test_whoever_has_heard_enough_is_told_no_more() -> None:
    text = "This goes on, and on, and on. " * 10
    assert len(said(text, most=2)[0]) < len(said(text)[0]) / 10


def test_after_a_stop_the_next_text_is_whole() -> None:
    whole = said("Hello there.")
    said("This goes on, and on. " * 5, most=1)
    again = said("Hello there.")  # not the same to the sample: the voice is never quite steady, as people's are not
    assert len(again[0]) == len(whole[0])


@pytest.mark.parametrize("voice", ["nobody", "nobody+f3"])
def test_an_unknown_voice_is_refused(voice: str) -> None:
    with pytest.raises(VendorError, match="espeak-ng has no voice 'nobody"):
        espeak().say("Hello.", voice, 160, lambda sound, places: True)
