"""The recogniser in this very process, so that it can be used in virtual time, and a voice to be recognised."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from app.audio import silence
from app.ears.offline_recognisers import Answer
from app.ears.offline_wire import Kind, Letter
from app.ears.offline_worker import Listener
from app.mind.offline_meaning import examples, source
from app.mouth.offline_espeak import espeak
from app.mouth.offline_recital import Place, Recital
from app.mouth.ways import Sound

CALLER = "en-us+klatt3"  # of espeak-ng's voices the one that is understood best
PACE = 150  # words a minute


@dataclass
class HereWorkers:
    """What `Recognisers` are, without a process: what is asked is answered before the question returns."""

    listener: Listener
    calls: int = 0
    _answers: dict[int, Answer] = field(default_factory=dict)
    _utterances: int = 0

    async def worker(self) -> "HereWorkers":
        return self

    def begin(self, line: str, answer: Answer) -> int:
        self._utterances += 1
        self._answers[self._utterances] = answer
        self.send(Kind.BEGIN, self._utterances, line.encode())
        return self._utterances

    def send(self, kind: Kind, utterance: int, body: bytes = b"") -> None:
        for letter in self.listener.take(Letter(kind, utterance, body)):
            self._answers[letter.utterance](letter)

    async def died(self) -> str:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


@cache
def listener() -> Listener:
    """The clinic's, made once: it takes a second."""
    return Listener(source(), examples(), Path(tempfile.mkdtemp(prefix="patchcord-test-")))


def spoken(text: str, *, before: float = 0.0, after: float = 0.0) -> bytes:
    """Mu-law of this text in the caller's voice."""
    sounds: list[Sound] = []
    recital = Recital(text, espeak().rate, sounds.append)

    def take(linear: bytes, places: list[Place]) -> bool:
        recital.add(linear, places)
        return True

    espeak().say(text, CALLER, PACE, take)
    recital.end()
    return silence(before) + b"".join(sound.clip.mulaw() for sound in sounds) + silence(after)
