"""Who talks over whom: what silences the agent, for how long, and what the memory keeps of it."""

# Expectations are patterns in the shape of actions: `...` stands where anything may stand.
# mypy: disable-error-code="arg-type"

from dataclasses import replace

from app.call.actions import (
    Clear,
    Commit,
    Remember,
    SettleWords,
    Speak,
    StopThinking,
    Think,
    Write,
)
from app.call.agent import Interruption
from app.call.events import (
    EarsBack,
    EarsLost,
    LineOpened,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    VoiceEnded,
    WordsHeard,
)
from tests.call.playbook import (
    CLINIC,
    EAGER,
    OPENING,
    answering,
    greeted,
    plays,
    ringing,
    spoken,
)


def test_interrupted_agent_remembers_only_what_was_heard() -> None:
    assert (
        answering(greeted())
        >> (6.75, SpeechStarted())
        << (6.75, Clear())  # at once: four words of a quarter second each were heard
        >> (7.1, WordsHeard("sundays too"))
        << Write("agent", OPENING, "We open at nine", 5.7, 7.1, interrupted=True, question=3)
        >> (7.6, SpeechPaused(0.1))
        >> (8.0, SpeechEnded("Sundays too?"))
        << Think(4, (..., "caller: When are you open?", "agent: We open at nine…", "caller: Sundays too?"))
    )


def test_marks_that_come_back_after_a_clear_prove_nothing() -> None:
    book = answering(greeted()) >> (6.75, SpeechStarted()) << Clear() >> (6.8, WordsHeard("Sundays too"))
    book = book >> (8.0, SpeechEnded("Sundays too?"))
    assert book << Think(4, (..., "agent: We open at nine…", "caller: Sundays too?"))


def test_a_cough_stops_the_agent_for_a_second_and_repeats_no_word() -> None:
    book = answering(greeted()) >> (6.8, SpeechStarted()) << Clear() >> (6.95, SpeechPaused(0.12))
    # Four words and 0.1 s of the fifth were heard: it goes on with the whole of the fifth, and a breath before it.
    assert book >> 7.8 << (7.8, plays(1.51)) >> 12.0 << Remember((..., f"agent: {OPENING}"))


def test_a_listening_sound_does_not_take_the_floor() -> None:
    assert (
        answering(greeted())
        >> (6.7, SpeechStarted())
        << Clear()
        >> (6.9, WordsHeard("mhm"))
        >> (7.0, SpeechPaused(0.1))
        >> (7.3, SpeechEnded("Mhm."))
        << (7.3, plays(1.51))
        >> 12.0
        << Remember((..., f"agent: {OPENING}"))
    )


def test_a_yes_into_the_tail_of_a_question_is_its_answer() -> None:
    assert (
        answering(greeted())
        >> (7.9, SpeechStarted())
        << Clear()
        >> (8.3, SpeechPaused(0.1))
        >> (8.6, SpeechEnded("Yes."))
        << Think(4, (..., "agent: We open at nine and close at five…", "caller: Yes."))
    )


def test_a_yes_into_the_tail_is_answered_as_soon_as_its_word_is_settled() -> None:
    assert (
        answering(greeted(EAGER))
        >> (7.9, SpeechStarted())
        << Clear()
        >> (8.3, SpeechPaused(0.1))
        << SettleWords()
        >> (8.4, WordsHeard("Yes.", settled=True))
        << Think(4, (..., "agent: We open at nine and close at five…", "caller: Yes."), ahead=True)
    )


def test_a_listening_sound_of_several_words_may_arrive_in_pieces() -> None:
    assert (
        answering(greeted())
        >> (6.7, SpeechStarted())
        << Clear()
        >> (6.9, WordsHeard("I"))  # "I want"? "I see"?
        >> (7.0, WordsHeard("I", settled=True))  # a part of the utterance: the caller is still speaking
        >> (7.1, SpeechPaused(0.1))
        >> (7.2, WordsHeard("I see"))
        >> (7.4, SpeechEnded("I see."))
        << (7.4, plays(1.51))
    )


def test_a_listening_sound_that_goes_on_is_an_interruption() -> None:
    book = answering(greeted()) >> (6.75, SpeechStarted()) << Clear() >> (6.9, WordsHeard("Okay"))
    assert book >> (7.2, WordsHeard("Okay, but")) << Write("agent", OPENING, "We open at nine", ..., 7.2, True, ...)


def test_our_own_voice_on_the_line_does_not_silence_us() -> None:
    assert (
        answering(greeted())
        >> (6.7, SpeechStarted(0.06, peak=1100))
        >> (7.0, SpeechPaused(0.12))
        >> (7.9, SpeechStarted(0.06, peak=1100))
        >> 12.0
        << Remember((..., f"agent: {OPENING}"))
    )


def test_behind_our_own_voice_the_caller_is_heard() -> None:
    book = answering(greeted()) >> (6.5, SpeechStarted(0.06, peak=1100)) >> (6.8, SpeechStarted(0.06, peak=9000))
    assert book << (6.8, Clear())


def test_a_soft_voice_interrupts_with_its_words() -> None:
    assert (
        answering(greeted())
        >> (6.7, SpeechStarted(0.06, peak=1100))
        >> (7.0, WordsHeard("on Sundays"))
        << (7.0, Clear())
        >> (7.3, SpeechPaused(0.1))
        >> (7.7, SpeechEnded("On Sundays?"))
        << Think(4, (..., "caller: On Sundays?"))
        << Commit(2, 4, "On Sundays?", 7.2)
    )


def test_a_soft_voice_is_heard_at_once_when_we_are_quiet() -> None:
    book = greeted(EAGER) >> (4.0, SpeechStarted(0.06, peak=1100)) >> (4.5, SpeechPaused(0.12)) << SettleWords()
    assert book >> (4.6, WordsHeard("when are you open", True)) << Think(2, ..., ahead=True)


def test_a_noise_silences_us_once() -> None:
    book = answering(greeted()) >> (5.9, SpeechStarted(peak=9000)) << Clear() >> (6.2, SpeechPaused())
    book = book >> 6.95 << (6.9, plays(2.5)) >> (7.0, SpeechStarted(peak=11000)) >> (7.3, SpeechPaused())
    assert book >> (8.0, SpeechStarted(peak=8000)) >> (8.2, SpeechPaused()) >> 12.0


def test_a_doubted_word_that_is_understood_after_its_end_is_a_whole_turn() -> None:
    assert (
        answering(greeted())
        >> (6.7, SpeechStarted(0.06, peak=1100))
        >> (7.0, SpeechPaused(0.1))
        >> (7.1, WordsHeard("Stop."))
        << (7.1, Clear())
        >> (7.3, SpeechEnded("Stop."))
        << (7.3, Think(4, (..., "caller: Stop.")))
        << Commit(2, 4, "Stop.", 6.9)
    )


def test_words_of_an_utterance_that_was_answered_in_its_midst_are_not_answered_again() -> None:
    assert (
        greeted()
        >> (4.0, SpeechStarted())
        >> (4.5, WordsHeard("When are you open?"))
        >> (4.6, SpeechPaused(0.1))
        >> 5.8
        << (5.7, Think(2, (..., "caller: When are you open?")))  # the ears hear no end, for the noise
        >> (5.9, SpeechStarted())
        >> (6.3, WordsHeard("When are you open? And on"))
        << StopThinking(2, "the caller interrupted")
        >> (6.6, SpeechPaused(0.1))
        >> (6.8, SpeechEnded("When are you open? And on Sundays?"))
        << Think(3, (..., "caller: When are you open?", "caller: And on Sundays?"))
    )


def test_a_noise_that_is_much_louder_than_the_last_one_is_another() -> None:
    book = answering(greeted()) >> (5.9, SpeechStarted(peak=6000)) << Clear() >> (6.2, SpeechPaused())
    assert book >> 6.95 << (6.9, plays(2.5)) >> (7.0, SpeechStarted(peak=9100)) << (7.0, Clear())


def test_words_that_no_voice_announced_interrupt_too() -> None:
    assert (
        answering(greeted())
        >> (6.8, WordsHeard("wait a moment"))
        << Clear()
        >> (7.2, SpeechEnded("Wait a moment."))
        << Think(4, (..., "agent: We open at nine…", "caller: Wait a moment."))
    )


def test_a_disclosure_is_heard_out_and_the_words_over_it_are_answered_after_it() -> None:
    agent = replace(CLINIC, disclosure="This call is recorded.", greeting="")
    assert (
        ringing(agent)
        >> (0.5, LineOpened())
        << Speak(1, "This call is recorded.", last=True)
        >> (0.5, spoken(1, "This call is recorded."))
        << plays(1.0)
        >> (0.5, VoiceEnded(1))
        >> (0.8, SpeechStarted())
        >> (1.2, SpeechPaused())
        >> (1.4, SpeechEnded("When are you open?"))
        >> 2.0
        << (1.5, Think(2, (..., "agent: This call is recorded.", "caller: When are you open?")))
    )


def test_a_line_whose_sound_came_before_its_turn_is_written_down_as_it_was_heard() -> None:
    agent = replace(CLINIC, disclosure="This call is recorded.")
    assert (
        ringing(agent)
        >> (0.5, LineOpened())
        << Speak(1, "This call is recorded.", last=True)
        << Speak(2, "Hello, this is the clinic.", last=True)
        >> (0.6, spoken(2, "Hello, this is the clinic."))
        >> (0.6, VoiceEnded(2))
        >> (0.8, spoken(1, "This call is recorded."))
        << plays(1.0)
        >> (1.0, VoiceEnded(1))
        << plays(1.25)
        >> 4.0
        << (1.8, Write("agent", "This call is recorded.", "This call is recorded.", 0.8, 1.8, question=1))
        << (3.05, Write("agent", "Hello, this is the clinic.", "Hello, this is the clinic.", 1.8, 3.05, question=2))
    )


def test_an_agent_that_may_not_be_interrupted_goes_on() -> None:
    agent = replace(CLINIC, interruption=Interruption(allowed=False))
    assert answering(greeted(agent)) >> (6.7, SpeechStarted()) >> (7.0, WordsHeard("stop please")) >> 7.5


def test_two_words_are_needed_where_two_are_asked_for() -> None:
    agent = replace(CLINIC, interruption=Interruption(words_needed=2))
    book = answering(greeted(agent)) >> (6.7, SpeechStarted()) << Clear() >> (6.9, WordsHeard("hello"))
    assert book
    assert book.call.state.value == "holding"
    book = book >> (7.0, WordsHeard("hello there"))
    assert book
    assert book.call.state.value == "listening"


def test_with_the_ears_away_a_lasting_voice_is_believed() -> None:
    assert (
        answering(greeted())
        >> (6.0, EarsLost("connection refused"))
        >> (6.7, SpeechStarted())
        << Clear()
        >> 7.7
        >> (8.0, EarsBack())
        >> (8.2, SpeechPaused())
        >> (8.4, SpeechEnded("Sundays too?"))
        << Think(4, (..., "agent: We open at nine…", "caller: Sundays too?"))
    )


def test_deaf_ears_ask_again() -> None:
    book = greeted() >> (3.0, EarsLost("closed 1011")) >> (4.0, SpeechStarted()) >> (4.5, SpeechPaused(0.1))
    assert book >> 7.1 << (7.0, Speak(2, CLINIC.phrases.apology, last=True))
