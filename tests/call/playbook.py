"""A playbook: a conversation with the core, written down as it happens.

`>> (4.0, SpeechStarted())` something happens at 4 s; `>> 8.1` time passes until 8.1 s; `<< Think(1, ...)` the core asks
for this, in this order; `<< (8.0, Clear())` it asks at that moment. What is not expected is a failure, but for the
notes that change nothing for anybody (Remember, Write, SettleWords, Commit), which are only checked where named.

A telephone is part of it, as faithful as the carrier's: what is played is heard in its time, marks come back when they
were reached, and all at once after a clear.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from app.audio import Clip, silence
from app.call.actions import Action, Clear, Commit, Play, Remember, SettleWords, Speak, Think, Write
from app.call.agent import Agent
from app.call.call import Call
from app.call.events import (
    Event,
    LineOpened,
    Played,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Thought,
    ThoughtEnded,
    Voiced,
    VoiceEnded,
    Word,
)

NOTES = (Remember, Write, SettleWords, Commit)


def second(seconds: float) -> Clip:
    return Clip.of(silence(seconds))


def spoken(question: int, text: str, pace: float = 0.25, starts: float = 0.0) -> Voiced:
    """Sound with its words, each `pace` seconds long."""
    words = text.split()
    heard = tuple(Word(word, starts + n * pace, starts + (n + 1) * pace) for n, word in enumerate(words))
    return Voiced(question, second(pace * len(words)), heard)


@dataclass(frozen=True)
class Plays:
    """Sound of this length altogether, in however many pieces."""

    seconds: float


def plays(seconds: float) -> Plays:
    return Plays(seconds)


class Phone:
    """The carrier's playback buffer, with the times at which its marks are reached."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        self._end = 0.0
        self.echoes = True

    def take(self, action: Action, now: float) -> None:
        if isinstance(action, Play):
            self._end = max(now, self._end) + action.clip.seconds
            self._marks.append((self._end, action.mark))
        elif isinstance(action, Clear):
            self._end = now
            self._marks = deque((now, mark) for _, mark in self._marks)

    def next_echo(self) -> float:
        return self._marks[0][0] if self._marks and self.echoes else math.inf

    def echo(self) -> Played:
        return Played(self._marks.popleft()[1])


class Playbook:
    def __init__(self, agent: Agent, call: Call | None = None) -> None:
        self.agent = agent
        self.call = call or Call(agent, 0.0)
        self.phone = Phone()
        self.now = 0.0
        self._asked: deque[tuple[float, Action]] = deque()
        self.all: list[tuple[float, Event | Action]] = []

    def __bool__(self) -> bool:
        """The book is closed: nothing was asked for that nobody expected."""
        self._nothing_else()
        return True

    def __rshift__(self, happens: tuple[float, Event] | Event | float) -> Playbook:
        self._nothing_else()
        match happens:
            case int() | float():
                self._pass_until(float(happens))
            case (int() | float() as at, event):
                self._pass_until(float(at))
                self._happens(event)
            case event:
                self._happens(event)
        return self

    def __lshift__(self, expected: Any) -> Playbook:
        at, pattern = expected if isinstance(expected, tuple) else (None, expected)
        if isinstance(pattern, Plays):
            self._expect_plays(at, pattern.seconds)
            return self
        self._skip_notes(until=pattern)
        assert self._asked, f"expected {pattern} by {self.now}, but nothing was asked for\n{self.story()}"
        moment, action = self._asked.popleft()
        assert matches(pattern, action), f"expected {pattern}\nbut at {moment} came {action}\n{self.story()}"
        assert at is None or math.isclose(at, moment, abs_tol=1e-6), f"expected at {at}, came at {moment}: {action}"
        return self

    def story(self) -> str:
        return "\n".join(f"  {at:7.3f}  {what}" for at, what in self.all[-25:])

    def _happens(self, event: Event) -> None:
        self.all.append((self.now, event))
        self._take(self.call.receive(event, self.now))

    def _take(self, actions: list[Action]) -> None:
        for action in actions:
            self.all.append((self.now, action))
            self.phone.take(action, self.now)
            self._asked.append((self.now, action))

    def _pass_until(self, until: float) -> None:
        assert until >= self.now, "a playbook is read forwards"
        while True:
            nearest = min(self.call.deadline(), self.phone.next_echo())
            if nearest > until:
                break
            self.now = max(self.now, nearest)
            if self.phone.next_echo() <= self.now:
                self._happens(self.phone.echo())
            else:
                self._take(self.call.tick(self.now))
        self.now = until

    def _expect_plays(self, at: float | None, seconds: float) -> None:
        left = seconds
        while left > 1e-3:
            self._skip_notes()
            assert self._asked, f"{left:.3f} of {seconds} s of sound are missing\n{self.story()}"
            moment, action = self._asked.popleft()
            assert isinstance(action, Play), f"expected sound, came {action}\n{self.story()}"
            assert at is None or math.isclose(at, moment, abs_tol=1e-6), f"expected at {at}, came at {moment}"
            left -= action.clip.seconds
        assert left > -2e-3, f"{-left:.4f} s of sound too many\n{self.story()}"

    def _skip_notes(self, until: Any = None) -> None:
        while self._asked and isinstance(self._asked[0][1], NOTES) and not matches(until, self._asked[0][1]):
            self._asked.popleft()

    def _nothing_else(self) -> None:
        self._skip_notes()
        assert not self._asked, f"nobody expected {self._asked[0]}\n{self.story()}"


def matches(pattern: Any, value: Any) -> bool:
    """`...` is anything; `(..., x)` is a tuple that ends with x; text is compared with how a message reads."""
    if pattern is ...:
        return True
    if isinstance(pattern, str) and not isinstance(value, str):
        return pattern == str(value)
    if isinstance(pattern, tuple) and isinstance(value, tuple):
        if pattern and pattern[0] is ...:
            value = value[len(value) - len(pattern) + 1 :] if len(value) >= len(pattern) - 1 else None
            pattern = pattern[1:]
        return (
            value is not None
            and len(pattern) == len(value)
            and all(matches(one, other) for one, other in zip(pattern, value, strict=True))
        )
    if is_dataclass(pattern) and not isinstance(pattern, type):
        return type(pattern) is type(value) and all(
            matches(getattr(pattern, field.name), getattr(value, field.name)) for field in fields(pattern)
        )
    if isinstance(pattern, float) and isinstance(value, float):
        return math.isclose(pattern, value, abs_tol=1e-6)
    return bool(pattern == value)


CLINIC = Agent(
    name="reception", greeting="Hello, this is the clinic.", prompt="You answer the phone.", work_ahead="off"
)


def ringing(agent: Agent = CLINIC) -> Playbook:
    return Playbook(agent)


def greeted(agent: Agent = CLINIC) -> Playbook:
    """The greeting has been heard; it is two seconds past the ring, and the next question has number 2."""
    from app.call.actions import Speak

    book = ringing(agent) >> (0.5, LineOpened()) << Speak(1, agent.greeting, last=True)
    book = book >> (0.5, Voiced(1, second(1.0), (Word("Hello", 0.0, 1.0),))) << plays(1.0) >> (0.5, VoiceEnded(1))
    return book >> 2.0


# --- how many of them begin ----------------------------------------------------------------------------------------

OPENING = "We open at nine and close at five on weekdays."
EAGER = replace(CLINIC, work_ahead="eager")
CAREFUL = replace(CLINIC, work_ahead="careful")


def asked(book: Playbook, at: float = 4.0) -> Playbook:
    """The caller asks when the clinic is open, and request 2 is on its way one second later."""
    return (
        book
        >> (at, SpeechStarted())
        >> (at + 0.6, SpeechPaused(0.1))
        >> (at + 1.0, SpeechEnded("When are you open?"))
        << Think(2, (..., "caller: When are you open?"))
    )


def answering(book: Playbook) -> Playbook:
    """The agent has 2.5 s of its answer, ten words, on the line from 5.7 s on."""
    return (
        asked(book)
        >> (5.5, Thought(2, OPENING))
        << Speak(3, OPENING)
        >> (5.5, ThoughtEnded(2))
        << Speak(3, "", last=True)
        >> (5.7, spoken(3, OPENING))
        << plays(2.5)
        >> (5.7, VoiceEnded(3))
    )
