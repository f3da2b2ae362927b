"""Whole conversations with the core. Each test is a script; see `playbook.py` for how to read it."""

# Expectations are patterns in the shape of actions: `...` stands where anything may stand.
# mypy: disable-error-code="arg-type"

from dataclasses import replace

import pytest

from app.call import outcome as outcomes
from app.call.actions import (
    Clear,
    Commit,
    HangUp,
    Remember,
    Said,
    SettleWords,
    Speak,
    StopSpeaking,
    StopThinking,
    Think,
    Transfer,
    Used,
    UseTools,
    Write,
)
from app.call.agent import HttpTool, Interruption
from app.call.call import Call
from app.call.events import (
    Digit,
    EarsBack,
    EarsLost,
    EndLikely,
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
    VoiceEnded,
    VoiceFailed,
    Word,
    WordsHeard,
)
from app.call.playback import Playback
from tests.call.playbook import CLINIC, Playbook, greeted, plays, ringing, second, spoken

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


# --- turns --------------------------------------------------------------------------------------------------------


def test_the_greeting_leaves_with_the_stream() -> None:
    assert ringing() >> (0.3, LineOpened()) << (0.3, Speak(1, "Hello, this is the clinic.", last=True))


def test_a_question_is_answered_and_remembered() -> None:
    assert (
        answering(greeted())
        >> 9.0
        << Write("agent", OPENING, OPENING, 5.7, 8.2, question=3)
        << Remember((..., "caller: When are you open?", f"agent: {OPENING}"))
    )


def test_a_turn_tells_when_its_last_sound_was_heard() -> None:
    book = (
        greeted()
        >> (4.0, SpeechStarted(0.06))
        >> (4.6, SpeechPaused(0.12))
        << SettleWords()
        >> (5.0, SpeechEnded("When are you open?"))
        << Think(2, ...)
        << Commit(1, 2, "When are you open?", 4.48)
    )
    assert book


def test_a_transcript_without_confidence_is_dropped() -> None:
    assert greeted() >> (4.0, SpeechStarted()) >> (4.3, SpeechPaused()) >> (4.6, SpeechEnded("cough", 0.0)) >> 6.0


def test_an_end_that_the_ears_forget_is_taken_after_a_while() -> None:
    assert (
        greeted()
        >> (4.0, SpeechStarted())
        >> (4.3, WordsHeard("when are you open"))
        >> (4.6, SpeechPaused(0.1))
        >> 6.0
        << (5.7, Think(2, (..., "caller: when are you open")))
        >> (6.1, SpeechEnded("When are you open?"))  # at last: it is the turn that has been taken
    )


def test_a_caller_who_goes_on_before_the_answer_is_answered_once_for_both() -> None:
    assert (
        asked(greeted())
        >> (5.2, SpeechStarted())
        >> (5.4, Thought(2, "We open "))
        << Speak(3, "We open ")
        >> (5.5, spoken(3, "We open "))  # the caller is speaking: it waits
        >> (5.6, WordsHeard("on Sundays"))
        << StopThinking(2, "the caller interrupted")
        << StopSpeaking(3)
        >> (6.0, SpeechPaused(0.1))
        >> (6.3, SpeechEnded("On Sundays?"))
        << Think(4, (..., "caller: When are you open?", "caller: On Sundays?"))
    )


def test_digits_in_groups_are_one_turn() -> None:
    book = greeted(replace(CLINIC, greeting="What is your phone number?"))
    assert (
        book
        >> (4.0, SpeechStarted())
        >> (4.8, SpeechPaused())
        >> (5.1, SpeechEnded("five five five"))
        >> (6.0, SpeechStarted())
        >> (6.8, SpeechPaused())
        >> (7.1, SpeechEnded("zero one two"))
        >> 9.0
        << (8.6, Think(2, (..., "caller: five five five zero one two")))
    )


def test_a_sentence_without_its_end_is_waited_for() -> None:
    assert (
        greeted()
        >> (4.0, SpeechStarted())
        >> (4.8, SpeechPaused())
        >> (5.1, SpeechEnded("I would like to book for"))
        >> 5.9
        >> 6.1
        << (6.0, Think(2, (..., "caller: I would like to book for")))
    )


def test_a_voice_that_is_back_already_keeps_its_turn() -> None:
    assert (
        greeted()
        >> (4.0, SpeechStarted())
        >> (4.6, SpeechPaused(0.1))
        >> (4.95, SpeechStarted(0.06))
        >> (5.0, SpeechEnded("When are you open"))
        >> (5.3, WordsHeard("on Sundays"))
        >> (5.6, SpeechPaused(0.1))
        >> (6.0, SpeechEnded("on Sundays?"))
        << Think(2, (..., "caller: When are you open on Sundays?"))
    )


def test_who_thinks_aloud_is_given_time() -> None:
    assert (
        greeted()
        >> (4.0, SpeechStarted())
        >> (4.5, SpeechPaused())
        >> (4.9, SpeechEnded("Um, let me see."))
        >> 7.0
        >> 7.2
        << (7.1, Think(2, (..., "caller: Um, let me see.")))
    )


def test_okay_alone_is_no_thinking_aloud() -> None:
    book = greeted() >> (4.0, SpeechStarted()) >> (4.5, SpeechPaused()) >> (4.9, SpeechEnded("Okay."))
    assert book << (4.9, Think(2, (..., "caller: Okay.")))


@pytest.mark.parametrize("text", ["What is it for?", "My number is five five, please.", "I am done, that's all."])
def test_what_ends_like_a_pause_and_is_none_is_answered_at_once(text: str) -> None:
    book = greeted(replace(CLINIC, greeting="What is your phone number?"))
    assert book >> (4.0, SpeechStarted()) >> (4.5, SpeechPaused()) >> (4.9, SpeechEnded(text)) << (4.9, Think(2, ...))


def test_a_cough_after_the_last_word_costs_half_a_second() -> None:
    assert (
        greeted()
        >> (4.0, SpeechStarted())
        >> (4.6, SpeechPaused())
        >> (4.8, SpeechStarted())
        >> (4.9, SpeechEnded("When are you open?"))
        >> (5.0, SpeechPaused(0.1))
        >> 5.5
        << (5.35, Think(2, (..., "caller: When are you open?")))
    )


def test_a_short_word_is_waited_for_though_it_is_understood_after_its_end() -> None:
    asking = replace(CLINIC, greeting="Could you spell your name?", ears="flux-general-en")
    assert (
        greeted(asking)
        >> (4.0, SpeechStarted())
        >> (4.3, SpeechPaused(0.1))
        >> (4.8, SpeechEnded("S."))
        >> (5.0, SpeechStarted())
        >> (5.3, SpeechPaused(0.1))
        >> (5.4, WordsHeard("M."))  # no cough after all
        >> (5.8, SpeechEnded("M."))
        >> 7.1
        << (7.0, Think(2, (..., "caller: S. M.")))
    )


# --- interruptions ------------------------------------------------------------------------------------------------


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


# --- working ahead ------------------------------------------------------------------------------------------------


def ahead(agent: object = EAGER) -> Playbook:
    return (
        greeted(agent)
        >> (4.0, SpeechStarted())
        >> (4.6, SpeechPaused(0.12))
        >> (4.7, WordsHeard("when are you open", settled=True))
        << (4.7, Think(2, (..., "caller: when are you open"), ahead=True))
    )


def test_an_answer_begun_ahead_is_held_until_the_turn_is_over() -> None:
    assert (
        ahead()
        >> (4.8, Thought(2, "We open at nine. "))
        << Speak(3, "We open at nine. ")
        >> (4.9, spoken(3, "We open at nine. "))
        >> (5.0, SpeechEnded("When are you open?"))
        << Commit(1, 2, "When are you open?", ...)
        << (5.0, plays(1.0))
    )


def test_an_answer_begun_ahead_is_cancelled_at_once_when_speech_resumes() -> None:
    assert (
        ahead()
        >> (4.8, Thought(2, "We open at nine. "))
        << Speak(3, "We open at nine. ")
        >> (4.85, SpeechStarted())
        << StopThinking(2, "the caller went on")
        << StopSpeaking(3)
        >> (4.9, spoken(3, "We open at nine. "))  # too late: nobody wants it
        >> (5.5, SpeechPaused(0.1))
        >> (5.6, WordsHeard("when are you open on sundays", settled=True))
        << Think(4, (..., "caller: when are you open on sundays"), ahead=True)
    )


def test_an_answer_to_other_words_is_not_given() -> None:
    assert (
        ahead()
        >> (5.0, SpeechEnded("Where are you open?"))
        << StopThinking(2, "the words changed")
        << Think(3, (..., "caller: Where are you open?"))
        >> (5.1, Thought(2, "We open at nine."))
    )


def test_no_tool_is_used_before_the_turn_is_over() -> None:
    call = ToolCall("t1", "book", {"day": "Monday"})
    assert (
        ahead()
        >> (4.8, ToolsWanted(2, (call,)))
        >> (4.8, ThoughtEnded(2, "tools"))
        >> (5.0, SpeechEnded("When are you open?"))
        << UseTools(2, (call,))
    )


def test_careful_thinks_ahead_and_speaks_when_the_turn_is_over() -> None:
    assert (
        ahead(CAREFUL)
        >> (4.8, Thought(2, "We open at nine. "))
        >> (4.8, ThoughtEnded(2))
        >> (5.0, SpeechEnded("When are you open?"))
        << Speak(3, "We open at nine. ")
        << Speak(3, "", last=True)
    )


def test_a_digit_group_is_answered_ahead_only_when_its_time_is_nearly_up() -> None:
    asking = replace(EAGER, greeting="What is your phone number?")
    assert (
        greeted(asking)
        >> (4.0, SpeechStarted())
        >> (4.6, SpeechPaused(0.1))
        >> (4.7, WordsHeard("five five", settled=True))
        >> (4.9, SpeechEnded("Five five."))
        >> 5.7
        >> 6.0
        << (5.8, Think(2, (..., "caller: Five five."), ahead=True))
        >> 6.4
        << (6.3, Commit(1, 2, ..., ...))
    )


FLUX = replace(EAGER, ears="flux-general-en")


def test_flux_is_not_waited_for_when_the_caller_has_paused() -> None:
    assert (
        greeted(FLUX)
        >> (4.0, SpeechStarted())
        >> (4.5, WordsHeard("When are you open"))
        >> (4.73, SpeechPaused(0.13))
        >> 4.8
        << (4.78, Think(2, (..., "caller: When are you open"), ahead=True))
        >> (4.9, EndLikely("When are you open?"))
        >> (5.2, SpeechEnded("When are you open?"))
        << Commit(1, 2, ..., 4.6)
    )


def test_a_guess_that_missed_the_last_word_is_made_again_with_it() -> None:
    assert (
        greeted(FLUX)
        >> (4.0, SpeechStarted())
        >> (4.5, WordsHeard("Are they open"))
        >> (4.73, SpeechPaused(0.13))
        >> 4.8
        << Think(2, (..., "caller: Are they open"), ahead=True)
        >> (4.85, WordsHeard("Are they open today"))
        >> 4.86
        << StopThinking(2, "the words changed")
        << Think(3, (..., "caller: Are they open today"), ahead=True)
    )


def test_guesses_leave_one_try_for_when_the_ears_are_sure() -> None:
    book = greeted(FLUX) >> (4.0, SpeechStarted()) >> (4.2, WordsHeard("one")) >> (4.45, SpeechPaused(0.13)) >> 4.51
    book = book << Think(2, ..., ahead=True) >> (4.6, SpeechStarted()) << StopThinking(2, ...)
    book = book >> (4.8, WordsHeard("one two")) >> (4.95, SpeechPaused(0.13)) >> 5.01 << Think(3, ..., ahead=True)
    book = book >> (5.1, SpeechStarted()) << StopThinking(3, ...) >> (5.3, WordsHeard("one two three"))
    book = book >> (5.45, SpeechPaused(0.13)) >> (5.6, EndLikely("one two three")) << Think(4, ..., ahead=True)
    assert book


def test_nothing_is_guessed_while_a_sentence_lacks_its_end() -> None:
    book = greeted(FLUX) >> (4.0, SpeechStarted()) >> (4.5, WordsHeard("I would like to")) >> (4.8, SpeechPaused(0.13))
    assert book >> (5.0, EndLikely("I would like to")) >> (5.1, SpeechStarted())


def test_careful_ears_do_not_guess() -> None:
    book = greeted(replace(FLUX, work_ahead="careful")) >> (4.0, SpeechStarted()) >> (4.5, WordsHeard("Are they open"))
    book = book >> (4.73, SpeechPaused(0.13)) >> 4.8 >> (4.9, EndLikely("Are they open?"))
    assert book << Think(2, ..., ahead=True)


def test_a_word_that_comes_in_the_pause_is_not_waited_for_to_be_settled() -> None:
    book = greeted(EAGER) >> (4.0, SpeechStarted()) >> (4.4, WordsHeard("when are you")) >> (4.6, SpeechPaused(0.13))
    assert book << SettleWords() >> (4.65, WordsHeard("when are you open")) << Think(2, ..., ahead=True)


def test_a_likely_end_that_comes_when_the_voice_is_back_begins_nothing() -> None:
    book = greeted(FLUX) >> (4.0, SpeechStarted()) >> (4.4, WordsHeard("are they")) >> (4.6, SpeechPaused(0.13))
    book = book >> 4.68 << Think(2, ..., ahead=True) >> (4.7, SpeechStarted(0.06)) << StopThinking(2, ...)
    assert book >> (4.72, EndLikely("are they"))


def test_three_tries_ahead_are_enough_for_one_turn() -> None:
    book = ahead() >> (4.75, SpeechStarted()) << StopThinking(2, ...)
    book = book >> (5.0, SpeechPaused()) >> (5.1, WordsHeard("one", True)) << Think(3, ..., ahead=True)
    book = book >> (5.2, SpeechStarted()) << StopThinking(3, ...)
    book = book >> (5.5, SpeechPaused()) >> (5.6, WordsHeard("one two", True)) << Think(4, ..., ahead=True)
    book = book >> (5.7, SpeechStarted()) << StopThinking(4, ...) >> (6.0, SpeechPaused())
    assert book >> (6.1, WordsHeard("one two three", True)) >> (6.3, SpeechEnded("One two three.")) << Think(5, ...)


def test_flux_takes_its_likely_end_back() -> None:
    assert (
        greeted(replace(EAGER, ears="flux-general-en"))
        >> (4.0, SpeechStarted())
        >> (4.8, SpeechPaused(0.1))
        >> (4.9, EndLikely("When are you open"))
        << Think(2, (..., "caller: When are you open"), ahead=True)
        >> (5.0, SpeechResumed())
        << StopThinking(2, "the caller went on")
        >> (5.6, EndLikely("When are you open on Sundays"))
        << Think(3, ..., ahead=True)
        >> (5.9, SpeechEnded("When are you open on Sundays"))
        << Commit(1, 3, ..., ...)
    )


# --- the mind -----------------------------------------------------------------------------------------------------


def test_a_slow_first_token_is_covered_and_then_asked_for_elsewhere() -> None:
    assert (
        asked(greeted())
        >> 5.8
        << (5.8, Speak(3, "One moment.", last=True))
        >> (5.8, spoken(3, "One moment."))
        << plays(0.5)
        >> (5.8, VoiceEnded(3))
        >> 7.0
        << (7.0, Think(4, (..., "caller: When are you open?"), fallback=True))
        >> (7.3, ThoughtBegan(4))
        << StopThinking(2, "its twin was faster")
        >> (7.4, Thought(2, "Never heard."))
        >> (7.5, Thought(4, OPENING))
        << Speak(5, OPENING)
    )


def test_acknowledgements_are_never_the_same_twice_in_a_row() -> None:
    book = asked(greeted()) >> 5.8 << Speak(3, "One moment.", last=True) >> (5.9, Thought(2, OPENING))
    book = book << Speak(4, OPENING) >> (6.0, spoken(4, OPENING)) << StopSpeaking(3) << plays(2.5)
    book = book >> (6.0, ThoughtEnded(2)) << Speak(4, "", last=True) >> (6.0, VoiceEnded(4)) >> 9.0
    book = book >> (9.5, SpeechEnded("And on Sundays?")) << Think(5, ...) >> 10.3
    assert book << Speak(6, "Let me see.", last=True)


def test_a_refused_request_is_made_again_with_the_other_model() -> None:
    assert asked(greeted()) >> (5.1, ThoughtFailed(2, "529 overloaded")) << Think(3, ..., fallback=True)


def test_when_both_minds_fail_the_caller_is_asked_again_and_then_excused() -> None:
    phrases = CLINIC.phrases
    book = asked(greeted()) >> (5.1, ThoughtFailed(2, "529")) << Think(3, ..., fallback=True)
    book = book >> (5.2, ThoughtFailed(3, "529")) << Speak(4, phrases.apology, last=True)
    book = book >> (5.3, spoken(4, phrases.apology)) << plays(0.25 * len(phrases.apology.split()))
    book = book >> (5.3, VoiceEnded(4)) >> 9.0 >> (9.1, SpeechEnded("Hello?")) << Think(5, ...)
    book = book >> (9.2, ThoughtFailed(5, "529")) << Think(6, ..., fallback=True)
    book = book >> (9.3, ThoughtFailed(6, "529")) << Speak(7, phrases.trouble, last=True)
    book = book >> (9.4, spoken(7, "I'm sorry.")) << plays(0.5) >> (9.4, VoiceEnded(7)) >> 10.0
    assert book << (9.9, HangUp("mind failed", "vendor"))
    assert book.call.outcome == outcomes.NO_MIND


def test_an_answer_that_breaks_off_is_finished_and_nothing_is_said_twice() -> None:
    assert (
        asked(greeted())
        >> (5.2, Thought(2, "We open at nine. "))
        << Speak(3, "We open at nine. ")
        >> (5.3, ThoughtFailed(2, "overloaded_error"))
        << Think(
            4,
            (..., 'platform: Your answer broke off after "We open at nine.". Go on from there and repeat nothing.'),
            fallback=True,
        )
        >> (5.6, Thought(4, "We close at five."))
        << Speak(3, "We close at five.")
    )


@pytest.mark.parametrize(("reason", "phrase"), [("refused", "refused"), ("finished", "apology")])
def test_an_empty_answer_never_means_silence(reason: str, phrase: str) -> None:
    words = getattr(CLINIC.phrases, phrase)
    assert asked(greeted()) >> (5.2, ThoughtEnded(2, reason)) << Speak(3, words, last=True)


# --- tools --------------------------------------------------------------------------------------------------------

BOOK = ToolCall("t1", "book", {"day": "Monday"})
LOOK = ToolCall("t2", "look_up", {"name": "Ann"})
DONE = (ToolAnswer("t1", "booked"), ToolAnswer("t2", "known"))


def test_all_parallel_tools_are_used_and_their_answers_thought_about() -> None:
    assert (
        asked(greeted())
        >> (5.2, ToolsWanted(2, (BOOK, LOOK)))
        >> (5.2, ThoughtEnded(2, "tools"))
        << UseTools(2, (BOOK, LOOK))
        >> (5.6, ToolsAnswered(2, DONE))
        << Think(3, (..., "caller: When are you open?", Used((BOOK, LOOK), DONE)))
    )


def test_slow_tools_are_covered() -> None:
    book = asked(greeted()) >> (5.2, ToolsWanted(2, (BOOK,))) >> (5.2, ThoughtEnded(2, "tools")) << UseTools(2, (BOOK,))
    book = book >> 5.8 << (5.8, Speak(3, "One moment.", last=True)) >> (5.8, spoken(3, "One moment.")) << plays(0.5)
    assert book >> (5.8, VoiceEnded(3)) >> 11.5 << (10.8, Speak(4, "Let me see.", last=True))


def test_tools_that_never_answer_are_reported_to_the_mind() -> None:
    silent = replace(CLINIC, phrases=replace(CLINIC.phrases, acknowledgements=()))
    book = asked(greeted(silent)) >> (5.2, ToolsWanted(2, (BOOK,))) >> (5.2, ThoughtEnded(2, "tools"))
    late = Used((BOOK,), (ToolAnswer("t1", "No answer in time.", failed=True),))
    assert book << UseTools(2, (BOOK,)) >> 25.3 << (25.2, Think(3, (..., late)))


def test_a_caller_who_interrupts_a_tool_leaves_its_answer_in_the_memory() -> None:
    book = asked(greeted()) >> (5.2, ToolsWanted(2, (BOOK,))) >> (5.2, ThoughtEnded(2, "tools")) << UseTools(2, (BOOK,))
    book = book >> (5.4, SpeechStarted()) >> (5.6, WordsHeard("no wait")) >> (5.8, ToolsAnswered(2, DONE[:1]))
    book = book >> (6.0, SpeechPaused()) >> (6.2, SpeechEnded("No, wait."))
    assert book << Think(3, (..., Used((BOOK,), DONE[:1]), "caller: No, wait."))


def test_goodbye_is_heard_before_the_line_is_cut() -> None:
    end = ToolCall("t1", "end_call", {"reason": "done"})
    book = asked(greeted()) >> (5.2, Thought(2, "Goodbye now.")) << Speak(3, "Goodbye now.")
    book = book >> (5.3, ToolsWanted(2, (end,))) >> (5.3, ThoughtEnded(2, "tools")) << Speak(3, "", last=True)
    book = book >> (5.4, spoken(3, "Goodbye now.")) << plays(0.5) >> (5.4, VoiceEnded(3)) >> 7.0
    assert book << (5.9, HangUp("agent said goodbye", "agent"))
    assert book.call.over


def test_a_goodbye_whose_mark_is_lost_still_ends() -> None:
    end = ToolCall("t1", "end_call", {})
    book = asked(greeted()) >> (5.2, ToolsWanted(2, (end,))) >> (5.2, ThoughtEnded(2, "tools"))
    book = book << Speak(3, CLINIC.phrases.goodbye, last=True)
    book.phone.echoes = False
    book = book >> (5.4, spoken(3, CLINIC.phrases.goodbye)) << plays(1.25) >> (5.4, VoiceEnded(3)) >> 9.0
    assert book << (8.65, HangUp("agent said goodbye", "agent"))


def test_a_transfer_is_announced_and_then_made() -> None:
    agent = replace(CLINIC, transfers={"doctor": "+15005550009"})
    call = ToolCall("t1", "transfer", {"to": "doctor", "summary": "wants a doctor"})
    book = asked(greeted(agent)) >> (5.2, ToolsWanted(2, (call,))) >> (5.2, ThoughtEnded(2, "tools"))
    book = book << Speak(3, agent.phrases.transfer, last=True) >> (5.3, spoken(3, agent.phrases.transfer))
    book = book << plays(1.25) >> (5.3, VoiceEnded(3)) >> 7.0
    assert book << (6.55, Transfer("+15005550009", "wants a doctor"))
    assert book.call.outcome == outcomes.TRANSFERRED


def test_a_transfer_to_nobody_is_told_to_the_mind() -> None:
    call = ToolCall("t1", "transfer", {"to": "the king"})
    answer = ToolAnswer("t1", "There is no 'the king' to transfer to, only: nobody.", failed=True)
    book = asked(greeted()) >> (5.2, ToolsWanted(2, (call,))) >> (5.2, ThoughtEnded(2, "tools"))
    assert book << Think(3, (..., Used((call,), (answer,))))


def test_keys_are_pressed_as_tones() -> None:
    call = ToolCall("t1", "press_keys", {"keys": "12#"})
    book = asked(greeted()) >> (5.2, ToolsWanted(2, (call,))) >> (5.2, ThoughtEnded(2, "tools"))
    assert book << plays(3 * 0.24)


# --- the mouth ----------------------------------------------------------------------------------------------------


def test_a_voice_that_does_not_come_is_replaced() -> None:
    book = asked(greeted()) >> (5.2, Thought(2, OPENING)) << Speak(3, OPENING) >> 5.8 << Speak(4, "One moment.", True)
    book = book >> (5.8, spoken(4, "One moment.")) << plays(0.5) >> (5.8, VoiceEnded(4)) >> 7.9
    assert book << (7.8, StopSpeaking(3)) << Speak(5, f"{OPENING} ", fallback=True)


def test_words_already_heard_are_not_said_again_by_the_second_voice() -> None:
    book = asked(greeted()) >> (5.2, Thought(2, OPENING)) << Speak(3, OPENING) >> (5.3, spoken(3, "We open at nine"))
    book = book << plays(1.0) >> (5.4, VoiceFailed(3, "quota")) << StopSpeaking(3)
    book = book << Speak(4, "and close at five on weekdays. ", fallback=True) >> (5.5, ThoughtEnded(2))
    book = book << Speak(4, "", last=True, fallback=True) >> (5.6, spoken(4, "and close at five on weekdays."))
    book = book << plays(1.5) >> (5.6, VoiceEnded(4)) >> 9.0
    assert book << Remember((..., "agent: We open at nine", "agent: and close at five on weekdays."))


def test_without_any_voice_the_call_ends_on_the_vendors_account() -> None:
    book = asked(greeted()) >> (5.2, Thought(2, OPENING)) << Speak(3, OPENING) >> (5.2, ThoughtEnded(2))
    book = book << Speak(3, "", last=True) >> (5.3, VoiceFailed(3, "401")) << StopSpeaking(3)
    book = book << Speak(4, f"{OPENING} ", last=True, fallback=True) >> (5.4, VoiceFailed(4, "401")) << StopSpeaking(4)
    book = book << Speak(5, CLINIC.phrases.trouble, last=True) >> (5.5, VoiceFailed(5, "401")) << StopSpeaking(5)
    book = book << Speak(6, ..., last=True, fallback=True) >> (5.6, VoiceFailed(6, "401")) << StopSpeaking(6)
    assert book << HangUp("voice failed", "vendor")


# --- keys, silence, ends ------------------------------------------------------------------------------------------


def test_keys_end_with_the_hash_and_reach_the_mind_as_digits() -> None:
    book = greeted() >> (4.0, Digit("4")) >> (4.3, Digit("2")) >> (4.6, Digit("#"))
    assert book << Think(2, (..., "caller: (pressed the keys 42)"))


def test_keys_end_by_themselves_too() -> None:
    assert greeted() >> (4.0, Digit("4")) >> 7.0 << (6.5, Think(2, (..., "caller: (pressed the keys 4)")))


def test_a_key_stops_the_agent() -> None:
    assert answering(greeted()) >> (6.8, Digit("1")) << Clear() >> (6.9, Digit("#")) << Think(4, ...)


def test_the_ladder_of_silence_ends_in_goodbye() -> None:
    phrases, book = CLINIC.phrases, greeted()
    book = book >> 9.6 << (9.5, Speak(2, phrases.still_there[0], last=True)) >> (9.6, spoken(2, "Are you there?"))
    book = book << plays(0.75) >> (9.6, VoiceEnded(2)) >> 17.6 << (17.5, Speak(3, phrases.still_there[1], last=True))
    book = book >> (17.6, spoken(3, "Are you there?")) << plays(0.75) >> (17.6, VoiceEnded(3)) >> 26.6
    book = book << (26.5, Speak(4, phrases.goodbye_silence, last=True)) >> (26.6, spoken(4, "Goodbye."))
    book = book << plays(0.25) >> (26.6, VoiceEnded(4)) >> 27.0
    assert book << (26.85, HangUp("caller stayed silent", "caller"))


def test_a_stream_that_never_comes_ends_the_call() -> None:
    assert ringing() >> 21.0 << (20.0, HangUp("media stream never came", "carrier"))


def test_the_longest_call_ends_with_a_word() -> None:
    agent = replace(CLINIC, patience=replace(CLINIC.patience, longest_call=5.0))
    book = greeted(agent) >> 5.1 << (5.0, Speak(2, agent.phrases.time_is_up, last=True)) >> (5.2, spoken(2, "Bye."))
    assert book << plays(0.25) >> (5.2, VoiceEnded(2)) >> 6.0 << HangUp("reached the longest duration", "platform")


def test_a_limit_of_money_ends_with_a_word() -> None:
    assert greeted() >> (3.0, LimitReached("cost")) << Speak(2, CLINIC.phrases.time_is_up, last=True)


def test_the_caller_hangs_up_in_the_middle_of_a_word() -> None:
    book = answering(greeted()) >> (6.75, LineClosed("caller"))
    assert book.call.over
    assert book.call.outcome == outcomes.CALLER_HUNG_UP
    assert book.call.memory[-1] == Said("agent", "We open at nine…")


def test_an_operator_ends_or_takes_over() -> None:
    assert greeted() >> (3.0, HangUpAsked("operator")) << HangUp("ended by operator", "operator")
    assert greeted() >> (3.0, TransferAsked("+15005550009")) << Speak(2, CLINIC.phrases.transfer, last=True)


def test_nothing_is_asked_for_after_the_end() -> None:
    book = greeted() >> (3.0, LineClosed("caller"))
    assert book >> (3.1, SpeechEnded("hello?")) >> (3.2, Thought(2, "hi")) >> 4000.0


def test_a_call_goes_on_where_another_process_left_it() -> None:
    memory = (Said("caller", "When are you open?"), Said("agent", "We open at…"))
    book = Playbook(CLINIC, Call(CLINIC, 0.0, memory)) >> (0.2, LineOpened())
    book = book << Speak(1, CLINIC.phrases.resumed, last=True) >> (0.2, spoken(1, CLINIC.phrases.resumed))
    book = book << plays(0.25 * 10) >> (0.2, VoiceEnded(1)) >> 4.0 >> (5.0, SpeechEnded("So when?"))
    resumed = f"agent: {CLINIC.phrases.resumed}"
    assert book << Think(2, ("caller: When are you open?", "agent: We open at…", resumed, "caller: So when?"))


def test_http_tools_have_sensible_defaults() -> None:
    assert HttpTool("book", "Books.", "https://example.com").effect


# --- the clock of the playback ----------------------------------------------------------------------------------------


def words_heard_at(now: float, *, last_mark_late: float) -> list[str]:
    """Of a second of sound that was sent at 10.0, when its first mark came in time and its second one late."""
    playback = Playback()
    playback.begin(1)
    words = (Word("open", 0.0, 0.6), Word("daily", 0.6, 1.0))
    one, other, *_ = playback.add(1, second(1.0), words, 10.0)
    playback.played(one.mark, 10.25)
    playback.played(other.mark, 10.5 + last_mark_late)
    return [word.text for word in playback.heard_words(1, now)]


def test_a_mark_that_waited_for_the_carriers_beat_does_not_make_a_word_unheard() -> None:
    assert words_heard_at(10.59, last_mark_late=0.015) == []
    assert words_heard_at(10.601, last_mark_late=0.015) == ["open"]


def test_a_mark_that_comes_much_later_tells_of_sound_that_was_late() -> None:
    assert words_heard_at(10.61, last_mark_late=0.1) == []
    assert words_heard_at(10.7, last_mark_late=0.1) == ["open"]
