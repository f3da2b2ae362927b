"""ElevenLabs' multi-context socket on paper: what is sent, and what its recorded messages become."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.audio import Clip
from app.call.events import Event, Metered, Voiced, VoiceEnded, VoiceFailed
from app.mouth.elevenlabs_wire import Contexts, Rest, address

RECORDINGS = Path(__file__).parent.parent / "recordings"
SECOND = b64encode(b"\xff" * 8000).decode()


def contexts() -> Contexts:
    return Contexts("eleven_flash_v2_5")


def sent(wire: Contexts) -> list[dict[str, Any]]:
    return [json.loads(message) for message in wire.to_send()]


def sound(context: str, text: str = "", audio: str = SECOND) -> dict[str, Any]:
    """One message: a second of sound and these letters, spread over it."""
    each = 1000 // max(1, len(text))
    alignment = {
        "chars": list(text),
        "charStartTimesMs": [n * each for n in range(len(text))],
        "charDurationsMs": [each] * len(text),
    }
    return {"audio": audio, "isFinal": None, "contextId": context, "alignment": alignment if text else None}


def final(context: str) -> dict[str, Any]:
    return {"isFinal": True, "contextId": context}


def spoken(events: list[Event]) -> list[str]:
    return [word.text for event in events if isinstance(event, Voiced) for word in event.words]


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def asks_to_close(wire: Contexts) -> list[str]:
    return [message["context_id"] for message in sent(wire) if message.get("close_context")]


# --- sending ----------------------------------------------------------------------------------------------------------


def test_an_utterance_opens_a_context_sends_its_pieces_and_flushes() -> None:
    wire = Contexts("eleven_flash_v2_5", {"stability": 0.5})
    wire.speak(7, "We open at nine,", False, 0.0)
    wire.speak(7, "and close at five.", False, 0.1)
    wire.speak(7, "", True, 0.2)
    assert sent(wire) == [
        {"text": " ", "context_id": "7-1", "voice_settings": {"stability": 0.5}},
        {"text": "We open at nine, ", "context_id": "7-1"},
        {"text": "and close at five. ", "context_id": "7-1"},
        {"context_id": "7-1", "flush": True},
    ]


def test_every_character_to_be_spoken_is_metered() -> None:
    wire = contexts()
    events = wire.speak(7, "We open at nine,", False, 0.0) + wire.speak(7, "always.", True, 0.1)
    assert [(event.quantity, event.question) for event in events if isinstance(event, Metered)] == [("17", 7), ("8", 7)]
    _opening, *pieces = sent(wire)
    assert sum(len(message.get("text", "")) for message in pieces) == 17 + 8


def test_nothing_to_say_is_over_at_once() -> None:
    wire = contexts()
    assert wire.speak(7, "", True, 0.0) == [VoiceEnded(7)]
    assert sent(wire) == []


def test_the_address_names_voice_model_format_and_language() -> None:
    assert address("wss://api.elevenlabs.io", "abc/d", "eleven_flash_v2_5", "de-CH") == (
        "wss://api.elevenlabs.io/v1/text-to-speech/abc%2Fd/multi-stream-input?model_id=eleven_flash_v2_5"
        "&output_format=ulaw_8000&auto_mode=true&sync_alignment=true&inactivity_timeout=180&language_code=de"
    )


def test_a_model_that_knows_its_language_is_not_told_one() -> None:
    assert "language_code" not in address("wss://x", "abc", "eleven_flash_v2", "en")


# --- closing ----------------------------------------------------------------------------------------------------------


def test_a_context_is_not_closed_before_its_last_piece_sounds() -> None:
    wire = contexts()
    wire.speak(7, "We open at nine,", False, 0.0)
    wire.speak(7, "always.", True, 0.1)
    wire.take(sound("7-1", "We open "), 0.3)
    assert asks_to_close(wire) == []
    wire.take(sound("7-1", "at nine, a"), 0.4)
    assert asks_to_close(wire) == ["7-1"]


def test_a_context_whose_sound_has_all_come_is_closed_when_the_text_ends() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", False, 0.0)
    wire.take(sound("7-1", "Hello. "), 0.3)
    assert asks_to_close(wire) == []
    wire.speak(7, "", True, 0.5)
    assert asks_to_close(wire) == ["7-1"]


def test_sound_without_times_is_closed_once_it_has_been_quiet() -> None:
    wire = contexts()
    wire.speak(7, "Hello you.", True, 0.0)
    wire.take(sound("7-1"), 0.3)
    wire.tick(1.2)
    assert asks_to_close(wire) == []
    wire.tick(1.4)
    assert asks_to_close(wire) == ["7-1"]
    events = wire.take(final("7-1"), 1.5)
    assert (spoken(events), events[-1]) == (["Hello", "you."], VoiceEnded(7))


def test_an_utterance_is_over_with_its_final_message() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", True, 0.0)
    assert kinds(wire.take(sound("7-1", "Hello. "), 0.3)) == ["Voiced"]
    assert wire.take(final("7-1"), 0.4) == [VoiceEnded(7)]


def test_a_final_message_that_never_comes_is_not_waited_for() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", True, 0.0)
    wire.take(sound("7-1", "Hello. "), 0.3)
    assert wire.tick(2.2) == []
    assert wire.tick(2.4) == [VoiceEnded(7)]


def test_a_context_that_the_vendor_closed_too_early_is_followed_by_another() -> None:
    wire = contexts()
    wire.speak(7, "Hello,", False, 0.0)
    wire.take(sound("7-1", "Hello, "), 0.3)
    assert wire.take(final("7-1"), 20.0) == []
    wire.to_send()
    wire.speak(7, "you.", True, 21.0)
    assert [message["context_id"] for message in sent(wire)] == ["7-2"] * 3
    (voiced,) = wire.take(sound("7-2", "you. "), 21.2)
    assert isinstance(voiced, Voiced)
    assert voiced.words[0].start == 1.0


# --- sound ------------------------------------------------------------------------------------------------------------


def test_sound_passes_untouched_and_times_go_on_from_message_to_message() -> None:
    wire = contexts()
    wire.speak(7, "We open at nine.", True, 0.0)
    events = wire.take(sound("7-1", "We op"), 0.2) + wire.take(sound("7-1", "en at"), 0.3)
    first, second = [event for event in events if isinstance(event, Voiced)]
    assert first.clip == Clip(SECOND)
    assert [(word.text, word.start, word.end) for word in first.words] == [("We", 0.0, 0.4)]
    assert [(word.text, word.start, word.end) for word in second.words] == [("open", 0.6, 1.4), ("at", 1.6, 2.0)]


def test_a_recorded_utterance_gives_every_word_once_and_in_order() -> None:
    recorded = [json.loads(line) for line in (RECORDINGS / "elevenlabs_multi.jsonl").read_text().splitlines()]
    wire = contexts()
    wire.speak(4, "We open at nine,", False, 0.0)
    wire.speak(4, "and close at five on weekdays.", True, 0.1)
    events = [event for n, message in enumerate(recorded) for event in wire.take(message, 0.2 + n / 100)]
    assert " ".join(spoken(events)) == "We open at nine, and close at five on weekdays."
    assert events[-1] == VoiceEnded(4)
    words = [word for event in events if isinstance(event, Voiced) for word in event.words]
    assert all(word.start < word.end for word in words)
    assert sorted(word.start for word in words) == [word.start for word in words]
    total = sum(event.clip.seconds for event in events if isinstance(event, Voiced))
    assert words[-1].end <= total + 0.01


def test_words_that_come_without_sound_are_told_with_the_next() -> None:
    wire = contexts()
    wire.speak(7, "Hello you.", True, 0.0)
    assert wire.take(sound("7-1", "Hello ", audio=""), 0.2) == []
    assert spoken(wire.take(sound("7-1", "you. "), 0.3)) == ["Hello", "you."]


def test_two_utterances_do_not_mix() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", True, 0.0)
    wire.speak(8, "Goodbye.", True, 0.0)
    events = wire.take(sound("8-2", "Goodbye. "), 0.2) + wire.take(sound("7-1", "Hello. "), 0.3)
    assert [(event.question, event.words[0].text) for event in events if isinstance(event, Voiced)] == [
        (8, "Goodbye."),
        (7, "Hello."),
    ]


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_late_sound_of_a_stopped_utterance_is_dropped() -> None:
    wire = contexts()
    wire.speak(7, "Hello you.", True, 0.0)
    wire.take(sound("7-1", "Hel"), 0.2)
    wire.stop(7, 0.3)
    assert asks_to_close(wire) == ["7-1"]
    assert wire.take(sound("7-1", "lo you."), 0.4) == []
    assert wire.take(final("7-1"), 0.5) == []
    assert wire.broken is None


def test_a_socket_that_was_given_up_on_without_a_sound_is_replaced() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", True, 0.0)
    wire.stop(7, 1.5)
    assert wire.broken == "no sound came within 1 s"


def test_an_utterance_that_was_stopped_in_good_time_says_nothing_of_the_socket() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", True, 0.0)
    wire.stop(7, 0.5)
    assert wire.broken is None


def test_more_than_five_contexts_are_never_open_and_the_next_waits_for_its_turn() -> None:
    wire = contexts()
    for question in range(1, 7):
        wire.speak(question, "Hello.", True, 0.0)
    assert {message["context_id"] for message in sent(wire)} == {"1-1", "2-2", "3-3", "4-4", "5-5"}
    wire.stop(1, 0.2)
    wire.to_send()
    wire.take(final("1-1"), 0.3)
    assert [message["context_id"] for message in sent(wire)] == ["6-6"] * 3


# --- failing ----------------------------------------------------------------------------------------------------------


def test_an_utterance_closed_without_a_sound_has_failed() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", True, 0.0)
    (failed,) = wire.take(final("7-1"), 0.3)
    assert failed == VoiceFailed(7, "elevenlabs: closed an utterance without a sound")


def test_an_utterance_cut_off_in_the_middle_has_failed() -> None:
    wire = contexts()
    wire.speak(7, "We open at nine and close at five.", True, 0.0)
    wire.take(sound("7-1", "We open "), 0.3)
    (failed,) = wire.take(final("7-1"), 0.4)
    assert isinstance(failed, VoiceFailed)
    assert failed.why == "elevenlabs: stopped 6 words before the end"


def test_a_vendor_that_falls_silent_is_left() -> None:
    wire = contexts()
    wire.speak(7, "Hello.", True, 0.0)
    assert wire.tick(3.9) == []
    assert kinds(wire.tick(4.1)) == ["VoiceFailed"]
    assert wire.broken is not None


@pytest.mark.parametrize(("error", "hopeless"), [("max_active_conversations", False), ("quota_exceeded", True)])
def test_an_error_ends_the_socket_and_says_whether_another_can_help(error: str, hopeless: bool) -> None:
    wire = contexts()
    assert wire.take({"error": error, "message": "No.", "code": 1008}, 0.0) == []
    assert (wire.broken, wire.hopeless) == (f"{error}: No.", hopeless)


def test_what_is_left_of_a_lost_socket_is_told_from_the_first_word_that_did_not_end() -> None:
    wire = contexts()
    wire.speak(7, "We open at nine", False, 0.0)
    wire.speak(8, "Hello.", True, 0.0)
    wire.take(sound("7-1", "We open a"), 0.3)
    assert wire.lost() == [Rest(7, "at nine", False, 1.0), Rest(8, "Hello.", True, 0.0)]


def test_an_utterance_that_goes_on_here_counts_the_sound_it_has_had_elsewhere() -> None:
    wire = contexts()
    wire.speak(7, "at nine.", True, 0.0, sound=1.5)
    (voiced,) = wire.take(sound("7-1", "at nine."), 0.2)
    assert isinstance(voiced, Voiced)
    assert voiced.words[0].start == 1.5


def test_a_context_that_waits_for_more_text_is_kept_alive() -> None:
    wire = contexts()
    wire.speak(7, "One moment,", False, 0.0)
    wire.take(sound("7-1", "One moment, "), 0.3)
    wire.to_send()
    wire.tick(14.0)
    assert sent(wire) == []
    wire.tick(15.5)
    assert sent(wire) == [{"context_id": "7-1", "text": ""}]


def broken(value: Any) -> Iterator[Any]:
    """The value with each of its parts, at any depth, left out or replaced by something of another type."""
    yield from (None, True, 7, "x", [], {}, [None], [[]], ["x"])
    if isinstance(value, dict):
        for key in value:
            yield {name: part for name, part in value.items() if name != key}
            for part in broken(value[key]):
                yield value | {key: part}


def test_whatever_a_message_lacks_or_misspells_nothing_raises() -> None:
    for message in (sound("7-1", "Hello."), final("7-1"), {"error": "x", "message": "y", "code": 1008}):
        for wrong in broken(message):
            wire = contexts()
            wire.speak(7, "Hello.", True, 0.0)
            if isinstance(wrong, dict):
                assert isinstance(wire.take(wrong, 0.1), list)
