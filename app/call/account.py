"""What a call comes to: its turns with their moments, its lines as they were heard, what vendors will bill.

A fold over the trace: give it every event and action with its moment, in order, live or from a file. The definitions
of the moments of a turn stand here and nowhere else.
"""

from dataclasses import dataclass, field
from typing import Any

from app.call.actions import Clear, Commit, HangUp, Play, Speak, Think, Transfer, UseTools, Write
from app.call.events import (
    Connected,
    LineClosed,
    LineOpened,
    Metered,
    SpeechEnded,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    ToolsAnswered,
    Troubled,
    Voiced,
    WordsHeard,
)
from app.call.outcome import by_closing

DEFINITIONS = {
    "heard_end": "the last frame of the caller's speech, by the local detector",
    "turn_end": "we decide that the turn is over",
    "think_first": "the first token of the answer",
    "clause_first": "the first speakable clause of the answer",
    "voice_first": "the first sound of the answer from the voice vendor",
    "sent_first": "the first sound sent to the caller after the turn's end",
    "gap": "sent_first - heard_end: what the caller waits, without the telephone legs (about 230 ms)",
}

_HEARD_AS_A_GAP = 0.02  # one frame: less silence within speech nobody hears


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
    transcript: float | None = None  # the last words of the turn came
    tool_seconds: float | None = None
    waited: float = 0.0  # how long the events that led to the answer lay in our inbox

    @property
    def own(self) -> float | None:
        """Our own share of the gap: what was ready and not yet sent, and what waited for us to look at it."""
        if self.sent_first is None:
            return None
        ready = max(self.turn_end, self.voice_first or self.turn_end)
        return min(self.gap or 0.0, max(0.0, self.sent_first - ready) + self.waited)

    @property
    def vendors(self) -> float | None:
        """The rest of the gap, spent waiting for vendors."""
        return None if self.gap is None or self.own is None else self.gap - self.own

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
    false_interruptions: int = 0  # the agent fell silent, and went on
    underruns: int = 0  # the agent fell silent within an utterance because its sound did not come in time
    opened: float | None = None
    ended: float | None = None
    reason: str = ""
    fault: str = ""
    last: float = 0.0  # the moment of whatever came last
    _onset: float | None = None
    _cleared: bool = False
    _runs_dry: float = 0.0
    _sounding: int = 0  # the utterance whose sound was sent last
    _words_at: float | None = None
    _tools_at: float | None = None
    _waits: dict[int, float] = field(default_factory=dict)  # by question or utterance
    _cause: Any = None
    _asked: dict[int, float] = field(default_factory=dict)
    _began: dict[int, float] = field(default_factory=dict)
    _clauses: dict[int, float] = field(default_factory=dict)
    _voices: dict[int, float] = field(default_factory=dict)
    _thought_of: dict[int, int] = field(default_factory=dict)  # utterance -> the question it answers

    def add(self, now: float, thing: Any, waited: float = 0.0) -> None:
        """One event or action, in the order in which they came; an event may have `waited` in our inbox."""
        self.last = now
        match thing:
            case LineOpened():
                self.opened = now
            case WordsHeard() | SpeechEnded():
                self._words_at, self._waits[0] = now, waited
            case SpeechStarted(ago=ago):
                self._onset = now - ago
            case ThoughtBegan(question=question):
                self._first(self._began, question, now)
            case Thought(question=question):
                self._first(self._began, question, now)
                self._first(self._clauses, question, now)
                self._waits.setdefault(question, waited)
            case Voiced(question=question):
                self._first(self._voices, question, now)
                self._waits.setdefault(question, waited)
            case ToolsAnswered():
                self._tools_done(now)
            case Metered():
                self.usage.append(thing)
            case Connected():
                self.connects.append(thing)
            case Troubled():
                self.troubles.append(thing)
            case LineClosed(by=by):
                closed = by_closing(by)
                self.ended, self.reason, self.fault = now, self.reason or closed.reason, self.fault or closed.fault
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
                turn = Turn(number, text, question, heard_end, now, ahead, transcript=self._words_at)
                turn.waited = self._waits.pop(0, 0.0)
                self.turns.append(turn)
                self._words_at = None
                self._cause = action
            case UseTools():
                self._tools_at = now
            case Speak(question=question) if isinstance(self._cause, Thought | Commit):
                self._thought_of.setdefault(question, self._cause.question)
            case Play(clip=clip):
                self._sound(now, clip.seconds)
            case Clear():
                self._cleared = True
                if self._onset is not None and isinstance(self._cause, SpeechStarted | WordsHeard):
                    self.barge_ins.append(now - self._onset)
            case Write():
                self.lines.append(action)
                self.interruptions += action.interrupted
                self._cleared = self._cleared and not action.interrupted
            case HangUp(reason=reason, fault=fault):
                self.ended, self.reason, self.fault = now, reason, fault
            case Transfer():
                self.ended, self.reason, self.fault = now, "transferred", "agent"
        self._look()

    def _first(self, moments: dict[int, float], question: int, now: float) -> None:
        moments.setdefault(question, now)

    def _sound(self, now: float, seconds: float) -> None:
        utterance = self._cause.question if isinstance(self._cause, Voiced) else 0
        if self._cleared:
            self.false_interruptions += 1
            self._cleared = False
        elif utterance and utterance == self._sounding and now > self._runs_dry + _HEARD_AS_A_GAP:
            self.underruns += 1
        self._sounding = utterance or self._sounding
        self._runs_dry = max(now, self._runs_dry) + seconds
        if self.greeting is None and self.opened is not None:
            self.greeting = now - self.opened
        if self.turns and self.turns[-1].sent_first is None:
            self.turns[-1].sent_first = now

    def _tools_done(self, now: float) -> None:
        if self._tools_at is not None and self.turns:
            self.turns[-1].tool_seconds = (self.turns[-1].tool_seconds or 0.0) + now - self._tools_at
        self._tools_at = None

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
        if turn.sent_first is not None and turn.question in self._waits:
            spoken = [u for u, question in self._thought_of.items() if question == turn.question]
            turn.waited += self._waits.pop(turn.question) + sum(self._waits.pop(u, 0.0) for u in spoken[:1])
