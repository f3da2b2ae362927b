"""The caller's sound, cut into utterances by our own voice detector, for recognisers that cannot tell an end.

A pause settles the words early, so that an answer can be begun; if the caller goes on, the same utterance is asked
about again, under a new number, so that the older answer falls through. After a longer silence it is over. Pure but
for what it remembers, and it never waits.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from app.audio import FRAME_SECONDS, RATE
from app.call.events import Event, SpeechEnded, SpeechPaused, SpeechStarted, WordsHeard
from app.ears.detector import Detector

Report = Callable[[Event], None]

BEFORE = 0.3  # seconds of sound kept from before the voice: a soft "h" or "f" is no voice to the detector
OVER = 0.45  # of silence; people pause for 0.2 s within a sentence, and for half a second between two
LONGEST = 30.0  # what is said longer without a pause is a radio
WORTH_ASKING = 0.4  # seconds of voice: shorter sounds that nobody understood were a cough or a door
UNCLEAR = "(unclear)"  # for the mind: somebody spoke, and it was not understood
DOUBTFUL = 0.3


class Recogniser(Protocol):
    """Whoever finds the words. Its answers come by `Utterances.words` and `Utterances.settled`."""

    def begin(self, utterance: int) -> None: ...
    def add(self, utterance: int, sound: bytes) -> None: ...
    def finish(self, utterance: int) -> None: ...
    def forget(self, utterance: int) -> None: ...


@dataclass(slots=True, eq=False)
class _Utterance:
    number: int
    sound: bytearray
    voice: float = 0.0  # seconds
    quiet: float = 0.0  # seconds since the last voice
    asked: bool = False  # its words have been asked to be settled
    over: bool = False
    text: str | None = None  # its settled words


@dataclass(slots=True)
class Utterances:
    """All utterances of one call. `heard` counts the samples that recognisers were given."""

    recogniser: Recogniser
    report: Report
    detector: Detector = field(default_factory=Detector)
    heard: int = 0
    _going_on: _Utterance | None = None
    _all: dict[int, _Utterance] = field(default_factory=dict)  # with an answer that is still wanted
    _before: deque[bytes] = field(default_factory=lambda: deque(maxlen=round(BEFORE / FRAME_SECONDS)))
    _numbers: int = 0

    # --- sound in -------------------------------------------------------------------------------------------------

    def hear(self, frame: bytes) -> None:
        event = self.detector.frame(frame)
        if event is not None:
            self.report(event)
        utterance = self._going_on
        if utterance is None:
            self._before.append(frame)
            if isinstance(event, SpeechStarted):
                self._begin(event.ago)
            return
        utterance.sound += frame
        if isinstance(event, SpeechStarted) and utterance.asked:
            self._ask_anew(utterance)
        elif not utterance.asked:
            self._give(utterance, frame)
        self._count(utterance, event)
        if utterance.quiet >= OVER or len(utterance.sound) > LONGEST * RATE:
            self._end(utterance)

    def settle(self) -> None:
        """Ask for the words now: the caller has paused."""
        utterance = self._going_on
        if utterance is not None and not utterance.asked and not self.detector.speaking:
            self._ask(utterance)

    # --- answers --------------------------------------------------------------------------------------------------

    def words(self, number: int, text: str) -> None:
        """What an utterance is so far."""
        utterance = self._all.get(number)
        if utterance is not None and utterance is self._going_on and not utterance.asked and text:
            self.report(WordsHeard(text))

    def settled(self, number: int, text: str) -> None:
        """What an utterance is; "" when it was not understood."""
        utterance = self._all.get(number)
        if utterance is None:
            return
        utterance.text = text
        if utterance.over:
            self._tell(utterance)
        elif text:
            self.report(WordsHeard(text, settled=True))

    def again(self) -> None:
        """The recogniser has forgotten everything: give it what it has not answered."""
        for utterance in list(self._all.values()):
            if utterance.text is None:
                was_asked = utterance.asked
                self._ask_anew(utterance)
                if was_asked:
                    self._ask(utterance)

    # --- within ---------------------------------------------------------------------------------------------------

    def _begin(self, ago: float) -> None:
        self._numbers += 1
        utterance = _Utterance(self._numbers, bytearray(b"".join(self._before)), voice=ago)
        self._before.clear()
        self._going_on = self._all[utterance.number] = utterance
        self.recogniser.begin(utterance.number)
        self._give(utterance, bytes(utterance.sound))

    def _ask_anew(self, utterance: _Utterance) -> None:
        """The same utterance from its beginning, under a new number."""
        self._all.pop(utterance.number, None)
        self.recogniser.forget(utterance.number)
        self._numbers += 1
        utterance.number, utterance.asked, utterance.text = self._numbers, False, None
        self._all[utterance.number] = utterance
        self.recogniser.begin(utterance.number)
        self._give(utterance, bytes(utterance.sound))

    def _give(self, utterance: _Utterance, sound: bytes) -> None:
        self.heard += len(sound)
        self.recogniser.add(utterance.number, sound)

    def _count(self, utterance: _Utterance, event: SpeechStarted | SpeechPaused | None) -> None:
        if isinstance(event, SpeechPaused):
            utterance.quiet = event.ago
        elif self.detector.speaking:
            utterance.voice, utterance.quiet = utterance.voice + FRAME_SECONDS, 0.0
        else:
            utterance.quiet += FRAME_SECONDS

    def _ask(self, utterance: _Utterance) -> None:
        utterance.asked = True
        self.recogniser.finish(utterance.number)

    def _end(self, utterance: _Utterance) -> None:
        utterance.over = True
        self._going_on = None
        if not utterance.asked:
            self._ask(utterance)
        elif utterance.text is not None:
            self._tell(utterance)

    def _tell(self, utterance: _Utterance) -> None:
        del self._all[utterance.number]
        if utterance.text:
            self.report(SpeechEnded(utterance.text))
        elif utterance.voice >= WORTH_ASKING:
            self.report(SpeechEnded(UNCLEAR, DOUBTFUL))
