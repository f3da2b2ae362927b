"""One text while espeak-ng says it: its sound as clips for the telephone, and its words with the clip they end in.

The synthesiser names words by their letters and counts "10:30" as two; here they are the words of the text, as the
core counts them. Pure: it is given sound and places, and gives clips.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.audio import RATE, Clip, silence
from app.call.events import Word
from app.mouth.offline_lowpass import Telephoned
from app.mouth.ways import Sound
from app.mouth.words import spread

CLIP_SECONDS = 0.2  # so much can be cut off by an interruption without having been made in vain


@dataclass(frozen=True, slots=True)
class Place:
    """Where a word begins in the text, or a clause ends (`letter` is None), and when that sounds."""

    seconds: float
    letter: int | None


class Recital:
    """`pause` seconds of silence come first; times count from the beginning of the silence."""

    def __init__(self, text: str, rate: int, give: Callable[[Sound], None], *, pause: float = 0.0) -> None:
        self._words = text.split()
        self._letters = _beginnings(text, self._words)
        self._give = give
        self._pause = pause
        self._telephoned = Telephoned(rate)
        self._sound = bytearray(silence(pause))
        self._given = 0  # samples
        self._told = 0  # words whose end is known
        self._begun = pause  # when the first of the others began
        self._ended: list[Word] = []

    def add(self, linear: bytes, places: Iterable[Place]) -> None:
        for place in places:
            if place.letter is None:
                self._end_words(min(self._told + 1, len(self._words)), place.seconds)
            else:
                self._end_words(bisect_right(self._letters, place.letter) - 1, place.seconds)
        self._sound += self._telephoned.add(linear)
        if len(self._sound) >= CLIP_SECONDS * RATE:
            self._let_go()

    def end(self) -> None:
        """All has been said."""
        self._sound += self._telephoned.end()
        seconds = (self._given + len(self._sound)) / RATE
        self._end_words(len(self._words), seconds - self._pause)
        self._ended = [Word(word.text, min(word.start, seconds), min(word.end, seconds)) for word in self._ended]
        self._let_go()

    def _end_words(self, count: int, seconds: float) -> None:
        """So many words have ended by now."""
        seconds = max(self._begun, self._pause + seconds)
        if count > self._told:
            self._ended += spread(self._words[self._told : count], self._begun, seconds)
            self._told = count
        self._begun = seconds

    def _let_go(self) -> None:
        self._given += len(self._sound)
        ended = [word for word in self._ended if word.end <= self._given / RATE]
        del self._ended[: len(ended)]
        if self._sound:
            self._give(Sound(Clip.of(bytes(self._sound)), tuple(ended)))
        self._sound.clear()


def _beginnings(text: str, words: list[str]) -> list[int]:
    """The letter at which each word begins."""
    letters, at = [], 0
    for word in words:
        at = text.index(word, at)
        letters.append(at)
        at += len(word)
    return letters
