"""A mouth without a vendor: espeak-ng, the same voice for every call and ready within a millisecond.

Nothing is rendered ahead, because nothing needs to be: a text is made some hundred times faster than it sounds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from app.call.actions import Speak
from app.call.agent import Agent
from app.call.events import Event, Metered, Voiced, VoiceEnded, VoiceFailed, Word
from app.errors import VendorError
from app.mouth.offline_espeak import PRODUCT, VENDOR, espeak
from app.mouth.offline_studio import Order, Studio, ThreadStudio
from app.mouth.ways import Sound

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]

PREFIX = "espeak:"  # before the name of a voice, in an agent's settings: espeak:en-us+klatt3
VARIANT = "+f3"  # the clearest of the women's voices at 8 kHz
LANGUAGES = {
    "en": "en-us",
    "en-us": "en-us",
    "en-gb": "en",
    "pt-br": "pt-br",
}  # where espeak-ng's name is not simply the language
PAUSE = 0.2  # between two texts of one utterance, which are sentences


@dataclass(slots=True)
class _Saying:
    """One utterance on its way."""

    last: bool = False
    orders: list[Order] = field(default_factory=list)  # not at their end yet
    sounding: Order | None = None
    base: float = 0.0  # where the text that is sounding began
    sound: float = 0.0  # seconds voiced so far


class OfflineMouth:
    """Speaking for one call. `speak` and `stop` never wait; `run` lives as long as the call."""

    def __init__(self, studio: Studio, agent: Agent, report: Report, later: Later) -> None:
        self._studio = studio
        self._voice = voice_of(agent)
        self._report = report
        self._sayings: dict[int, _Saying] = {}

    def speak(self, order: Speak) -> None:
        """Take the next piece of an utterance."""
        saying = self._sayings.setdefault(order.question, _Saying())
        saying.last = order.last
        if text := " ".join(order.text.split()):
            self._say(order.question, saying, text)
        elif saying.last and not saying.orders:
            self._end(order.question, VoiceEnded(order.question))

    def stop(self, question: int) -> None:
        """Nobody wants to hear the rest."""
        if (saying := self._sayings.pop(question, None)) is not None:
            for order in saying.orders:
                order.cancelled = True

    async def run(self) -> None:
        """Speak until cancelled; what is being said then is broken off."""
        try:
            await asyncio.Event().wait()
        finally:
            for question in list(self._sayings):
                self.stop(question)

    def _say(self, question: int, saying: _Saying, text: str) -> None:
        def deliver(told: Sound | VendorError | None) -> None:
            if order.cancelled:
                return
            if isinstance(told, Sound):
                self._voiced(question, saying, told)
            elif told is None:
                self._said(question, saying, order)
            else:
                self._end(question, VoiceFailed(question, str(told), again=told.again))

        pause = PAUSE if saying.orders or saying.sound else 0.0
        order = Order(self, text, self._voice, pause, deliver)
        saying.orders.append(order)
        self._studio.take(order)

    def _voiced(self, question: int, saying: _Saying, sound: Sound) -> None:
        order = saying.orders[0]
        if saying.sounding is not order:
            saying.sounding, saying.base = order, saying.sound
            self._report(Metered(VENDOR, PRODUCT, "character", str(len(order.text)), question))
        words = tuple(Word(word.text, saying.base + word.start, saying.base + word.end) for word in sound.words)
        self._report(Voiced(question, sound.clip, words))
        saying.sound += sound.clip.seconds

    def _said(self, question: int, saying: _Saying, order: Order) -> None:
        saying.orders.remove(order)
        if saying.last and not saying.orders:
            self._end(question, VoiceEnded(question))

    def _end(self, question: int, event: VoiceEnded | VoiceFailed) -> None:
        self.stop(question)
        self._report(event)


class OfflineVoices:
    """What the mouths of all calls of a process share: one thread that speaks."""

    def __init__(self, studio: ThreadStudio) -> None:
        self._studio = studio

    @classmethod
    def open(cls) -> "OfflineVoices":
        return cls(ThreadStudio())

    def mouth(self, agent: Agent, report: Report, later: Later) -> OfflineMouth:
        """The mouth of one call."""
        return OfflineMouth(self._studio, agent, report, later)

    async def render(self, agent: Agent) -> dict[str, str]:
        """Nothing has to be ready. Gives what cannot be spoken at all, with the reason."""
        try:
            await asyncio.to_thread(_try, voice_of(agent))
        except VendorError as error:
            return {agent.greeting: str(error)}
        return {}

    async def close(self) -> None:
        await self._studio.close()


def voice_of(agent: Agent) -> str:
    """The agent's own voice when it is one of espeak-ng's, else one that speaks its language."""
    if agent.voice.startswith(PREFIX):
        return agent.voice.removeprefix(PREFIX)
    language = agent.language.lower()
    return LANGUAGES.get(language, language.split("-")[0]) + VARIANT


def _try(voice: str) -> None:
    espeak().say("a", voice, 160, lambda sound, places: False)
