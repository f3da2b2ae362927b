"""nova-3 and Flux, fed audio with the clock read out to them."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from ops.lab.hearing import Flux, FluxOptions, Nova, NovaOptions
from ops.lab.profile import REFERENCE
from ops.lab.speech import cough, say, silence, to_linear, words_of

FRAME = 160
Timed = list[tuple[float, dict[str, Any]]]
BOOK = "I would like to book an appointment"


def nova(**options: Any) -> Nova:
    chosen: dict[str, Any] = {"interim_results": True, "endpointing": 0.3, "punctuate": True, **options}
    return Nova(NovaOptions(**chosen), REFERENCE, Random(1), "r")


def flux(**options: Any) -> Flux:
    return Flux(FluxOptions(**options), REFERENCE, Random(1), "r")


def hear(model: Nova | Flux, sound: bytes, *, size: int = FRAME, start: float = 0.0) -> Timed:
    """Push audio in real time; every message with the moment at which it came, looked for every millisecond."""
    messages: Timed = []
    now = start
    for at in range(0, len(sound), size):
        piece = sound[at : at + size]
        now += len(piece) / 8000
        while (due := model.deadline()) is not None and due <= now:
            messages += [(due, message) for message in model.poll(due)]
        model.receive(piece, now)
    return messages


def rest(model: Nova | Flux) -> Timed:
    messages: Timed = []
    while (due := model.deadline()) is not None:
        messages += [(due, message) for message in model.poll(due)]
    return messages


def texts(messages: Iterable[tuple[float, dict[str, Any]]], **wanted: Any) -> list[str]:
    return [
        message["channel"]["alternatives"][0]["transcript"]
        for _, message in messages
        if message["type"] == "Results" and all(message[key] == value for key, value in wanted.items())
    ]


def events(messages: Timed) -> list[str]:
    return [str(message.get("event", message["type"])) for _, message in messages]


# --- nova-3 ---------------------------------------------------------------------------------------------------------


def test_nova_ends_speech_after_its_silence_and_its_lag() -> None:
    end = 0.5 + words_of(BOOK)[-1].end
    messages = hear(nova(), silence(0.5) + say(BOOK) + silence(1))
    (final,) = [(at, message) for at, message in messages if message.get("speech_final")]
    assert final[0] == pytest.approx(end + 0.3 + 0.1, abs=0.021)
    assert texts([final]) == [BOOK]
    words = final[1]["channel"]["alternatives"][0]["words"]
    assert words[3]["word"] == "to"
    assert [word["end"] for word in words] == [pytest.approx(0.5 + word.end, abs=0.001) for word in words_of(BOOK)]


def test_nova_gives_interims_every_150_ms_while_speech_goes_on() -> None:
    messages = hear(nova(), say(BOOK) + silence(0.5))
    moments = [at for at, message in messages if message["type"] == "Results" and not message["is_final"]]
    assert len(moments) >= 8
    assert {round(later - earlier, 2) for earlier, later in pairwise(moments)} <= {0.14, 0.16}
    interims = texts(messages, is_final=False)
    assert all(BOOK.startswith(interim) for interim in interims)
    assert interims[-1] == BOOK


def test_nova_says_when_speech_starts_and_when_an_utterance_is_over() -> None:
    messages = hear(nova(vad_events=True, utterance_end=1.0), silence(0.2) + say("Yes.") + silence(2))
    kinds = [message["type"] for _, message in messages if message["type"] != "Results"]
    assert kinds == ["SpeechStarted", "UtteranceEnd"]
    at, over = messages[-1]
    assert over["last_word_end"] == pytest.approx(0.2 + words_of("Yes.")[-1].end, abs=0.001)
    assert at == pytest.approx(over["last_word_end"] + 1.0 + 0.1, abs=0.021)


def test_nova_settles_at_once_when_it_is_told_to() -> None:
    model = nova()
    hear(model, silence(0.2) + say("Yes please.") + silence(0.05))
    now = model.seconds
    model.finalize(now)
    (at, final) = rest(model)[-1]
    assert at == pytest.approx(now + 0.1)
    assert (final["is_final"], final["speech_final"], final["from_finalize"]) == (True, False, True)
    assert texts([(at, final)]) == ["Yes please."]
    model.finalize(now + 1)
    assert rest(model) == []


def test_nova_settles_long_speech_in_segments_and_silence_in_empty_ones() -> None:
    story = "once upon a time there was a very small telephone exchange in a very large town by the sea"
    messages = hear(nova(), say(story) + silence(9))
    assert " ".join(texts(messages, is_final=True)).split() == story.split()
    segments = texts(messages, is_final=True)
    assert len([segment for segment in segments if segment]) >= 2
    assert segments[-2:] == ["", ""]


def test_nova_without_audio_does_not_move() -> None:
    model = nova()
    hear(model, say("Yes please.") + silence(0.2))
    assert not [message for _, message in rest(model) if message.get("is_final")]
    assert model.deadline() is None


def test_nova_without_punctuation_says_the_bare_words() -> None:
    assert texts(hear(nova(punctuate=False), say("Yes, Please.") + silence(0.6)), is_final=True) == ["yes please"]


def test_nova_closes_with_an_account_of_the_audio() -> None:
    model = nova(encoding="linear16")
    hear(model, to_linear(say("Yes please.")), size=321)
    messages = model.finish(5.0)
    assert messages[-1]["type"] == "Metadata"
    assert messages[-1]["duration"] == pytest.approx(words_of("Yes please.")[-1].end)
    assert messages[-2]["channel"]["alternatives"][0]["transcript"] == "Yes please."


def test_a_cough_is_not_heard_and_a_cut_word_leaves_an_empty_end() -> None:
    assert texts(hear(nova(), silence(0.3) + cough() + silence(1))) == []
    messages = hear(nova(), say("appointment")[:3000] + silence(1))
    assert texts(messages, speech_final=True) == [""]


# --- Flux -----------------------------------------------------------------------------------------------------------


def test_flux_goes_through_a_turn_at_its_times() -> None:
    end = 0.5 + words_of(BOOK)[-1].end
    messages = hear(flux(eager_eot_threshold=0.4), silence(0.5) + say(BOOK) + silence(1), size=4 * FRAME)
    turn = {message["event"]: (at, message) for at, message in messages if message["event"] != "Update"}
    assert list(turn) == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    assert turn["StartOfTurn"][0] <= 0.5 + 0.2 + 0.1 + 0.1
    assert turn["EagerEndOfTurn"][0] == pytest.approx(end + 0.2 + 0.1, abs=0.081)
    assert turn["EndOfTurn"][0] == pytest.approx(end + 0.5 + 0.1, abs=0.081)
    assert turn["EndOfTurn"][1]["transcript"] == turn["EagerEndOfTurn"][1]["transcript"] == BOOK
    assert turn["EndOfTurn"][1]["trigger"] == "model"
    assert "trigger" not in turn["EagerEndOfTurn"][1]


def test_flux_takes_a_likely_end_back_when_speech_goes_on() -> None:
    sound = say("I need") + silence(0.35) + say("an appointment") + silence(1)
    messages = hear(flux(eager_eot_threshold=0.4), sound)
    assert [event for event in events(messages) if event != "Update"] == [
        "StartOfTurn",
        "EagerEndOfTurn",
        "TurnResumed",
        "EagerEndOfTurn",
        "EndOfTurn",
    ]
    assert messages[-1][1]["event"] == "Update"
    (end,) = [message for _, message in messages if message["event"] == "EndOfTurn"]
    assert end["transcript"] == "I need an appointment"


def test_flux_counts_turns_and_messages() -> None:
    model = flux()
    assert model.connected()["sequence_id"] == 0
    messages = hear(model, say("yes") + silence(1) + say("no") + silence(1))
    assert [message["sequence_id"] for _, message in messages] == list(range(1, len(messages) + 1))
    ends = [message for _, message in messages if message["event"] == "EndOfTurn"]
    assert [(end["turn_index"], end["transcript"]) for end in ends] == [(0, "yes"), (1, "no")]
    assert "EagerEndOfTurn" not in events(messages)


def test_flux_reports_every_quarter_of_a_second_even_of_silence() -> None:
    moments = [at for at, _ in hear(flux(), silence(2.2))]
    assert len(moments) == 8
    assert all(abs(later - earlier - 0.25) <= 0.0101 for earlier, later in pairwise(moments))


def test_flux_told_to_end_a_turn_ends_it() -> None:
    model = flux(eot_threshold=1.0)
    messages = hear(model, say("my number is five five five") + silence(2))
    assert "EndOfTurn" not in events(messages)
    model.force_end(model.seconds)
    (_, end) = rest(model)[-1]
    assert (end["event"], end["trigger"]) == ("EndOfTurn", "manual")
    model.force_end(model.seconds)
    assert rest(model) == []


def test_flux_with_natural_ends_switched_off_ends_by_its_timeout() -> None:
    messages = hear(flux(eot_threshold=1.0, eot_timeout=2.0), say("yes") + silence(3))
    (end,) = [message for _, message in messages if message["event"] == "EndOfTurn"]
    assert end["trigger"] == "timeout"
