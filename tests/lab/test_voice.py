"""ElevenLabs' sockets without a socket: text in, sound and alignment out, the clock read out."""

from base64 import b64decode
from random import Random
from typing import Any

import pytest

from ops.lab.profile import REFERENCE, Fault
from ops.lab.speech import Reader, words_of
from ops.lab.voice import Voice, VoiceOptions, chunks

Timed = list[tuple[float, dict[str, Any]]]
LONG = "This is the first sentence of a long story, which goes on and on until somebody stops it. "


def voice(fault: Fault | None = None, **options: Any) -> Voice:
    chosen: dict[str, Any] = {"output_format": "ulaw_8000", "auto_mode": True, **options}
    made = Voice(VoiceOptions(**chosen), REFERENCE, Random(1), fault)
    made.opened(0.0)
    return made


def until(made: Voice, end: float) -> Timed:
    """Every message up to a moment, each with its own."""
    messages: Timed = []
    now = 0.0
    while made.closing is None and (due := made.deadline()) is not None and due <= end:
        now = max(now, due)  # a deadline in the past is due at once
        messages += [(now, message) for message in made.poll(now)]
    return messages


def sound(messages: Timed) -> bytes:
    return b"".join(b64decode(message["audio"]) for _, message in messages if "audio" in message)


def spoken(messages: Timed) -> str:
    return " ".join(word.text for word in Reader().feed(sound(messages)))


def finals(messages: Timed) -> list[Any]:
    return [message["contextId"] for _, message in messages if message.get("isFinal")]


@pytest.mark.parametrize("text", ["Hello.", LONG, "a - b, “quoted” words… and 3 more", "one  two\nthree"])
def test_sound_and_alignment_agree_to_the_sample(text: str) -> None:
    at = 0
    placed: list[tuple[str, int]] = []
    whole = b""
    for chunk in chunks(text, 0.25):
        assert sum(length for _, length in chunk.letters) * 8 == len(chunk.sound)
        whole += chunk.sound
        for letter, length in chunk.letters:
            placed.append((letter, at))
            at += length * 8
    assert "".join(letter for letter, _ in placed) == " ".join(text.split()) + " "
    words = Reader().feed(whole)
    assert words == words_of(text)
    starts = [
        at for place, (letter, at) in enumerate(placed) if letter != " " and (not place or placed[place - 1][0] == " ")
    ]
    begun = {round(word.start * 8000) for word in words}
    assert begun <= set(starts)


def test_chunks_are_a_quarter_of_a_second_or_a_little_more() -> None:
    lengths = [chunk.seconds for chunk in chunks(LONG, 0.25)]
    assert all(0.25 <= length <= 0.5 for length in lengths[:-1])


def test_the_first_sound_comes_after_120_ms_and_the_rest_eight_times_as_fast_as_it_is_played() -> None:
    made = voice()
    made.receive({"text": LONG, "context_id": "t"}, 1.0)
    messages = until(made, 10.0)
    assert messages[0][0] == pytest.approx(1.12)
    played = len(b64decode(messages[0][1]["audio"])) / 8000
    assert messages[1][0] == pytest.approx(1.12 + played / 8)
    assert spoken(messages) == LONG.strip()


def test_without_auto_mode_sound_waits_for_enough_text_or_a_flush() -> None:
    made = voice(auto_mode=False)
    for word in LONG.split():
        made.receive({"text": f"{word} ", "context_id": "t"}, 1.0)
    assert until(made, 5.0) == []
    made.receive({"context_id": "t", "flush": True}, 5.0)
    assert spoken(until(made, 9.0)) == LONG.strip()
    made.receive({"text": LONG * 2, "context_id": "t"}, 9.0)
    assert until(made, 12.0) != []


def test_a_flush_alone_is_no_end_and_a_close_after_it_is() -> None:
    made = voice()
    made.receive({"text": "Hello there. ", "context_id": "t", "flush": True}, 0.0)
    messages = until(made, 3.0)
    assert spoken(messages) == "Hello there."
    assert finals(messages) == []
    made.receive({"context_id": "t", "close_context": True}, 3.0)
    assert finals(until(made, 3.0)) == ["t"]


def test_a_close_drops_what_was_not_flushed_and_speaks_what_was() -> None:
    made = voice()
    made.receive({"text": LONG, "context_id": "cut"}, 0.0)
    made.receive({"text": LONG, "context_id": "whole", "flush": True}, 0.0)
    first = until(made, 0.2)
    made.receive({"context_id": "cut", "close_context": True}, 0.2)
    made.receive({"context_id": "whole", "close_context": True}, 0.2)
    later = until(made, 9.0)
    assert finals(later) == ["cut", "whole"]
    assert {message["contextId"] for _, message in later if "audio" in message} == {"whole"}
    whole = [(at, message) for at, message in first + later if message["contextId"] == "whole"]
    assert spoken(whole) == LONG.strip()


def test_a_closed_name_may_be_used_again_at_once() -> None:
    made = voice()
    made.receive({"text": LONG, "context_id": "t", "flush": True}, 0.0)
    made.receive({"context_id": "t", "close_context": True}, 0.0)
    made.receive({"text": "Again. ", "context_id": "t", "voice_settings": {"speed": 1.1}}, 0.0)
    assert made.closing is None
    made.receive({"context_id": "t", "close_context": True}, 9.0)
    assert finals(until(made, 9.0)) == ["t", "t"]


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([{"text": " ", "context_id": f"t{number}"} for number in range(6)], "max_active_conversations"),
        ([{"context_id": f"t{number}", "flush": True} for number in range(6)], "max_active_conversations"),
        (
            [{"text": "", "context_id": "t"}, {"text": " ", "context_id": "t", "voice_settings": {}}],
            "invalid_settings",
        ),
        ([{"text": " ", "context_id": "t", "generation_config": {"chunk_length_schedule": [10]}}], "invalid_settings"),
        ([{"text": " ", "context_id": "t", "voice_settings": {"speed": 2}}], "invalid_voice_settings"),
        (["hello"], "invalid_message"),
    ],
)
def test_the_socket_ends_with_an_error_that_says_why(messages: list[Any], error: str) -> None:
    made = voice()
    for message in messages:
        made.receive(message, 0.0)
    assert made.poll(0.0)[-1]["error"] == error
    assert made.closing is not None
    assert made.closing[0] == 1008


def test_a_context_still_speaking_counts_until_it_is_final() -> None:
    made = voice()
    for number in range(5):
        made.receive({"text": LONG, "context_id": f"t{number}", "flush": True}, 0.0)
        made.receive({"context_id": f"t{number}", "close_context": True}, 0.0)
    made.receive({"text": " ", "context_id": "sixth"}, 0.0)
    assert made.closing is not None


def test_silence_of_the_client_ends_first_its_context_and_then_its_socket() -> None:
    made = voice()
    made.receive({"text": " ", "context_id": "t"}, 0.0)
    made.receive({"text": ""}, 15.0)
    messages = until(made, 60.0)
    assert [at for at, message in messages if message.get("isFinal")] == [20.0]
    assert messages[-1][1]["error"] == "input_timeout_exceeded"
    assert messages[-1][0] == 35.0


def test_closing_the_socket_speaks_what_is_left() -> None:
    made = voice(auto_mode=False)
    made.receive({"text": "Not flushed yet", "context_id": "t"}, 0.0)
    made.receive({"close_socket": True}, 0.0)
    messages = until(made, 5.0)
    assert spoken(messages) == "Not flushed yet"
    assert finals(messages) == ["t"]
    assert made.closing == (1000, "")


def test_a_hollow_voice_ends_without_a_sound_and_a_slow_one_comes_late() -> None:
    hollow = voice(Fault("elevenlabs", "hollow"))
    hollow.receive({"text": LONG, "context_id": "t", "flush": True}, 0.0)
    hollow.receive({"context_id": "t", "close_context": True}, 0.0)
    assert [message for _, message in until(hollow, 9.0)] == [{"isFinal": True, "contextId": "t"}]
    slow = voice(Fault("elevenlabs", "slow", after=2.0))
    slow.receive({"text": LONG, "context_id": "t"}, 0.0)
    assert until(slow, 9.0)[0][0] == pytest.approx(2.12)
