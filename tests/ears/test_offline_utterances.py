"""Sound cut into utterances: with what came before the voice, asked early, asked anew, over after a silence."""

from dataclasses import dataclass, field

import pytest

from app.audio import FRAME_BYTES, RATE, silence
from app.call.events import Event, SpeechEnded, SpeechPaused, SpeechStarted, WordsHeard
from app.ears.offline_utterances import BEFORE, LONGEST, OVER, UNCLEAR, Utterances
from ops.lab.speech import cough, say


@dataclass
class Notes:
    """A recogniser that writes down what it is given and answers nothing by itself."""

    sound: dict[int, bytes] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)

    def begin(self, utterance: int) -> None:
        self.sound[utterance] = b""

    def add(self, utterance: int, sound: bytes) -> None:
        self.sound[utterance] += sound

    def finish(self, utterance: int) -> None:
        self.asked.append(utterance)

    def forget(self, utterance: int) -> None:
        self.forgotten.append(utterance)


@dataclass
class Ears:
    notes: Notes = field(default_factory=Notes)
    events: list[Event] = field(default_factory=list)
    utterances: Utterances = field(init=False)

    def __post_init__(self) -> None:
        self.utterances = Utterances(self.notes, self.events.append)

    def hear(self, sound: bytes) -> None:
        for at in range(0, len(sound) - FRAME_BYTES + 1, FRAME_BYTES):
            self.utterances.hear(sound[at : at + FRAME_BYTES])

    def of(self, *kinds: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kinds)]


@pytest.fixture
def ears() -> Ears:
    ears = Ears()
    ears.hear(silence(1.0))
    return ears


SENTENCE = say("I would like to book an appointment")


def test_an_utterance_begins_before_its_voice_and_is_over_after_a_silence(ears: Ears) -> None:
    ears.hear(SENTENCE + silence(OVER + 0.2))
    assert ears.notes.asked == [1]
    assert SENTENCE in ears.notes.sound[1]
    assert ears.notes.sound[1].startswith(silence(BEFORE - 0.1))
    assert len(ears.notes.sound[1]) < len(SENTENCE) + (BEFORE + OVER + 0.05) * RATE
    assert ears.of(SpeechEnded) == []
    ears.utterances.settled(1, "i would like to book an appointment")
    assert ears.of(SpeechEnded) == [SpeechEnded("i would like to book an appointment")]


def test_the_detectors_news_are_reported_and_words_on_the_way(ears: Ears) -> None:
    ears.hear(SENTENCE)
    ears.utterances.words(1, "i would like")
    ears.utterances.words(7, "somebody else")
    ears.hear(silence(0.2))
    assert [type(event) for event in ears.events] == [SpeechStarted, WordsHeard, SpeechPaused]


def test_a_pause_settles_the_words_early_and_the_silence_makes_them_final(ears: Ears) -> None:
    ears.hear(SENTENCE + silence(0.2))
    ears.utterances.settle()
    assert ears.notes.asked == [1]
    ears.utterances.settled(1, "book")
    assert ears.of(WordsHeard, SpeechEnded) == [WordsHeard("book", settled=True)]
    ears.hear(silence(OVER))
    assert ears.of(SpeechEnded) == [SpeechEnded("book")]
    assert ears.notes.asked == [1]


def test_who_goes_on_is_asked_about_anew_from_the_beginning(ears: Ears) -> None:
    ears.hear(SENTENCE + silence(0.2))
    ears.utterances.settle()
    more = say("on Monday")
    ears.hear(more + silence(OVER + 0.2))
    assert ears.notes.forgotten == [1]
    assert SENTENCE in ears.notes.sound[2]
    assert more in ears.notes.sound[2]
    ears.utterances.settled(1, "too late")
    ears.utterances.settled(2, "all of it")
    assert ears.of(WordsHeard, SpeechEnded) == [SpeechEnded("all of it")]


def test_nobody_settles_while_the_caller_speaks_or_when_there_is_nothing(ears: Ears) -> None:
    ears.utterances.settle()
    ears.hear(SENTENCE)
    ears.utterances.settle()
    assert ears.notes.asked == []


def test_a_late_answer_belongs_to_its_own_utterance(ears: Ears) -> None:
    ears.hear(SENTENCE + silence(OVER + 0.2) + SENTENCE + silence(OVER + 0.2))
    ears.utterances.settled(1, "first")
    ears.utterances.settled(2, "second")
    assert ears.of(SpeechEnded) == [SpeechEnded("first"), SpeechEnded("second")]


def test_speech_that_was_not_understood_is_told_and_a_cough_is_not(ears: Ears) -> None:
    ears.hear(SENTENCE + silence(OVER + 0.2))
    ears.utterances.settled(1, "")
    [told] = ears.of(SpeechEnded)
    assert isinstance(told, SpeechEnded)
    assert (told.text, 0 < told.confidence < 1) == (UNCLEAR, True)
    ears.hear(cough() + silence(OVER + 0.5))
    ears.utterances.settled(2, "")
    assert ears.of(SpeechEnded) == [told]


def test_what_never_ends_is_cut(ears: Ears) -> None:
    talk = b"".join(say("and another thing is that you never listen to me") + silence(0.05) for _ in range(12))
    assert len(talk) > LONGEST * RATE
    ears.hear(talk)
    assert ears.notes.asked == [1]
    assert len(ears.notes.sound[1]) < (LONGEST + 1) * RATE


def test_a_recogniser_that_has_forgotten_is_told_everything_again(ears: Ears) -> None:
    ears.hear(SENTENCE + silence(OVER + 0.2) + SENTENCE)
    ears.utterances.again()
    assert ears.notes.asked == [1, 3]
    whole = SENTENCE[:-FRAME_BYTES]  # the last frame of it is not complete
    assert [whole in ears.notes.sound[number] for number in (3, 4)] == [True, True]
    ears.utterances.settled(3, "first")
    assert ears.of(SpeechEnded) == [SpeechEnded("first")]
