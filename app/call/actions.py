"""What the core asks for: imperatives. Each question has a number, which its answers carry back."""

from dataclasses import dataclass
from typing import get_args

from app.audio import Clip
from app.call.events import ToolAnswer, ToolCall


@dataclass(frozen=True, slots=True)
class Said:
    """One side's words in the memory of the call. `who` is caller, agent or platform."""

    who: str
    text: str

    def __str__(self) -> str:
        return f"{self.who}: {self.text}"


@dataclass(frozen=True, slots=True)
class Used:
    """Tools that the mind used, and what came of each of them, in the same order."""

    calls: tuple[ToolCall, ...]
    answers: tuple[ToolAnswer, ...]

    def __str__(self) -> str:
        return "; ".join(f"{call.name} -> {answer.text}" for call, answer in zip(self.calls, self.answers, strict=True))


Message = Said | Used


@dataclass(frozen=True, slots=True)
class Think:
    """Ask the mind what to say. `fallback`: ask the second model. `ahead`: the caller may not have finished."""

    question: int
    messages: tuple[Message, ...]
    fallback: bool = False
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """The caller's turn is over, and the answer to `question` is the one that is wanted.

    `heard_end` is when the last of the caller's voice was heard, on the clock of the call.
    """

    turn: int
    question: int
    text: str
    heard_end: float


@dataclass(frozen=True, slots=True)
class StopThinking:
    """The answer is not wanted any more; `wasted` says why, for the account."""

    question: int
    wasted: str = ""


@dataclass(frozen=True, slots=True)
class UseTools:
    """Do what the mind asked for; answer with `ToolsAnswered`."""

    question: int
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Speak:
    """Turn text into sound. Pieces of one utterance share a number; `last` closes it (with "" when all is said).

    `fallback`: use the second way of speaking.
    """

    question: int
    text: str
    last: bool = False
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """The sound of this utterance is not wanted any more."""

    question: int


@dataclass(frozen=True, slots=True)
class Play:
    """Send sound to the caller, and a mark behind it that comes back when it has been played."""

    clip: Clip
    mark: int


@dataclass(frozen=True, slots=True)
class Clear:
    """Throw away what the caller has not heard yet."""


@dataclass(frozen=True, slots=True)
class SettleWords:
    """Ask the ears to settle the words now: the caller has paused."""


@dataclass(frozen=True, slots=True)
class Write:
    """One side has spoken: write it into the record of the call, as it was meant and as it was heard.

    `question` is the number of the agent's utterance, so that its cost can be held against what was heard of it.
    """

    who: str
    text: str
    heard: str
    started: float
    ended: float
    interrupted: bool = False
    question: int = 0


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep the memory of the call where another process finds it."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call. `fault` is caller, agent, operator, vendor or platform: on whose account it ended."""

    reason: str
    fault: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller on to this number; the stream ends, and the carrier is told to dial."""

    to: str
    summary: str = ""


Action = (
    Think
    | Commit
    | StopThinking
    | UseTools
    | Speak
    | StopSpeaking
    | Play
    | Clear
    | SettleWords
    | Write
    | Remember
    | HangUp
    | Transfer
)
ACTIONS: tuple[type, ...] = get_args(Action)
