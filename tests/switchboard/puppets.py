"""Senses on strings: they do what the ports promise, and what they are asked for is there to be read.

The mind answers each request with the next of its answers, the mouth says a quarter of a second a word, the line is a
telephone with a playback buffer. All of them take time, on the clock of the loop that they run in.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from app.audio import Clip, silence
from app.call.actions import Speak, Think, UseTools
from app.call.agent import Agent
from app.call.events import (
    Event,
    Metered,
    Played,
    Thought,
    ThoughtBegan,
    ThoughtEnded,
    ToolAnswer,
    ToolCall,
    ToolsAnswered,
    ToolsWanted,
    Voiced,
    VoiceEnded,
    Word,
)
from app.switchboard.ports import CallFacts, Later, Report, Senses

WORD_SECONDS = 0.25
Answer = str | tuple[ToolCall, ...]


@dataclass
class PuppetEars:
    report: Report
    frames: list[bytes] = field(default_factory=list)
    settled: int = 0
    cancelled: bool = False

    def hear(self, frame: bytes) -> None:
        self.frames.append(frame)

    def settle(self) -> None:
        self.settled += 1

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True
            self.report(Metered("deepgram", "nova-3", "second", "9.5"))


@dataclass
class PuppetMind:
    report: Report
    answers: deque[Answer] = field(default_factory=deque)
    asked: list[Think] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    warmed: int = 0
    first_token: float = 0.3

    async def warm(self) -> None:
        self.warmed += 1

    async def think(self, ask: Think) -> None:
        self.asked.append(ask)
        try:
            await asyncio.sleep(self.first_token)
        except asyncio.CancelledError:
            self.cancelled.append(ask.question)
            raise
        self.report(ThoughtBegan(ask.question))
        answer = self.answers.popleft() if self.answers else "I see."
        if isinstance(answer, str):
            self.report(Thought(ask.question, answer))
            self.report(ThoughtEnded(ask.question))
        else:
            self.report(ToolsWanted(ask.question, answer))
            self.report(ThoughtEnded(ask.question, "tools"))


@dataclass
class PuppetMouth:
    report: Report
    said: list[Speak] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)

    def speak(self, order: Speak) -> None:
        self.said.append(order)
        words = order.text.split()
        if words:
            timed = tuple(Word(word, n * WORD_SECONDS, (n + 1) * WORD_SECONDS) for n, word in enumerate(words))
            self.report(Voiced(order.question, Clip.of(silence(WORD_SECONDS * len(words))), timed))
        if order.last:
            self.report(VoiceEnded(order.question))

    def stop(self, question: int) -> None:
        self.stopped.append(question)

    async def run(self) -> None:
        await asyncio.Event().wait()


@dataclass
class PuppetTools:
    report: Report
    used: list[UseTools] = field(default_factory=list)
    seconds: float = 0.1

    async def use(self, ask: UseTools) -> None:
        self.used.append(ask)
        await asyncio.sleep(self.seconds)
        self.report(ToolsAnswered(ask.question, tuple(ToolAnswer(call.id, "done") for call in ask.calls)))


@dataclass
class PuppetLine:
    """A telephone: what is played takes its time, and its marks come back."""

    played: Callable[[Event], None]
    closed: bool = False
    clears: int = 0
    heard: float = 0.0
    _end: float = 0.0
    _marks: list[tuple[asyncio.TimerHandle, int]] = field(default_factory=list)

    async def play(self, clip: Clip, mark: int) -> None:
        loop = asyncio.get_running_loop()
        self._end = max(self._end, loop.time()) + clip.seconds
        self._marks.append((loop.call_at(self._end, self._echo, mark), mark))

    async def clear(self) -> None:
        self.clears += 1
        self._end = asyncio.get_running_loop().time()
        for timer, mark in list(self._marks):
            timer.cancel()
            self._echo(mark)

    async def close(self) -> None:
        self.closed = True

    def _echo(self, mark: int) -> None:
        self._marks = [waiting for waiting in self._marks if waiting[1] != mark]
        self.played(Played(mark))


@dataclass
class Troupe:
    """Every puppet that was hired, by call."""

    ears: dict[str, PuppetEars] = field(default_factory=dict)
    minds: dict[str, PuppetMind] = field(default_factory=dict)
    mouths: dict[str, PuppetMouth] = field(default_factory=dict)
    tools: dict[str, PuppetTools] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()

    def hire(self, agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
        ears = self.ears[facts.sid] = PuppetEars(report)
        mind = self.minds[facts.sid] = PuppetMind(report, deque(self.answers))
        mouth = self.mouths[facts.sid] = PuppetMouth(report)
        tools = self.tools[facts.sid] = PuppetTools(report)
        return Senses(ears, mind, mouth, tools)


@dataclass
class ListTrace:
    """A trace that is kept in memory."""

    lines: list[str] = field(default_factory=list)
    closed: bool = False

    def write(self, lines: str) -> None:
        self.lines.extend(lines.splitlines(keepends=True))

    def close(self) -> None:
        self.closed = True


async def nothing(_: object) -> None:
    return None
