"""Deepgram's messages, recorded and made up, and the events that they become."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from app.call.agent import Agent
from app.call.events import EndLikely, Event, SpeechEnded, SpeechResumed, Troubled, WordsHeard
from app.ears.deepgram_wire import Hearing, SegmentHearing, TurnHearing, hearing_for, parameters

RECORDINGS = Path(__file__).parent.parent / "recordings"
NOVA = Agent("desk", "Hello.", "Be kind.")
FLUX = Agent("desk", "Hello.", "Be kind.", ears="flux")


def heard(hearing: Hearing, *messages: dict[str, Any]) -> list[Event]:
    return [event for message in messages for event in hearing.take(message)]


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDINGS / name).read_text().splitlines()]


def result(text: str, start: float = 0.0, *, final: bool = True, each: float = 0.5, **marks: Any) -> dict[str, Any]:
    """A Results message whose words last `each` seconds, one after the other, from `start` on."""
    confidence = marks.pop("confidence", 0.9)
    words = [
        {"word": word, "start": start + n * each, "end": start + (n + 1) * each, "confidence": confidence}
        for n, word in enumerate(text.split())
    ]
    alternative = {"transcript": text, "confidence": confidence, "words": words}
    message = {"type": "Results", "start": start, "duration": len(words) * each, "is_final": final}
    return message | {"channel": {"alternatives": [alternative]}} | marks


def turn(event: str, text: str, start: float = 0.0, end: float = 1.0) -> dict[str, Any]:
    words = [{"word": word, "confidence": 0.9} for word in text.split()]
    window = {"audio_window_start": start, "audio_window_end": end}
    return {"type": "TurnInfo", "event": event, "transcript": text, "words": words} | window


def ended(text: str, confidence: float = 0.9) -> SpeechEnded:
    return SpeechEnded(text, cast(float, pytest.approx(confidence)))


# --- nova-3 -----------------------------------------------------------------------------------------------------------


def test_a_recorded_utterance_of_nova_gathers_its_segments_and_ends_once() -> None:
    assert heard(SegmentHearing(), *recorded("deepgram_nova3.jsonl")) == [
        WordsHeard("I'd"),
        WordsHeard("I'd like"),
        WordsHeard("I'd like a table."),
        WordsHeard("I'd like a table.", settled=True),
        WordsHeard("I'd like a table. For"),
        WordsHeard("I'd like a table. For two at"),
        WordsHeard("I'd like a table. For two at eight.", settled=True),
        ended("I'd like a table. For two at eight.", 0.965),
    ]


def test_empty_and_zero_confidence_transcripts_are_dropped() -> None:
    hearing = SegmentHearing()
    assert heard(hearing, result("", speech_final=True), result("huh", confidence=0.0, speech_final=True)) == []


def test_an_empty_final_ends_what_was_settled_before_it() -> None:
    assert heard(SegmentHearing(), result("yes please"), result("", 1.0, speech_final=True)) == [
        WordsHeard("yes please", settled=True),
        ended("yes please"),
    ]


def test_a_final_that_we_asked_for_settles_the_words_and_ends_nothing() -> None:
    assert heard(SegmentHearing(), result("yes please", from_finalize=True, speech_final=True)) == [
        WordsHeard("yes please", settled=True)
    ]


def test_the_end_of_an_utterance_stands_in_for_a_missing_end_of_speech() -> None:
    hearing = SegmentHearing()
    heard(hearing, result("yes please"), result("now", 1.0, final=False))
    assert heard(hearing, {"type": "UtteranceEnd", "last_word_end": 1.5}) == [ended("yes please now")]
    assert heard(hearing, result("now", 1.0, speech_final=True)) == []


def test_after_an_end_of_speech_the_end_of_the_utterance_is_no_news() -> None:
    hearing = SegmentHearing()
    heard(hearing, result("yes", speech_final=True))
    assert heard(hearing, {"type": "UtteranceEnd", "last_word_end": 0.5}) == []


def test_a_new_socket_s_times_are_moved_to_where_its_sound_lies_in_the_call() -> None:
    hearing = SegmentHearing()
    heard(hearing, result("one two", 10.0))
    assert hearing.settled_until == 11.0
    hearing.resume(11.0)
    heard(hearing, result("three", 0.2))
    assert hearing.settled_until == pytest.approx(11.7)


def test_words_that_a_second_socket_hears_again_are_told_once() -> None:
    hearing = SegmentHearing()
    heard(hearing, result("a table", 0.0), result("for", 1.0, final=False))
    hearing.resume(0.5)
    assert heard(hearing, result("table for two", 0.0, speech_final=True)) == [
        WordsHeard("a table for two", settled=True),
        ended("a table for two"),
    ]


def test_words_too_old_to_be_replayed_are_kept_as_they_were_heard() -> None:
    hearing = SegmentHearing()
    heard(hearing, result("one two three four", 0.0, final=False))
    hearing.resume(1.0)
    assert heard(hearing, result("three four", 0.0, speech_final=True)) == [
        WordsHeard("one two three four", settled=True),
        ended("one two three four"),
    ]


def test_sound_that_was_never_sent_makes_all_later_words_later() -> None:
    hearing = SegmentHearing()
    hearing.skip(2.0)
    heard(hearing, result("one"))
    assert hearing.settled_until == 2.5


def test_a_number_written_in_fewer_words_than_were_spoken_keeps_its_text() -> None:
    message = result("four p m", speech_final=True)
    message["channel"]["alternatives"][0]["transcript"] = "4 PM"
    assert heard(SegmentHearing(), message)[-1] == ended("4 PM")


# --- Flux -------------------------------------------------------------------------------------------------------------


def test_a_recorded_turn_of_flux_is_foreseen_taken_back_and_ended() -> None:
    assert heard(TurnHearing(), *recorded("deepgram_flux.jsonl")) == [
        WordsHeard("I'd"),
        WordsHeard("I'd like"),
        WordsHeard("I'd like a table."),
        EndLikely("I'd like a table."),
        SpeechResumed(),
        WordsHeard("I'd like a table. For"),
        WordsHeard("I'd like a table. For two."),
        EndLikely("I'd like a table. For two."),
        ended("I'd like a table. For two.", 0.95),
    ]


def test_an_empty_turn_is_no_turn() -> None:
    assert heard(TurnHearing(), turn("EagerEndOfTurn", ""), turn("EndOfTurn", "")) == []


def test_the_end_of_a_turn_settles_its_sound() -> None:
    hearing = TurnHearing()
    hearing.resume(20.0)
    heard(hearing, turn("EndOfTurn", "yes", 1.0, 3.0))
    assert hearing.settled_until == 23.0


def test_a_turn_replayed_from_its_beginning_is_heard_anew() -> None:
    hearing = TurnHearing()
    heard(hearing, turn("Update", "a table for", 0.0, 1.5))
    hearing.resume(0.0)
    assert heard(hearing, turn("EndOfTurn", "A table for two", 0.0, 2.0)) == [ended("A table for two")]


def test_the_beginning_of_a_turn_too_long_to_be_replayed_is_kept() -> None:
    hearing = TurnHearing()
    heard(hearing, turn("Update", "one two three four five six seven eight", 0.0, 8.0))
    hearing.resume(3.0)
    assert heard(hearing, turn("EndOfTurn", "three four five six seven eight nine", 0.0, 7.0)) == [
        ended("one two three four five six seven eight nine")
    ]


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", [NOVA, FLUX])
def test_an_error_is_kept_for_the_trace(agent: Agent) -> None:
    error = {"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "Out of breath"}
    assert heard(hearing_for(agent), error) == [Troubled("ears", "Deepgram: Out of breath", error)]


def broken(value: Any) -> Iterator[Any]:
    """The value with each of its parts, at any depth, left out or replaced by something of another type."""
    yield from (None, True, 7, "x", [], {}, [None], [[]], ["x"])
    if isinstance(value, dict):
        for key in value:
            yield {name: part for name, part in value.items() if name != key}
            for part in broken(value[key]):
                yield value | {key: part}
    if isinstance(value, list) and value:
        for part in broken(value[0]):
            yield [part, *value[1:]]


@pytest.mark.parametrize("agent", [NOVA, FLUX])
def test_whatever_a_message_lacks_or_misspells_nothing_raises(agent: Agent) -> None:
    hearing = hearing_for(agent)
    for message in [*recorded("deepgram_nova3.jsonl"), *recorded("deepgram_flux.jsonl")]:
        for wrong in broken(message):
            if isinstance(wrong, dict):
                assert isinstance(hearing.take(wrong), list)


def test_nova_is_asked_for_interims_and_ends_of_speech() -> None:
    asked = parameters(Agent("desk", "Hello.", "Be kind.", keyterms=("Patchcord",)), "mulaw")
    assert asked == {
        "model": "nova-3",
        "encoding": "mulaw",
        "sample_rate": 8000,
        "channels": 1,
        "language": "en",
        "interim_results": True,
        "endpointing": 300,
        "utterance_end_ms": 1000,
        "vad_events": True,
        "smart_format": True,
        "punctuate": True,
        "keyterm": ["Patchcord"],
    }


@pytest.mark.parametrize(("work_ahead", "foresees"), [("off", False), ("careful", True), ("eager", True)])
def test_flux_foresees_ends_only_for_an_agent_that_works_ahead(work_ahead: str, foresees: bool) -> None:
    asked = parameters(Agent("desk", "Hello.", "Be kind.", ears="flux", work_ahead=work_ahead), "linear16")
    assert ("eager_eot_threshold" in asked) is foresees
    assert (asked["model"], asked["encoding"], asked["eot_threshold"]) == ("flux-general-en", "linear16", 0.7)


def test_flux_is_told_the_language_that_it_cannot_guess() -> None:
    asked = parameters(Agent("desk", "Hallo.", "Sei nett.", ears="flux", language="de"), "mulaw")
    assert (asked["model"], asked["language_hint"]) == ("flux-general-multi", ["de"])
