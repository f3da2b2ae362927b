"""What a call comes to: its turns with their moments, its lines as they were heard, what vendors will bill.

A fold over the trace: give it every event and action with its moment, in order, live or from a file. The definitions
of the moments of a turn stand here and nowhere else.
"""

from dataclasses import dataclass, field
from typing import Any

from app.call.actions import Clear, Commit, HangUp, Play, Speak, Think, Transfer, Write
from app.call.events import (
    Connected,
    LineClosed,
    LineOpened,
    Metered,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    Troubled,
    Voiced,
    WordsHeard,
)

DEFINITIONS = {
    "heard_end": "the last frame of the caller's speech, by the local detector",
    "turn_end": "we decide that the turn is over",
    "think_first": "the first token of the answer",
    "clause_first": "the first speakable clause of the answer",
    "voice_first": "the first sound of the answer from the voice vendor",
    "sent_first": "the first sound sent to the caller after the turn's end",
    "gap": "sent_first - heard_end: what the caller waits, without the telephone legs (about 230 ms)",
}


@dataclass(slots=True)
class Turn:
    """One turn of the caller and what it took to answer it. Moments are on the clock of the call."""

    number: int
    asked: str
    question: int
    heard_end: float
    turn_end: float
    ahead: bool = False  # the answer had been begun before the turn was over
    think_first: float | None = None
    clause_first: float | None = None
    voice_first: float | None = None
    sent_first: float | None = None

    @property
    def gap(self) -> float | None:
        return None if self.sent_first is None else self.sent_first - self.heard_end

    def stages(self) -> dict[str, float | None]:
        """How long each step took that came after the turn's end; what was done ahead took no time of the caller's."""
        steps: dict[str, float | None] = {"endpointing": self.turn_end - self.heard_end}
        reached = self.turn_end
        for name, moment in (
            ("first token", self.think_first),
            ("first clause", self.clause_first),
            ("first voice", self.voice_first),
            ("send", self.sent_first),
        ):
            steps[name] = None if moment is None else max(0.0, moment - reached)
            reached = reached if moment is None else max(reached, moment)
        return steps


@dataclass(slots=True)
class Account:
    """Feed it with `add`; read it at any time."""

    turns: list[Turn] = field(default_factory=list)
    lines: list[Write] = field(default_factory=list)
    usage: list[Metered] = field(default_factory=list)
    connects: list[Connected] = field(default_factory=list)
    troubles: list[Troubled] = field(default_factory=list)
    greeting: float | None = None  # from the stream's start to the first sound sent
    barge_ins: list[float] = field(default_factory=list)  # from the caller's onset to the clear
    interruptions: int = 0
    opened: float | None = None
    ended: float | None = None
    reason: str = ""
    fault: str = ""
    _onset: float | None = None
    _cause: Any = None
    _asked: dict[int, float] = field(default_factory=dict)
    _began: dict[int, float] = field(default_factory=dict)
    _clauses: dict[int, float] = field(default_factory=dict)
    _voices: dict[int, float] = field(default_factory=dict)
    _thought_of: dict[int, int] = field(default_factory=dict)  # utterance -> the question it answers

    def add(self, now: float, thing: Any) -> None:
        """One event or action, in the order in which they came."""
        match thing:
            case LineOpened():
                self.opened = now
            case SpeechStarted(ago=ago):
                self._onset = now - ago
            case ThoughtBegan(question=question):
                self._first(self._began, question, now)
            case Thought(question=question):
                self._first(self._began, question, now)
                self._first(self._clauses, question, now)
            case Voiced(question=question):
                self._first(self._voices, question, now)
            case Metered():
                self.usage.append(thing)
            case Connected():
                self.connects.append(thing)
            case Troubled():
                self.troubles.append(thing)
            case LineClosed():
                self.ended = now
            case _:
                self._action(now, thing)
                return
        self._cause = thing
        self._look()

    def _action(self, now: float, action: Any) -> None:
        match action:
            case Think(question=question):
                self._first(self._asked, question, now)
            case Commit(turn=number, question=question, text=text, heard_end=heard_end):
                ahead = self._asked.get(question, now) < now
                self.turns.append(Turn(number, text, question, heard_end, now, ahead))
                self._cause = action
            case Speak(question=question) if isinstance(self._cause, Thought | Commit):
                self._thought_of.setdefault(question, self._cause.question)
            case Play():
                self._sound(now)
            case Clear():
                if self._onset is not None and isinstance(self._cause, SpeechStarted | WordsHeard):
                    self.barge_ins.append(now - self._onset)
            case Write():
                self.lines.append(action)
                self.interruptions += action.interrupted
            case HangUp(reason=reason, fault=fault):
                self.ended, self.reason, self.fault = now, reason, fault
            case Transfer():
                self.ended, self.reason, self.fault = now, "transferred", "agent"
        self._look()

    def _first(self, moments: dict[int, float], question: int, now: float) -> None:
        moments.setdefault(question, now)

    def _sound(self, now: float) -> None:
        if self.greeting is None and self.opened is not None:
            self.greeting = now - self.opened
        if self.turns and self.turns[-1].sent_first is None:
            self.turns[-1].sent_first = now

    def _look(self) -> None:
        """The moments of the last turn, as soon as they are known."""
        if not self.turns:
            return
        turn = self.turns[-1]
        turn.think_first = turn.think_first or self._began.get(turn.question)
        turn.clause_first = turn.clause_first or self._clauses.get(turn.question)
        if turn.voice_first is None:
            voices = (self._voices.get(u) for u, question in self._thought_of.items() if question == turn.question)
            turn.voice_first = min((moment for moment in voices if moment is not None), default=None)
