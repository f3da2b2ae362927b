"""What the softphone's frames mean, and which of them mean nothing."""

import json
from typing import Any

import pytest

from app.audio import FRAME_BYTES, Clip
from app.call.outcome import AGENT_SAID_GOODBYE
from app.errors import CallerError
from app.web import softphone_wire as wire

FRAME = bytes(range(160))
SID = "BR" + "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"is":"call","number":"+15005550001"}', wire.Ring("+15005550001")),
        (json.dumps({"is": "resume", "sid": SID}), wire.Resume(SID)),
    ],
)
def test_a_page_wishes_to_call_or_to_go_on(text: str, meant: Any) -> None:
    assert wire.wish(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "call me",
        "[]",
        '{"is":"call"}',
        '{"is":"call","number":""}',
        '{"is":"call","number":15005550001}',
        json.dumps({"is": "call", "number": "1" * 33}),
        '{"is":"resume","sid":"CA0123456789abcdef0123456789abcdef"}',  # a call of the telephone company's
        json.dumps({"is": "resume", "sid": SID + "/.."}),
        json.dumps({"is": "resume", "sid": SID + "\n"}),
    ],
)
def test_any_other_wish_is_refused(text: str) -> None:
    with pytest.raises(CallerError):
        wire.wish(text)


@pytest.mark.parametrize(
    ("data", "meant"),
    [
        (bytes((wire.SOUND, 0)) + FRAME, wire.Heard(FRAME)),
        (bytes((wire.SOUND, wire.MUTED)), wire.Heard(b"\xff" * FRAME_BYTES)),
        (bytes((wire.SOUND, 0x80)) + FRAME, wire.Heard(FRAME)),  # a flag of a page that is newer than we are
        (bytes((wire.MARK, 0, 0, 0, 1, 2)), wire.MarkBack(258)),
        (bytes((wire.KEY, 0)) + b"#", wire.Key("#")),
        (bytes((wire.HANG_UP, 0)), wire.HungUp()),
    ],
)
def test_a_frame_of_the_page_says_one_thing(data: bytes, meant: Any) -> None:
    assert wire.frame(data) == meant


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        bytes((wire.SOUND, 0)),  # silence that nobody asked for
        bytes((wire.SOUND, 0)) + FRAME[1:],
        bytes((wire.SOUND, wire.MUTED)) + b"x",
        bytes((wire.MARK, 0, 1)),
        bytes((wire.CLEAR, 0)),  # only the server clears
        bytes((wire.KEY, 0)) + b"E",
        bytes((wire.KEY, 0)) + b"12",
        bytes((wire.HANG_UP, 0)) + b"!",
        bytes((99, 0)),
    ],
)
def test_a_frame_that_means_nothing_is_a_fault_of_the_page(data: bytes) -> None:
    with pytest.raises(CallerError):
        wire.frame(data)


def test_what_goes_to_the_page_has_the_same_head() -> None:
    assert wire.sound(Clip.of(FRAME)) == bytes((1, 0)) + FRAME
    assert wire.mark(258) == bytes((2, 0, 0, 0, 1, 2))
    assert wire.clear() == bytes((3, 0))


def test_a_mark_comes_back_as_it_went() -> None:
    assert wire.frame(wire.mark(4_000_000_000)) == wire.MarkBack(4_000_000_000)


def test_letters_are_json_with_their_kind() -> None:
    assert json.loads(wire.ringing(SID, "reception", again=True)) == {
        "is": "ringing",
        "sid": SID,
        "agent": "reception",
        "again": True,
    }
    assert json.loads(wire.refused("Goodbye.", "full")) == {"is": "refused", "words": "Goodbye.", "reason": "full"}
    assert json.loads(wire.ended(AGENT_SAID_GOODBYE)) == {
        "is": "ended",
        "reason": "agent said goodbye",
        "fault": "agent",
    }


def test_a_frame_of_sound_costs_less_than_15_percent_more_than_its_sound() -> None:
    socket_head = 2 + 2 + 4  # opcode and length, the longer length, the mask of a browser
    sent = len(wire.sound(Clip.of(FRAME))) + socket_head
    assert sent == 170
    assert (sent - FRAME_BYTES) / FRAME_BYTES < 0.15
