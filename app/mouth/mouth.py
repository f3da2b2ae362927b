"""The mouth of one call: gives each utterance to the fastest way of speaking that works at the moment.

Rendered ahead; over the socket; by request to the same vendor; by request to another one. An utterance that has begun
on one way goes on with the next where the first one stopped, as long as that is known to the word.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from app.call.actions import Speak
from app.call.agent import Agent
from app.call.events import Event, Metered, Troubled, Voiced, VoiceEnded, VoiceFailed, Word
from app.errors import VendorError
from app.mouth.elevenlabs import ElevenLabsSocket
from app.mouth.elevenlabs_wire import Rest
from app.mouth.phrases import Phrases
from app.mouth.ways import Sound, Way

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]

SOCKET_WITHIN = 0.3  # a handshake takes 0.1 to 0.2 s, and what it saves is less than what another way would cost
SOUND_WITHIN = 1.2  # the first sound of a request takes 0.3 to 0.5 s; with the core's 1.5 s this stays below 3


@dataclass(slots=True)
class _Saying:
    """One utterance on its way."""

    question: int
    fallback: bool
    pieces: deque[str] = field(default_factory=deque)  # that wait for the way that is being taken
    last: bool = False
    on_socket: bool = False
    said: str = ""  # what was voiced by requests
    sound: float = 0.0  # seconds voiced so far
    whole: str = ""  # the text, while it may be kept as a phrase
    kept: list[Sound] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Mouth:
    """Speaking for one call. `speak` and `stop` never wait; `run` lives as long as the call."""

    def __init__(
        self,
        key: str,
        url: str,
        agent: Agent,
        report: Report,
        later: Later,
        *,
        ways: Sequence[Way],
        phrases: Phrases,
        settings: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` and `url` are ElevenLabs', `settings` its voice settings; `ways` are tried in their order."""
        self._voice = agent.voice
        self._model = agent.voice_model
        self._report = report
        self._socket = ElevenLabsSocket(
            key,
            url,
            agent.voice,
            agent.voice_model,
            self._voiced,
            later,
            self._resume,
            language=agent.language,
            settings=settings,
            clock=clock,
        )
        self._ways = ways
        self._phrases = phrases
        self._sayings: dict[int, _Saying] = {}
        self._group: asyncio.TaskGroup | None = None

    # --- what the switchboard calls -------------------------------------------------------------------------------

    def speak(self, order: Speak) -> None:
        """Take the next piece of an utterance. A whole one that was rendered ahead is voiced before this returns."""
        saying = self._sayings.get(order.question)
        if saying is None:
            if order.last and self._recall(order):
                return
            saying = self._sayings[order.question] = _Saying(order.question, order.fallback)
            if order.last and not order.fallback:
                saying.whole = order.text
        if order.text.strip():
            saying.pieces.append(order.text)
        saying.last = order.last
        self._go_on(saying)

    def stop(self, question: int) -> None:
        """Nobody wants to hear the rest."""
        saying = self._sayings.pop(question, None)
        if saying is None:
            return
        if saying.on_socket:
            self._socket.stop(question)
        if saying.task is not None:
            saying.task.cancel()

    async def run(self) -> None:
        """Keep the socket open and speak what cannot go over it, until cancelled."""
        self._phrases.bill("elevenlabs", self._voice, self._model, self._report)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._socket.run())
                for saying in list(self._sayings.values()):
                    self._go_on(saying)
        finally:
            self._group = None
            self._phrases.bill("elevenlabs", self._voice, self._model, self._report)

    # --- choosing a way -------------------------------------------------------------------------------------------

    def _recall(self, order: Speak) -> bool:
        """Voice a text that was rendered ahead, if it was."""
        sounds = self._phrases.find(self._voice, self._model, order.text)
        if sounds is None:
            return False
        self._report(Metered("elevenlabs", self._model, "character", "0", question=order.question))
        for sound in sounds:
            self._report(Voiced(order.question, sound.clip, sound.words))
        self._report(VoiceEnded(order.question))
        return True

    def _go_on(self, saying: _Saying) -> None:
        """Give what waits to the way that this utterance takes, or begin one."""
        if saying.on_socket or (saying.task is None and not saying.fallback and self._socket.up.is_set()):
            self._give_to_socket(saying)
        elif saying.task is None and self._group is not None:
            saying.task = self._group.create_task(self._find_way(saying))
        saying.more.set()

    def _give_to_socket(self, saying: _Saying) -> None:
        saying.on_socket = True
        text = " ".join(saying.pieces)
        saying.pieces.clear()
        self._socket.speak(saying.question, text, saying.last, sound=saying.sound)

    def _resume(self, rest: Rest) -> None:
        """The socket is gone in the middle of this utterance."""
        saying = self._sayings.get(rest.question)
        if saying is None:
            return
        saying.on_socket = False
        saying.whole = ""  # two halves by two ways are nothing to keep
        if rest.text:
            saying.pieces.appendleft(rest.text)
        saying.sound = rest.sound
        self._go_on(saying)

    async def _find_way(self, saying: _Saying) -> None:
        """Wait for the socket, but not for long; then speak by requests."""
        if not saying.fallback and self._socket.hopeful:
            self._socket.await_order()
            try:
                async with asyncio.timeout(SOCKET_WITHIN):
                    await self._socket.up.wait()
            except TimeoutError:
                pass
            else:
                saying.task = None
                self._give_to_socket(saying)
                return
        try:
            await self._recite(saying)
        except VendorError as error:
            self._end(VoiceFailed(saying.question, str(error), again=error.again))

    # --- speaking by requests -------------------------------------------------------------------------------------

    async def _recite(self, saying: _Saying) -> None:
        """Every piece by a request of its own, until the last."""
        while saying.pieces or not saying.last:
            if not saying.pieces:
                saying.more.clear()
                await saying.more.wait()
                continue
            text = " ".join(saying.pieces)
            saying.pieces.clear()
            await self._recite_piece(saying, text)
            saying.said = f"{saying.said} {text}".lstrip()
        self._end(VoiceEnded(saying.question))

    async def _recite_piece(self, saying: _Saying, text: str) -> None:
        """By the first way that works; when it breaks off, the next one goes on with the word at which it did."""
        untold = text.split()
        failure = VendorError("mouth", "there is no other way to speak", again=False)
        for way in self._ways:
            try:
                await self._recite_by(way, saying, untold)
            except VendorError as error:
                failure = error
                self._report(Troubled("mouth", str(error)))
            else:
                return
        if untold:
            raise failure

    async def _recite_by(self, way: Way, saying: _Saying, untold: list[str]) -> None:
        """Voice these words by one way, and take those off that have ended."""
        text, base, refused = " ".join(untold), saying.sound, False
        if way.vendor != "elevenlabs":
            saying.whole = ""  # kept are sounds of the agent's own voice alone
        try:
            async with asyncio.timeout(SOUND_WITHIN) as patience, aclosing(way.speak(text, saying.said)) as sounds:
                async for sound in sounds:
                    patience.reschedule(None)
                    self._voice_by_request(saying, sound, base)
                    del untold[: len(sound.words)]
        except VendorError:
            refused = saying.sound == base
            raise
        except TimeoutError:
            raise VendorError(way.vendor, f"no sound came within {SOUND_WITHIN:g} s") from None
        finally:
            if not refused:  # what was refused is not billed; whatever else was sent is
                self._report(Metered(way.vendor, way.model, "character", str(len(text)), question=saying.question))

    def _voice_by_request(self, saying: _Saying, sound: Sound, base: float) -> None:
        words = tuple(Word(word.text, base + word.start, base + word.end) for word in sound.words)
        self._voiced(Voiced(saying.question, sound.clip, words))
        saying.sound += sound.clip.seconds

    # --- reporting ------------------------------------------------------------------------------------------------

    def _voiced(self, event: Event) -> None:
        """Everything that is told of an utterance passes here, so that a whole one can be kept."""
        if isinstance(event, VoiceEnded | VoiceFailed):
            self._end(event)
            return
        if isinstance(event, Voiced) and (saying := self._sayings.get(event.question)) and saying.whole:
            saying.kept.append(Sound(event.clip, event.words))
        self._report(event)

    def _end(self, event: VoiceEnded | VoiceFailed) -> None:
        saying = self._sayings.pop(event.question, None)
        if saying is not None and saying.whole and saying.kept and isinstance(event, VoiceEnded):
            self._phrases.keep(self._voice, self._model, saying.whole, saying.kept)
        self._report(event)
