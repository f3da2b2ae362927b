"""Ears that know by heart what may be said to them: a matched filter for each sentence, behind the real voice detector.

A browser converts the rate of its microphone, so whatever is hidden in the lowest bits of the lab's speech is gone.
What is left is the sound itself, and a sentence is recognised by it alone, word after word while it is being said.
"""

import asyncio
import audioop
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.audio import to_linear
from app.call.events import SpeechEnded, SpeechPaused, SpeechStarted, WordsHeard
from app.ears.detector import Detector
from app.switchboard.ports import Report
from ops.lab import speech

RATE = 8000
ALIGNED = 0.3  # seconds of a sentence that suffice to find where it begins
EARLY = 0.3  # the detector may be so late
SURE = 0.8  # of the sound's energy is the sentence's; two different ones share a third
ENDED = 0.4  # seconds of silence after which an utterance is over
OFTEN = 5  # frames between two looks


@dataclass
class Sentence:
    text: str
    voice: str = "caller"
    sound: bytes = b""  # 16-bit linear
    ends: list[float] = field(default_factory=list)  # of its words, in seconds

    def __post_init__(self) -> None:
        self.sound = speech.to_linear(speech.say(self.text, voice=self.voice))
        self.ends = [word.end for word in speech.words_of(self.text)]

    def place_in(self, heard: bytes) -> int:
        """At which byte of this sound the sentence would begin."""
        audible = audioop.bias(heard, 2, 1)  # in perfect silence there is nothing to divide by
        start, _ = audioop.findfit(audible, self.sound[: _bytes(ALIGNED)])
        return 2 * start

    def fit(self, heard: bytes) -> float:
        """How much of the energy of this sound is the beginning of the sentence: 1 all of it, 0 nothing."""
        size = min(len(heard), len(self.sound))
        heard, mine = heard[:size], self.sound[:size]
        rest = audioop.add(heard, audioop.mul(mine, 2, -audioop.findfactor(heard, mine)), 2)
        return 1 - (audioop.rms(rest, 2) / max(1, audioop.rms(heard, 2))) ** 2

    def words_within(self, seconds: float) -> str:
        return " ".join(self.text.split()[: sum(end <= seconds for end in self.ends)])


class ByHeart:
    """Ears, as `ports.Ears` wants them."""

    def __init__(self, report: Report, sentences: Sequence[str]) -> None:
        self._report = report
        self._sentences = [Sentence(text) for text in sentences]
        self._detector = Detector()
        self._recent = b""
        self._heard: bytes | None = None  # since an utterance began
        self._places: list[int] = []
        self._quiet = 0.0
        self._words = ""
        self.fits: list[float] = []
        self.frames = 0

    def hear(self, frame: bytes) -> None:
        self.frames += 1
        linear = to_linear(frame)
        self._recent = (self._recent + linear)[-_bytes(2 * EARLY) :]
        if self._heard is not None:
            self._heard += linear
        event = self._detector.frame(frame)
        if event is not None:
            self._report(event)
        if isinstance(event, SpeechStarted) and self._heard is None:
            self._heard, self._places, self._words = self._recent, [], ""
        if isinstance(event, SpeechStarted):
            self._quiet = 0.0
        elif isinstance(event, SpeechPaused):
            self._quiet = 0.02
        elif self._quiet:
            self._quiet += 0.02
        if self._heard is not None and self.frames % OFTEN == 0:
            self._listen()
        if self._quiet > ENDED:
            self._end()

    def _listen(self) -> None:
        assert self._heard is not None
        if len(self._heard) < _bytes(2 * EARLY + ALIGNED):
            return
        if not self._places:
            self._places = [sentence.place_in(self._heard) for sentence in self._sentences]
        fits = [
            sentence.fit(self._heard[place:]) for sentence, place in zip(self._sentences, self._places, strict=True)
        ]
        best = max(range(len(fits)), key=fits.__getitem__)
        if fits[best] < SURE:
            return
        self.fits.append(fits[best])
        seconds = (len(self._heard) - self._places[best]) / 2 / RATE
        words = self._sentences[best].words_within(seconds)
        if words and words != self._words:
            self._words = words
            self._report(WordsHeard(words))

    def _end(self) -> None:
        if self._heard is not None:
            self._listen()
        self._report(SpeechEnded(self._words))
        self._heard, self._quiet = None, 0.0

    def settle(self) -> None:
        return None

    async def run(self) -> None:
        await asyncio.Event().wait()


def _bytes(seconds: float) -> int:
    return 2 * round(seconds * RATE)
