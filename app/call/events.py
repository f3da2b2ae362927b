"""What can happen in a call: nouns and past tense. With `actions.py` this is the glossary of the house.

Every answer carries the number of the question that it answers, so that a late answer falls through and is gone.
Times inside events are "seconds ago", measured by the sense that saw it; the clock itself is never in an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.audio import Clip


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word and where it lies, in seconds from the start of its utterance."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One thing the mind wants done. `id` is the vendor's name for the request."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What came of a `ToolCall`, in words for the mind. A failure is an answer too."""

    id: str
    text: str
    failed: bool = False


# --- the telephone line -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineOpened:
    """The media stream has started: from now on the caller hears what we play."""


@dataclass(frozen=True, slots=True)
class Played:
    """Mark number `mark` came back: played to its end, or flushed by a clear."""

    mark: int


@dataclass(frozen=True, slots=True)
class Digit:
    """The caller pressed a key."""

    key: str


@dataclass(frozen=True, slots=True)
class LineClosed:
    """The stream is over. `by` says who ended it: caller, carrier (the socket broke) or us."""

    by: str


# --- the ears -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The local detector hears a voice, which began `ago` seconds ago; or, over a softer one, a much louder one.

    `peak` is the loudest of its 16-bit samples.
    """

    ago: float = 0.0
    peak: int = 32767


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The local detector hears silence again; the last voice was `ago` seconds ago."""

    ago: float = 0.0


@dataclass(frozen=True, slots=True)
class WordsHeard:
    """All words of the utterance so far. `settled`: the ears will not change them any more."""

    text: str
    settled: bool = False


@dataclass(frozen=True, slots=True)
class EndLikely:
    """The ears think that the turn is about to end with this text; they may take it back."""

    text: str


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The ears take `EndLikely` back: the caller goes on."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The ears are sure: the caller's utterance is over, and this is all of it."""

    text: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class EarsLost:
    """The ears' vendor is away; words come late or not at all until `EarsBack`."""

    why: str


@dataclass(frozen=True, slots=True)
class EarsBack:
    """The ears hear again; what was said meanwhile is being replayed to them."""


# --- the mind -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ThoughtBegan:
    """The first token of an answer has come: the mind is alive."""

    question: int


@dataclass(frozen=True, slots=True)
class Thought:
    """The next speakable piece of the answer: a first clause, later whole sentences."""

    question: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolsWanted:
    """The mind wants these done, all of them, before it goes on. Comes before `ThoughtEnded`."""

    question: int
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class ThoughtEnded:
    """The answer is complete. `reason`: finished, tools, too_long or refused."""

    question: int
    reason: str = "finished"


@dataclass(frozen=True, slots=True)
class ThoughtFailed:
    """No answer, or none to its end. `again`: the same request may work if it is made once more."""

    question: int
    why: str
    again: bool = True


@dataclass(frozen=True, slots=True)
class ToolsAnswered:
    """Every tool of this question has answered, well or badly."""

    question: int
    answers: tuple[ToolAnswer, ...]


# --- the mouth ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voiced:
    """A piece of sound of an utterance, and the words that end within it."""

    question: int
    clip: Clip
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """All of the utterance has been voiced."""

    question: int


@dataclass(frozen=True, slots=True)
class VoiceFailed:
    """No sound, or none to its end."""

    question: int
    why: str
    again: bool = True


# --- people and limits --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HangUpAsked:
    """An operator, the dialer or a shutdown asks for the end of this call."""

    by: str


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """An operator takes the call over."""

    to: str


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A cap of this call is used up: its cost, its minutes."""

    what: str


# --- facts for the account, which change no decision --------------------------------------------------------------


AHEAD = "rendered ahead"  # speech for all calls, in the account of one: why it paid for what it may never play


@dataclass(frozen=True, slots=True)
class Metered:
    """A vendor will bill this. `quantity` is exact text of a decimal number; `wasted` says why nobody gained by it."""

    vendor: str
    product: str
    unit: str
    quantity: str
    question: int | None = None
    estimated: bool = False
    wasted: str = ""


@dataclass(frozen=True, slots=True)
class Connected:
    """A vendor's connection stands. `warm`: it stood before the call needed it."""

    vendor: str
    seconds: float
    warm: bool


@dataclass(frozen=True, slots=True)
class Troubled:
    """Something went wrong that the call survived; kept for whoever reads the trace."""

    who: str
    what: str
    details: Mapping[str, Any] = field(default_factory=dict)


Event = (
    LineOpened
    | Played
    | Digit
    | LineClosed
    | SpeechStarted
    | SpeechPaused
    | WordsHeard
    | EndLikely
    | SpeechResumed
    | SpeechEnded
    | EarsLost
    | EarsBack
    | ThoughtBegan
    | Thought
    | ToolsWanted
    | ThoughtEnded
    | ThoughtFailed
    | ToolsAnswered
    | Voiced
    | VoiceEnded
    | VoiceFailed
    | HangUpAsked
    | TransferAsked
    | LimitReached
    | Metered
    | Connected
    | Troubled
)
