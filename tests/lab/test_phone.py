"""The stream in virtual time: what is played when, which marks come back, and what a strict company refuses."""

import json
from base64 import b64encode

import pytest

from ops.lab import speech
from ops.lab.phone import BUFFER, DISCARDED, INVALID, RATE, UNREADABLE, Phone, Sound

START = 100.0


def phone() -> Phone:
    it = Phone(stream_sid="MZ1", call_sid="CA1", account_sid="AC1", parameters={"token": "t"})
    it.open(START)
    return it


def media(sound: bytes) -> str:
    return json.dumps({"event": "media", "streamSid": "MZ1", "media": {"payload": b64encode(sound).decode()}})


def mark(name: str) -> str:
    return json.dumps({"event": "mark", "streamSid": "MZ1", "mark": {"name": name}})


CLEAR = json.dumps({"event": "clear", "streamSid": "MZ1"})


def names(messages: list[str]) -> list[str]:
    return [json.loads(message)["mark"]["name"] for message in messages]


def test_a_stream_opens_as_the_company_opens_it() -> None:
    connected, start = map(json.loads, Phone(stream_sid="MZ1", call_sid="CA1", account_sid="AC1").open(0.0))
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ1",
        "start": {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {},
        },
    }


def test_frames_count_in_strings() -> None:
    it = phone()
    first, second = json.loads(it.frame(b"\xff" * 160)), json.loads(it.frame(b"\x00" * 160))
    assert first["media"]["payload"] == b64encode(b"\xff" * 160).decode()
    assert (first["sequenceNumber"], second["sequenceNumber"]) == ("2", "3")
    assert (second["media"]["chunk"], second["media"]["timestamp"]) == ("2", "20")
    assert second["media"]["track"] == "inbound"
    assert second["streamSid"] == "MZ1"
    assert json.loads(it.press("5"))["dtmf"] == {"track": "inbound_track", "digit": "5"}
    assert json.loads(it.stop()) == {
        "event": "stop",
        "sequenceNumber": "5",
        "streamSid": "MZ1",
        "stop": {"accountSid": "AC1", "callSid": "CA1"},
    }


def test_sound_sent_faster_than_it_plays_is_played_in_order_without_a_hole() -> None:
    it = phone()
    it.receive(media(b"\x10" * 800), START + 1.0)
    it.receive(media(b"\x20" * 800), START + 1.01)
    assert it.hear(START + 1.1) == [Sound(8000, b"\x10" * 800)]
    assert it.hear(START + 1.15) == [Sound(8800, b"\x20" * 400)]
    assert it.hear(START + 9) == [Sound(9200, b"\x20" * 400)]
    assert it.holes == []


def test_a_buffer_that_runs_dry_leaves_a_hole_exact_to_the_sample() -> None:
    it = phone()
    it.receive(media(b"\x10" * 800), START + 1.0)
    it.receive(media(b"\x10" * 800), START + 1.13)
    assert [(hole.first, hole.end) for hole in it.holes] == [(8800, 9040)]
    assert it.holes[0].seconds == pytest.approx(0.03)


def test_a_mark_comes_back_when_what_lies_before_it_was_played() -> None:
    it = phone()
    it.receive(media(b"\x10" * 800), START + 1.0)
    assert it.receive(mark("a"), START + 1.0) == []
    assert it.deadline() == pytest.approx(START + 1.1)
    assert it.tick(START + 1.0999) == []
    assert names(it.tick(START + 1.1)) == ["a"]
    assert names(it.receive(mark("b"), START + 1.2)) == ["b"]  # nothing is waiting: at once
    assert it.deadline() is None


def test_clear_cuts_the_sound_at_that_sample_and_brings_every_mark_back() -> None:
    it = phone()
    for name in ("a", "b"):
        it.receive(media(b"\x10" * 800), START + 1.0)
        it.receive(mark(name), START + 1.0)
    assert names(it.receive(CLEAR, START + 1.05)) == ["a", "b"]
    assert it.clearings[0].seconds == pytest.approx(0.15)
    it.receive(media(b"\x20" * 80), START + 1.07)
    assert it.hear(START + 2) == [Sound(8000, b"\x10" * 400), Sound(8560, b"\x20" * 80)]
    assert it.holes == []  # quiet after a clear was asked for


def test_only_what_was_played_is_heard() -> None:
    it = phone()
    it.receive(media(speech.say("We open at nine.", voice="agent")), START)
    words = speech.words_of("We open at nine.")
    it.receive(CLEAR, START + words[2].end + 0.01)
    reader = speech.Reader()
    heard = [word.text for sound in it.hear(START + 9) for word in reader.feed(sound.mulaw)]
    assert heard == ["We", "open", "at"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x00\x01", UNREADABLE),
        ("not json", UNREADABLE),
        ("[]", INVALID),
        ('{"event":["media"]}', INVALID),
        ('{"event":"start","streamSid":"MZ1"}', INVALID),
        ('{"event":"clear"}', INVALID),
        ('{"event":"clear","streamSid":"MZ2"}', INVALID),
        ('{"event":"clear","streamSid":"MZ1","clear":{}}', INVALID),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":7}}', INVALID),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":"a","more":1}}', INVALID),
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"****"}}', INVALID),
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"/w==","track":"outbound"}}', INVALID),
        ('{"event":"media","sequenceNumber":"1","streamSid":"MZ1","media":{"payload":"/w=="}}', INVALID),
    ],
)
def test_a_message_that_is_not_exactly_right_is_refused_and_has_no_effect(message: str | bytes, code: int) -> None:
    it = phone()
    it.receive(media(b"\x10" * 800), START)
    it.receive(mark("a"), START)
    assert it.receive(message, START) == []
    assert it.receive(message, START) == []
    assert [fault.code for fault in it.faults] == [code]  # logged once a stream
    assert it.refused == 2
    assert it.waiting(START) == pytest.approx(0.1)
    assert it.deadline() == pytest.approx(START + 0.1)


def test_more_than_ten_minutes_of_waiting_sound_are_thrown_away() -> None:
    it = phone()
    minute = media(b"\x10" * (60 * RATE))
    for _ in range(10):
        it.receive(minute, START)
    assert it.waiting(START) == BUFFER / RATE
    assert it.faults == []
    it.receive(media(b"\x10"), START)
    assert [fault.code for fault in it.faults] == [DISCARDED]
    assert it.waiting(START) == BUFFER / RATE
