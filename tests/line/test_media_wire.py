"""Twilio's media socket on paper: what it sends, and what nobody should send."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audio import Clip, silence
from app.errors import CallerError
from app.line.media_wire import (
    LONGEST_TEXT,
    Connected,
    Frames,
    Key,
    Letters,
    MarkBack,
    Media,
    MediaWire,
    Oddities,
    Start,
    Stop,
)

RECORDED = (Path(__file__).parent.parent / "recordings" / "twilio_media.jsonl").read_text().splitlines()
SID = "MZ18ad3ab5a668481ce02b83e7395059f0"


def started() -> MediaWire:
    wire = MediaWire()
    for text in RECORDED[:2]:
        wire.receive(text)
    return wire


def media(chunk: int, payload: str = "//8=", **more: Any) -> str:
    sound = {"track": "inbound", "chunk": str(chunk), "timestamp": str(20 * chunk), "payload": payload, **more}
    return json.dumps({"event": "media", "sequenceNumber": "9", "streamSid": SID, "media": sound})


def changed(line: int, path: str, value: Any) -> str:
    message = json.loads(RECORDED[line])
    *way, last = path.split(".")
    inner = message
    for step in way:
        inner = inner[step]
    inner[last] = value
    return json.dumps(message)


def test_a_recorded_stream_is_read_to_its_end() -> None:
    wire = MediaWire()
    frames = [wire.receive(text) for text in RECORDED]
    assert frames[0] == Connected()
    assert frames[1] == Start(SID, "CA5b1a3c2f4e6d7089", {"token": "t-1", "resumed": "yes"})
    assert frames[2:4] == [Media(silence(0.02), 5), Media(silence(0.02), 25)]
    assert frames[4:] == [Key("5"), MarkBack("17"), Stop()]
    assert wire.oddities == Oddities()


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,", " : ")])
def test_media_is_the_same_in_any_spacing_and_order(separators: tuple[str, str]) -> None:
    message = json.loads(media(1))
    backwards = dict(reversed(list(message.items())))
    for text in (json.dumps(message, separators=separators), json.dumps(backwards)):
        assert started().receive(text) == Media(b"\xff\xff", 20)


def test_frames_may_have_any_length() -> None:
    clip = Clip.of(silence(1.5))
    assert started().receive(media(1, clip.base64)) == Media(silence(1.5), 20)


def test_lost_doubled_and_late_media_are_counted() -> None:
    wire = started()
    heard = [wire.receive(media(chunk)) for chunk in (1, 2, 2, 5, 3, 6)]
    assert [frame is not None for frame in heard] == [True, True, False, True, False, True]
    assert wire.oddities == Oddities(lost=2, doubled=1, late=1)


def test_a_stream_may_begin_with_any_chunk() -> None:
    wire = started()
    assert wire.receive(media(40)) is not None
    assert wire.oddities == Oddities()


def test_media_before_the_start_and_after_the_stop_are_counted() -> None:
    wire = MediaWire()
    assert wire.receive(media(1)) is None
    for text in (RECORDED[1], RECORDED[-1]):
        wire.receive(text)
    assert wire.receive(media(2)) is None
    assert wire.receive(RECORDED[-1]) is None
    assert wire.oddities == Oddities(early=1, after_stop=2)


def test_a_second_start_changes_nothing() -> None:
    wire = started()
    assert wire.receive(RECORDED[1]) is None
    assert wire.receive(media(1)) is not None
    assert wire.oddities == Oddities(repeated_starts=1)


def test_kinds_that_are_new_to_us_are_counted() -> None:
    wire = started()
    assert wire.receive('{"event":"weather","streamSid":"MZ"}') is None
    assert wire.oddities == Oddities(unknown=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"event":"connected"}', "binary"),
        ("x" * (LONGEST_TEXT + 1), f"a message of {LONGEST_TEXT + 1} letters"),
        (media(1, "A" * LONGEST_TEXT), "letters"),
        ("{", "not JSON"),
        ("[" * 60000, "not JSON"),
        ("[]", "not an object"),
        ("{}", "malformed"),
        ('{"event":"media"}', "malformed"),
        (media(1, "not base64!"), "not base64"),
        (media(1, "AAA"), "not base64"),
        (changed(2, "media.payload", 5), "malformed"),
        (changed(2, "media.chunk", "one"), "malformed"),
        (media(1, track="outbound"), "track"),
        (changed(2, "streamSid", "MZother"), "another stream"),
        (changed(1, "streamSid", "MZother"), "another stream"),
        (changed(4, "dtmf.digit", "E"), "no telephone has"),
        (changed(4, "dtmf.digit", ["5"]), "malformed"),
        (changed(5, "mark", None), "malformed"),
    ],
)
def test_what_no_telephone_company_sends_is_the_callers_fault(text: str | bytes, said: str) -> None:
    with pytest.raises(CallerError, match=said):
        started().receive(text)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("start.mediaFormat.encoding", "audio/opus", "not mu-law"),
        ("start.mediaFormat.sampleRate", 16000, "not mu-law"),
        ("start.mediaFormat", None, "malformed"),
        ("start.customParameters", ["x"], "malformed"),
        ("streamSid", '"}', "the name"),
        ("start", {}, "malformed"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(path: str, value: Any, said: str) -> None:
    with pytest.raises(CallerError, match=said):
        MediaWire().receive(changed(1, path, value))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(RECORDED), st.sampled_from(["event", "streamSid", "start", "media", "dtmf", "mark"]), _JSON)
def test_no_message_breaks_anything_but_itself(text: str, field: str, value: Any) -> None:
    wire = started()
    message = json.loads(text)
    message[field] = value
    with suppress(CallerError):
        wire.receive(json.dumps(message))
    assert wire.stream_sid == SID


def test_the_three_texts_that_may_be_sent_have_exactly_their_fields() -> None:
    letters = Letters(SID)
    assert json.loads(letters.media(Clip("/v8="))) == {
        "event": "media",
        "streamSid": SID,
        "media": {"payload": "/v8="},
    }
    assert json.loads(letters.mark('a "b"')) == {"event": "mark", "streamSid": SID, "mark": {"name": 'a "b"'}}
    assert json.loads(letters.clear) == {"event": "clear", "streamSid": SID}


@given(st.lists(st.binary(max_size=700), max_size=20))
def test_sound_of_any_length_becomes_frames_of_twenty_milliseconds(pieces: list[bytes]) -> None:
    frames = Frames()
    cut = [frame for piece in pieces for frame in frames.cut(piece)]
    whole = b"".join(pieces)
    assert all(len(frame) == 160 for frame in cut)
    assert b"".join(cut) == whole[: len(whole) // 160 * 160]
