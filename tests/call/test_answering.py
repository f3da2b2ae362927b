"""The mind, its tools and the mouth, when they are slow, fail, or do as they should."""

# Expectations are patterns in the shape of actions: `...` stands where anything may stand.
# mypy: disable-error-code="arg-type"

from dataclasses import replace

import pytest

from app.call import outcome as outcomes
from app.call.actions import (
    HangUp,
    Remember,
    Speak,
    StopSpeaking,
    StopThinking,
    Think,
    Transfer,
    Used,
    UseTools,
)
from app.call.events import (
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    ThoughtEnded,
    ThoughtFailed,
    ToolAnswer,
    ToolCall,
    ToolsAnswered,
    ToolsWanted,
    VoiceEnded,
    VoiceFailed,
    WordsHeard,
)
from tests.call.playbook import (
    CLINIC,
    OPENING,
    asked,
    greeted,
    plays,
    spoken,
)

# --- the mind --------------------------------------------------------------------------------------------------------


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


# --- tools -----------------------------------------------------------------------------------------------------------


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


# --- the mouth -------------------------------------------------------------------------------------------------------


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
