"""A mouth that speaks through a server of one's own: each piece by a request, what is said often from memory."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Self, cast

import httpx

from app.call.actions import Speak
from app.call.agent import Agent
from app.call.events import Event, Metered, Voiced, VoiceEnded, VoiceFailed, Word
from app.errors import VendorError
from app.mouth.local_server import MODEL, VENDOR, LocalRequests, open_requests
from app.mouth.phrases import Phrases
from app.mouth.ways import Sound

PREFIX = "local:"  # before the name of a voice, in an agent's settings: local:af_heart
VOICE = "alloy"  # the name that every such server takes

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]


@dataclass(slots=True)
class _Saying:
    """One utterance on its way."""

    pieces: deque[str] = field(default_factory=deque)
    last: bool = False
    sound: float = 0.0  # seconds voiced so far
    more: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class LocalMouth:
    """Speaking for one call. `speak` and `stop` never wait; `run` lives as long as the call."""

    def __init__(self, way: LocalRequests, phrases: Phrases, report: Report, later: Later) -> None:
        self._way = way
        self._phrases = phrases
        self._report = report
        self._sayings: dict[int, _Saying] = {}
        self._group: asyncio.TaskGroup | None = None

    def speak(self, order: Speak) -> None:
        """Take the next piece of an utterance. A whole one that was rendered ahead is voiced before this returns."""
        saying = self._sayings.get(order.question)
        if saying is None:
            if order.last and self._recall(order):
                return
            saying = self._sayings[order.question] = _Saying()
        if order.text.strip():
            saying.pieces.append(order.text)
        saying.last = order.last
        saying.more.set()
        self._begin(order.question, saying)

    def stop(self, question: int) -> None:
        """Nobody wants to hear the rest."""
        saying = self._sayings.pop(question, None)
        if saying is not None and saying.task is not None:
            saying.task.cancel()

    async def run(self) -> None:
        """Speak until cancelled."""
        self._phrases.bill(VENDOR, self._way.voice, self._way.model, self._report)
        try:
            async with asyncio.TaskGroup() as self._group:
                for question, saying in list(self._sayings.items()):
                    self._begin(question, saying)
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._phrases.bill(VENDOR, self._way.voice, self._way.model, self._report)

    def _recall(self, order: Speak) -> bool:
        sounds = self._phrases.find(self._way.voice, self._way.model, order.text)
        if sounds is None:
            return False
        for sound in sounds:
            self._report(Voiced(order.question, sound.clip, sound.words))
        self._report(VoiceEnded(order.question))
        return True

    def _begin(self, question: int, saying: _Saying) -> None:
        if saying.task is None and self._group is not None:
            saying.task = self._group.create_task(self._recite(question, saying))

    async def _recite(self, question: int, saying: _Saying) -> None:
        """Every piece by a request of its own, until the last."""
        end: VoiceEnded | VoiceFailed = VoiceEnded(question)
        try:
            while saying.pieces or not saying.last:
                if not saying.pieces:
                    saying.more.clear()
                    await saying.more.wait()
                    continue
                text = " ".join(" ".join(saying.pieces).split())
                saying.pieces.clear()
                await self._recite_piece(question, saying, text)
        except VendorError as error:
            end = VoiceFailed(question, str(error), again=error.again)
        self._sayings.pop(question, None)
        self._report(end)

    async def _recite_piece(self, question: int, saying: _Saying, text: str) -> None:
        base = saying.sound
        async with aclosing(self._way.speak(text)) as sounds:
            async for sound in sounds:
                if saying.sound == base:  # what is refused costs nothing
                    self._report(Metered(VENDOR, self._way.model, "character", str(len(text)), question))
                self._voiced(question, saying, sound, base)

    def _voiced(self, question: int, saying: _Saying, sound: Sound, base: float) -> None:
        words = tuple(Word(word.text, base + word.start, base + word.end) for word in sound.words)
        self._report(Voiced(question, sound.clip, words))
        saying.sound += sound.clip.seconds


@dataclass(frozen=True, slots=True)
class LocalVoices:
    """What the mouths of all calls of a process share: connections to the server, and sound rendered ahead."""

    requests: httpx.AsyncClient
    url: str
    model: str
    voice: str
    phrases: Phrases

    @classmethod
    def open(cls, url: str, *, key: str = "", model: str = MODEL, voice: str = VOICE) -> Self:
        """`voice` speaks for agents that name none of the server's."""
        return cls(open_requests(key), url, model, voice, Phrases())

    def mouth(self, agent: Agent, report: Report, later: Later) -> LocalMouth:
        """The mouth of one call."""
        return LocalMouth(self._way(agent), self.phrases, report, later)

    async def render(self, agent: Agent) -> dict[str, str]:
        """Have ready what this agent says without thinking; gives what failed, with the reason. Again is cheap."""
        texts = (agent.greeting, agent.disclosure, *agent.phrases.all())
        return await self.phrases.render(cast(Any, self._way(agent)), texts)

    async def close(self) -> None:
        await self.requests.aclose()

    def _way(self, agent: Agent) -> LocalRequests:
        named = agent.voice.removeprefix(PREFIX) if agent.voice.startswith(PREFIX) else self.voice
        return LocalRequests(self.requests, self.url, named, self.model)
