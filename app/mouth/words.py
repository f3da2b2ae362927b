"""Which word sounds when: out of a vendor's letter times, or estimated where there are none. Pure."""

from collections.abc import Iterator, Sequence

from app.call.events import Word

LETTER_SECONDS = 0.065  # people and voices speak 15 letters a second, the spaces counted in


class WordTimes:
    """Letters with their times, message after message, into the words of the text that is being spoken.

    A word is told as soon as it is whole, with the sound in which it ends, though its letters come in two messages.
    """

    def __init__(self) -> None:
        self.told = 0  # words given so far
        self._expected: list[str] = []
        self._letters = ""
        self._start = 0.0
        self._end = 0.0

    def expect(self, text: str) -> None:
        self._expected += text.split()

    @property
    def expected(self) -> int:
        return len(self._expected)

    @property
    def reached(self) -> float:
        """Where the last letter ended."""
        return self._end

    @property
    def begun(self) -> int:
        """Words of which at least one letter has sounded."""
        return self.told + bool(self._letters)

    @property
    def untold(self) -> list[str]:
        """The words that have not been given yet, the one that has begun among them."""
        return self._expected[self.told :]

    def add(self, letters: Sequence[str], starts: Sequence[float], ends: Sequence[float]) -> tuple[Word, ...]:
        """The words that end within these letters."""
        words = []
        for letter, start, end in zip(letters, starts, ends, strict=False):
            if letter.isspace():
                words += self._close()
                continue
            if not self._letters:
                self._start = start
            self._letters += letter
            self._end = end
            if self.untold and self._letters == self.untold[0]:  # whole, though the space has not come yet
                words += self._close()
        return tuple(words)

    def rest(self, sound: float) -> tuple[Word, ...]:
        """All words not given yet, when the sound has ended after so many seconds; spread where times are missing."""
        words = self._close()
        if self.untold:
            words += spread(self.untold, self._end, max(sound, self._end))
            self.told = len(self._expected)
        return tuple(words)

    def _close(self) -> list[Word]:
        if not self._letters:
            return []
        word = Word(self._letters, self._start, self._end)
        self._letters = ""
        self.told += 1
        return [word]


def spread(words: Sequence[str], start: float, end: float) -> list[Word]:
    """These words over this time, each as long as its letters are many."""
    letters = sum(len(word) + 1 for word in words)
    spoken = []
    for word in words:
        length = (end - start) * (len(word) + 1) / letters
        letters -= len(word) + 1
        spoken.append(Word(word, start, start + length))
        start += length
    return spoken


def paced(text: str) -> Iterator[Word]:
    """The words of a text at the pace at which voices usually speak, for sound that comes without times."""
    at = 0.0
    for word in text.split():
        length = (len(word) + 1) * LETTER_SECONDS
        yield Word(word, at, at + length)
        at += length
