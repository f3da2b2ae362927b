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
    Write,
)
from app.call.agent import HttpTool
from app.call.call import Call
from app.call.events import (
    Digit,
    HangUpAsked,
    LimitReached,
    LineClosed,
    LineOpened,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Thought,
    TransferAsked,
    VoiceEnded,
    WordsHeard,
)
from tests.call.playbook import (
    CLINIC,
    OPENING,
    Playbook,
    answering,
    asked,
    greeted,
    plays,
    ringing,
    spoken,
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
