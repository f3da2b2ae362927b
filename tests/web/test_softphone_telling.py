"""What the page is told of a call, event by event."""

from typing import Any

from app.audio import Clip, silence
from app.call.actions import Clear, Commit, Play, Speak, StopSpeaking, Think, UseTools, Write
from app.call.events import (
    LineOpened,
    SpeechEnded,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    ToolCall,
    Troubled,
    Voiced,
    WordsHeard,
)
from app.web.softphone_telling import Telling, Told

CLIP = Clip.of(silence(0.2))


def told(*things: tuple[float, object]) -> list[Told]:
    telling = Telling()
    return [each for now, thing in things for each in telling.add(now, thing)]


def of_kind(kind: str, told: list[Told]) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name != "is"} for each in told if each["is"] == kind]


GREETED: tuple[tuple[float, object], ...] = (
    (10.0, LineOpened()),
    (10.0, Speak(1, "Hello.", last=True)),
    (10.02, Voiced(1, CLIP)),
    (10.02, Play(CLIP, 1)),
)
ASKED: tuple[tuple[float, object], ...] = (
    (14.0, WordsHeard("When are")),
    (15.0, SpeechEnded("When are you open?")),
    (15.0, Commit(1, 2, "When are you open?", 14.7)),
    (15.0, Think(2, ())),
    (15.0, Write("caller", "When are you open?", "When are you open?", 13.0, 14.7)),
)


def test_the_agents_line_appears_with_its_sound_and_not_before() -> None:
    assert told(*GREETED[:2]) == []
    assert told(*GREETED) == [
        {"is": "saying", "utterance": 1, "text": "Hello."},
        {"is": "greeting", "after": 0.02},
    ]


def test_a_line_that_was_heard_out_has_nothing_cut() -> None:
    said = told(*GREETED, (11.0, Write("agent", "Hello.", "Hello.", 10.02, 11.0)))
    assert of_kind("line", said) == [
        {"who": "agent", "text": "Hello.", "heard": "Hello.", "cut": "", "utterance": 1, "at": 0.02}
    ]


def test_the_callers_words_come_as_they_are_heard() -> None:
    said = told(*GREETED, *ASKED)
    assert of_kind("hearing", said) == [{"text": "When are"}, {"text": "When are you open?"}]
    assert of_kind("line", said)[0]["heard"] == "When are you open?"
    assert of_kind("line", said)[0]["at"] == 3.0


def test_words_of_nothing_are_not_told() -> None:
    assert told((1.0, WordsHeard("")), (1.5, SpeechEnded("", 0.0))) == []


def test_a_turn_is_told_anew_with_every_stage_that_it_reaches() -> None:
    said = told(
        *GREETED,
        *ASKED,
        (15.3, ThoughtBegan(2)),
        (15.4, Thought(2, "From nine.")),
        (15.4, Speak(3, "From nine.")),
        (15.5, Voiced(3, CLIP)),
        (15.5, Play(CLIP, 2)),
    )
    turns = of_kind("turn", said)
    assert [turn["gap"] for turn in turns] == [None, None, None, None, 0.8]
    assert turns[0]["stages"] == {"endpointing": 0.3}
    assert turns[-1] == {
        "number": 1,
        "asked": "When are you open?",
        "gap": 0.8,
        "ahead": False,
        "stages": {"endpointing": 0.3, "first token": 0.3, "first clause": 0.1, "first voice": 0.1, "send": 0.0},
    }


def test_an_answer_that_was_begun_ahead_is_told_when_it_is_wanted() -> None:
    ahead = (
        *GREETED,
        (14.0, Think(2, (), ahead=True)),
        (14.3, Thought(2, "From nine.")),
        (14.3, Speak(3, "From nine.")),
        (14.5, Voiced(3, CLIP)),
    )
    assert of_kind("saying", told(*ahead)) == [{"utterance": 1, "text": "Hello."}]
    wanted = told(*ahead, (15.0, Commit(1, 2, "When?", 14.7)))
    assert of_kind("saying", wanted)[1:] == [{"utterance": 3, "text": "From nine."}]
    assert of_kind("turn", wanted)[-1]["ahead"] is True


def test_an_answer_that_was_begun_ahead_and_dropped_is_never_told() -> None:
    said = told(
        (14.0, Think(2, (), ahead=True)),
        (14.3, Thought(2, "From nine.")),
        (14.3, Speak(3, "From nine.")),
        (14.5, Voiced(3, CLIP)),
        (14.6, StopSpeaking(3)),
        (15.0, Commit(1, 4, "When?", 14.7)),
        (15.1, Voiced(3, CLIP)),
    )
    assert of_kind("saying", said) == []


def test_a_line_grows_while_it_is_being_said() -> None:
    said = told(*GREETED, (10.1, Thought(2, " Welcome.")), (10.1, Speak(1, " Welcome.")))
    assert of_kind("saying", said)[-1] == {"utterance": 1, "text": "Hello. Welcome."}


def test_what_was_cut_is_told_with_the_time_that_the_agent_took_to_be_silent() -> None:
    said = told(
        *GREETED,
        (10.3, SpeechStarted(0.05)),
        (10.31, Clear()),
        (10.6, WordsHeard("Wait, are you")),
        (10.6, StopSpeaking(1)),
        (10.6, Write("agent", "Hello.", "", 10.02, 10.6, interrupted=True)),
    )
    assert of_kind("stopped", said) == [{"after": 0.06}]
    assert of_kind("line", said)[0]["cut"] == "Hello."
    assert of_kind("line", said)[0]["utterance"] == 1
    assert of_kind("unsaid", said) == []


def test_words_that_were_withdrawn_before_anybody_heard_them_disappear() -> None:
    said = told(*GREETED, (10.1, StopSpeaking(1)), (10.2, SpeechStarted(0.0)), (10.3, Voiced(1, CLIP)))
    assert of_kind("unsaid", said) == [{"utterance": 1}]
    assert len(of_kind("saying", said)) == 1


def test_tools_and_troubles_are_told() -> None:
    said = told(
        (1.0, UseTools(1, (ToolCall("t1", "book", {"day": "Tuesday"}),))),
        (2.0, Troubled("ears", "deepgram: the socket broke")),
    )
    assert said == [
        {"is": "tool", "name": "book", "arguments": {"day": "Tuesday"}},
        {"is": "trouble", "who": "ears", "what": "deepgram: the socket broke"},
    ]
