"""Answers that are begun before the caller has finished: held, taken, or thrown away."""

# Expectations are patterns in the shape of actions: `...` stands where anything may stand.
# mypy: disable-error-code="arg-type"

from dataclasses import replace

from app.call.actions import (
    Commit,
    SettleWords,
    Speak,
    StopSpeaking,
    StopThinking,
    Think,
    UseTools,
)
from app.call.events import (
    EndLikely,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    Thought,
    ThoughtEnded,
    ToolCall,
    ToolsWanted,
    WordsHeard,
)
from tests.call.playbook import (
    CAREFUL,
    EAGER,
    Playbook,
    greeted,
    plays,
    spoken,
)


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
