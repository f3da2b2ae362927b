"""Anything may happen in any order; what a call promises holds all the same.

A live call always has a deadline. Nothing is played after the end. No sound of a dead question is played. The memory
holds only what was heard. Every request is answered, cancelled or timed out.
"""

import math
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from app.audio import Clip, silence
from app.call.actions import (
    Action,
    Clear,
    HangUp,
    Play,
    Said,
    Speak,
    StopSpeaking,
    StopThinking,
    Think,
    Transfer,
    UseTools,
)
from app.call.agent import Agent
from app.call.call import Call
from app.call.events import (
    Digit,
    EarsBack,
    EarsLost,
    EndLikely,
    Event,
    HangUpAsked,
    LimitReached,
    LineClosed,
    LineOpened,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    ThoughtEnded,
    ThoughtFailed,
    ToolAnswer,
    ToolCall,
    ToolsAnswered,
    ToolsWanted,
    TransferAsked,
    Voiced,
    VoiceEnded,
    VoiceFailed,
    Word,
    WordsHeard,
)
from tests.call.playbook import Phone

TEXTS = some.sampled_from(
    ["", "yes", "mhm", "when are you open", "my number is five", "stop", "i", "um", "book for", "tell me more please"]
)
QUESTIONS = some.integers(1, 14)
TOOLS = [
    ToolCall("a", "book", {}),
    ToolCall("b", "end_call", {}),
    ToolCall("c", "transfer", {"to": "desk"}),
    ToolCall("d", "press_keys", {"keys": "1"}),
]


def voiced(question: int, words: int) -> Voiced:
    """Each word has a name of its own, so that a word in the memory can be looked up in what was played."""
    names = tuple(Word(f"w{question}x{n}", n * 0.2, (n + 1) * 0.2) for n in range(words))
    return Voiced(question, Clip.of(silence(0.2 * words)), names)


EVENTS: some.SearchStrategy[Event] = some.one_of(
    some.builds(LineOpened),
    some.builds(SpeechStarted, some.sampled_from([0.0, 0.06]), some.sampled_from([600, 5000, 32767])),
    some.builds(SpeechPaused, some.sampled_from([0.0, 0.12])),
    some.builds(WordsHeard, TEXTS, some.booleans()),
    some.builds(EndLikely, TEXTS),
    some.builds(SpeechResumed),
    some.builds(SpeechEnded, TEXTS, some.sampled_from([0.0, 1.0])),
    some.builds(EarsLost, some.just("gone")),
    some.builds(EarsBack),
    some.builds(ThoughtBegan, QUESTIONS),
    some.builds(Thought, QUESTIONS, some.sampled_from(["We open at nine. ", "And so on. "])),
    some.builds(ToolsWanted, QUESTIONS, some.lists(some.sampled_from(TOOLS), min_size=1, max_size=3).map(tuple)),
    some.builds(ThoughtEnded, QUESTIONS, some.sampled_from(["finished", "tools", "refused", "too_long"])),
    some.builds(ThoughtFailed, QUESTIONS, some.just("529")),
    some.builds(ToolsAnswered, QUESTIONS, some.just((ToolAnswer("a", "done"),))),
    some.builds(voiced, QUESTIONS, some.integers(1, 8)),
    some.builds(VoiceEnded, QUESTIONS),
    some.builds(VoiceFailed, QUESTIONS, some.just("quota")),
    some.builds(Digit, some.sampled_from("12#*")),
)
ENDS: some.SearchStrategy[Event] = some.one_of(
    some.builds(LineClosed, some.sampled_from(["caller", "carrier"])),
    some.builds(HangUpAsked, some.just("operator")),
    some.builds(TransferAsked, some.just("+15005550009")),
    some.builds(LimitReached, some.just("cost")),
)
STEPS = some.lists(
    some.tuples(some.floats(0, 1.2), some.integers(0, 40).flatmap(lambda n: ENDS if n == 0 else EVENTS)),
    max_size=60,
)
AGENTS = some.builds(
    lambda ahead, ears, disclosure: Agent(
        "a", "Hello.", "p", work_ahead=ahead, ears=ears, disclosure=disclosure, transfers={"desk": "+1"}
    ),
    some.sampled_from(["off", "careful", "eager"]),
    some.sampled_from(["nova-3", "flux-general-en"]),
    some.sampled_from(["", "This is recorded."]),
)


class Witness:
    """Watches one call and knows what it promised."""

    def __init__(self, agent: Agent) -> None:
        self.call = Call(agent, 0.0)
        self.phone = Phone()
        self.now = 0.0
        self.ended = False
        self.thinking: set[int] = set()
        self.open_voices: set[int] = set()
        self.played = 0.0

    def happens(self, event: Event) -> None:
        question = getattr(event, "question", None)
        if isinstance(event, ThoughtEnded | ThoughtFailed):
            self.thinking.discard(event.question)
        if isinstance(event, Voiced) and not self.ended:
            wanted = question in self.open_voices
            before = self.played
            self.take(self.call.receive(event, self.now))
            assert wanted or self.played == before, "sound of a question that nobody had asked was played"
            return
        if isinstance(event, VoiceEnded | VoiceFailed) and not self.ended:
            self.open_voices.discard(event.question)
        self.take(self.call.receive(event, self.now))

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            assert not (self.ended and isinstance(action, Play | Clear | Speak | Think | UseTools)), (
                f"{action} too late"
            )
            match action:
                case Think(question=question):
                    self.thinking.add(question)
                case StopThinking(question=question):
                    assert question in self.thinking, "what nobody thinks about was cancelled"
                    self.thinking.discard(question)
                case Speak(question=question):
                    self.open_voices.add(question)
                case StopSpeaking(question=question):
                    self.open_voices.discard(question)
                case Play(clip=clip):
                    self.played += clip.seconds
                    self.phone.take(action, self.now)
                case Clear():
                    self.phone.take(action, self.now)
                case HangUp() | Transfer():
                    self.ended = True
        self.ended = self.ended or self.call.over

    def until(self, moment: float) -> None:
        for _ in range(10_000):
            nearest = min(self.call.deadline(), self.phone.next_echo())
            if nearest > moment:
                break
            self.now = max(self.now, nearest)
            if self.phone.next_echo() <= self.now:
                self.happens(self.phone.echo())
            else:
                self.take(self.call.tick(self.now))
        else:
            raise AssertionError("the call is busy with itself")
        self.now = moment

    def check(self) -> None:
        if self.call.over:
            assert self.call.outcome is not None
            assert not self.thinking, "a request was left open"
            assert self.call.deadline() == math.inf
        else:
            assert self.call.deadline() < math.inf, "a live call without a deadline would live for ever"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(AGENTS, some.sampled_from([True, True, True, False]), STEPS)
def test_what_a_call_promises_holds_in_any_order(agent: Agent, opens: bool, steps: list[tuple[float, Event]]) -> None:
    witness = Witness(agent)
    if opens:
        witness.happens(LineOpened())
    for wait, event in steps:
        witness.until(witness.now + wait)
        witness.happens(event)
        witness.check()
    witness.until(witness.now + 3 * agent.patience.longest_call)
    witness.check()
    assert witness.call.over, "every call ends"


@settings(max_examples=300, deadline=None)
@given(some.lists(some.tuples(some.floats(0.01, 0.6), some.booleans()), max_size=25), some.integers(1, 20))
def test_the_memory_holds_exactly_the_words_that_were_played(talk: list[tuple[float, bool]], words: int) -> None:
    """The caller makes sounds, and at last speaks, while the agent says `words` words of 0.2 s each."""
    agent = replace(Agent("a", "Hello.", "p", work_ahead="off"))
    witness = Witness(agent)
    witness.happens(LineOpened())
    witness.happens(voiced(1, words))
    witness.happens(VoiceEnded(1))
    for wait, speaks in talk:
        witness.until(witness.now + wait)
        witness.happens(SpeechStarted() if speaks else SpeechPaused())
    witness.happens(SpeechStarted())
    witness.happens(WordsHeard("wait a minute please"))
    said = [message for message in witness.call.memory if isinstance(message, Said) and message.who == "agent"]
    heard = said[0].text.rstrip("…").split() if said else []
    whole = heard == ["Hello."]
    assert whole or heard == [f"w1x{n}" for n in range(len(heard))], "in order, none left out, none twice"
    assert whole or 0.2 * len(heard) <= witness.now + 0.003, "nothing is heard faster than it is spoken"
