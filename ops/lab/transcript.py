"""Both sides of a call as lines of text, told as soon as each is over. What was heard decides, not what was sent."""

from collections.abc import Callable
from dataclasses import dataclass

from ops.lab.ear import Cut, Ear, ends_sentence
from ops.lab.speech import Spoken
from ops.lab.story import TURN_PAUSE


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `cut`: it was broken off, in its last word or after it."""

    who: str  # caller, agent or carrier
    start: float
    end: float
    text: str
    cut: bool = False


class Transcript:
    """Follows an ear. Lines come in the order in which they are over."""

    def __init__(self, ear: Ear, tell: Callable[[Line], None]) -> None:
        self.lines: list[Line] = []
        self._ear = ear
        self._tell = tell
        self._taken = 0  # of what the ear heard
        self._sentence: list[Spoken | Cut] = []
        self._cleared = float("inf")
        self._wordless = 0  # stretches of speech told by their length

    def note(self, line: Line) -> None:
        self.lines.append(line)
        self._tell(line)

    def cleared(self, now: float) -> None:
        """The server threw the rest of its speech away: a sentence that is not over ends here."""
        self._cleared = now

    def follow(self, *, to_the_end: bool = False) -> None:
        """Take what was heard meanwhile, and tell the sentences that are over."""
        for heard in self._ear.heard[self._taken :]:
            if self._sentence and heard.start >= self._cleared:
                self._finish(cut=True)
            self._sentence.append(heard)
            if isinstance(heard, Cut) or ends_sentence(heard.text):
                self._finish()
        self._taken = len(self._ear.heard)
        if to_the_end or self._ear.quiet_for(self._ear.until) >= TURN_PAUSE:
            if self._sentence:
                self._finish(cut=self._ear.until >= self._cleared)
            self._tell_wordless()

    def _finish(self, *, cut: bool = False) -> None:
        text = " ".join(heard.text for heard in self._sentence).strip()
        first, last = self._sentence[0], self._sentence[-1]
        self.note(Line("agent", first.start, last.end, text, cut or isinstance(last, Cut)))
        self._sentence = []
        self._cleared = float("inf")

    def _tell_wordless(self) -> None:
        """A real voice carries no words that we could read: it is told by its length."""
        untold = self._ear.stretches[self._wordless :]
        self._wordless = len(self._ear.stretches)
        if untold and not self._ear.heard and not self._ear.prompted:
            start, end = untold[0].start, untold[-1].end
            self.note(Line("agent", start, end, f"({end - start:.1f} s of speech)"))
