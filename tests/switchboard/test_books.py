"""From traces to an account: what a call comes to when it went well, was resumed, or was cut off."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.audio import Clip, silence
from app.call.actions import Clear, Commit, HangUp, Play, Said, Speak, Think, UseTools, Write
from app.call.agent import Agent
from app.call.events import (
    Connected,
    LineClosed,
    LineOpened,
    Metered,
    SpeechEnded,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    ToolCall,
    Troubled,
    Voiced,
)
from app.money.usage import Line
from app.switchboard.books import Bookings, bookings
from app.switchboard.ports import CallFacts
from app.switchboard.trace import FileTrace, Head, Recorded, end_line, head_line, line, read

AGENT = Agent("reception", "Hello.", "You answer the telephone of a clinic.")
FACTS = CallFacts("CA1", "inbound", "+15005550001", "+14155550100")
HEAD = Head(100.0, "2026-11-21T10:00:00+00:00", FACTS, AGENT, 4, ())
HEARING = Metered("deepgram", "nova-3", "second", "12.5")
TURN: tuple[tuple[float, Any], ...] = (
    (104.0, SpeechStarted()),
    (105.5, SpeechEnded("When are you open?")),
    (105.5, Think(1, (Said("caller", "When are you open?"),))),
    (105.5, Commit(1, 1, "When are you open?", 105.0)),
    (105.5, Write("caller", "When are you open?", "When are you open?", 104.0, 105.0)),
    (105.8, ThoughtBegan(1)),
    (105.9, Thought(1, "At nine.")),
    (105.9, Speak(2, "At nine.", last=True)),
    (105.9, Metered("elevenlabs", "eleven_flash_v2_5", "character", "9", 2)),
    (106.0, Metered("anthropic", "claude-haiku-5-5", "input_token", "700", 1)),
    (106.0, Metered("anthropic", "claude-haiku-5-5", "output_token", "5", 1)),
    (106.1, Voiced(2, Clip.of(silence(0.5)))),
    (106.1, Play(Clip.of(silence(0.5)), 2)),
    (106.6, Write("agent", "At nine.", "At nine.", 106.1, 106.6, question=2)),
)
CALL = ((101.0, Connected("deepgram", 0.08, True)), (102.0, LineOpened()), *TURN)


def recorded(
    folder: Path,
    *things: tuple[float, Any],
    head: Head = HEAD,
    end: tuple[float, str, str] | None = None,
    part: int = 1,
) -> Recorded:
    """A trace that has been on disk, as every trace that is booked has."""
    trace = FileTrace(folder, head.facts.sid if part == 1 else f"{head.facts.sid}.{part}")
    trace.write(head_line(head))
    for moment, thing in things:
        trace.write(line(moment, thing))
    if end is not None:
        trace.write(end_line(*end))
    trace.close()
    return read(trace.path)


def whole(folder: Path) -> Recorded:
    end = (112.0, "the caller hung up", "caller")
    return recorded(folder, *CALL, (112.0, LineClosed("caller")), (112.0, HEARING), end=end)


def lines_of(account: Bookings, vendor: str) -> list[Line]:
    return [line for line in account.lines if line.vendor == vendor]


def test_a_call_has_its_row_its_turns_and_its_lines(tmp_path: Path) -> None:
    account = bookings([whole(tmp_path)])
    call = account.call
    assert (call.sid, call.direction, call.number) == ("CA1", "inbound", "+15005550001")
    assert (call.from_number, call.to_number) == ("+14155550100", "+15005550001")
    assert (call.agent, call.agent_version) == ("reception", 4)
    assert call.started_at.isoformat() == "2026-11-21T10:00:00+00:00"
    assert call.answered_at is not None
    assert call.answered_at.isoformat() == "2026-11-21T10:00:02+00:00"
    assert call.duration_seconds == 10.0
    assert (call.end_reason, call.end_fault) == ("the caller hung up", "caller")
    assert [(turn.number, turn.who, turn.heard) for turn in account.turns] == [
        (1, "caller", "When are you open?"),
        (2, "agent", "At nine."),
    ]
    asked = account.turns[0]
    assert (asked.heard_end, asked.turn_end, asked.think_first, asked.voice_first) == (5.0, 5.5, 5.8, 6.1)
    assert asked.sent_first == 6.1


def test_a_call_is_charged_for_what_was_metered_and_for_its_telephone(tmp_path: Path) -> None:
    account = bookings([whole(tmp_path)])
    assert [(line.unit, line.quantity) for line in lines_of(account, "anthropic")] == [
        ("input_token", Decimal(700)),
        ("output_token", Decimal(5)),
    ]
    assert [(line.unit, line.quantity) for line in lines_of(account, "deepgram")] == [("second", Decimal("12.5"))]
    minutes = {unit: Decimal(0) for unit in ("inbound_minute", "stream_minute")}
    for each in lines_of(account, "twilio"):
        minutes[each.unit] += each.quantity
    assert minutes == {"inbound_minute": 1, "stream_minute": 1}, "started minutes are charged whole"
    assert not any(line.estimated for line in account.lines)


def test_speech_that_nobody_heard_has_a_line_of_its_own(tmp_path: Path) -> None:
    cut = Write("agent", "At nine in the morning.", "At nine", 106.1, 106.6, interrupted=True, question=2)
    pieces = (Metered("elevenlabs", "eleven_flash_v2_5", "character", quantity, 2) for quantity in ("9", "15"))
    never = Metered("elevenlabs", "eleven_flash_v2_5", "character", "12", 4)  # begun ahead, and not wanted
    things = ((102.0, LineOpened()), *((105.9, piece) for piece in pieces), (106.0, never), (106.6, cut))
    account = bookings([recorded(tmp_path, *things, end=(110.0, "caller hung up", "caller"))])
    assert [(line.quantity, line.wasted) for line in lines_of(account, "elevenlabs")] == [
        (Decimal(8), ""),
        (Decimal(1), "not heard"),
        (Decimal(15), "not heard"),
        (Decimal(12), "not heard"),
    ]


def test_every_line_has_a_key_of_its_own_and_the_same_one_each_time(tmp_path: Path) -> None:
    trace = whole(tmp_path)
    first, second = bookings([trace]), bookings([trace])
    assert first == second
    assert len({line.key for line in first.lines}) == len(first.lines)


def test_our_number_is_the_one_that_called_when_the_call_goes_out(tmp_path: Path) -> None:
    outbound = replace(HEAD, facts=replace(FACTS, direction="outbound"))
    call = bookings([recorded(tmp_path, *CALL, head=outbound, end=(112.0, "goodbye", "agent"))]).call
    assert (call.from_number, call.to_number, call.number) == ("+15005550001", "+14155550100", "+15005550001")


def test_a_call_from_the_browser_costs_no_carrier(tmp_path: Path) -> None:
    head = replace(HEAD, facts=replace(HEAD.facts, party="browser"))
    account = bookings([recorded(tmp_path, *CALL, head=head, end=(112.5, "caller hung up", "caller"))])
    assert lines_of(account, "twilio") == []
    assert lines_of(account, "elevenlabs") != []


def test_a_call_that_nobody_took_up_costs_no_minute(tmp_path: Path) -> None:
    account = bookings([recorded(tmp_path, end=(120.0, "the stream never came", "carrier"))])
    assert account.call.answered_at is None
    assert account.call.duration_seconds == 0.0
    assert account.lines == ()


# --- resumed --------------------------------------------------------------------------------------------------------


def resumed(folder: Path) -> list[Recorded]:
    """The line broke after ten seconds; two seconds later the call went on, on another machine's clock."""
    first = recorded(
        folder, *CALL, (112.0, LineClosed("carrier")), (112.0, HEARING), end=(112.0, "the line broke", "carrier")
    )
    head = replace(HEAD, moment=5000.0, wall="2026-11-21T10:00:14+00:00")
    second = recorded(
        folder,
        (5000.0, LineOpened()),
        (5004.0, Write("agent", "Where were we?", "Where were we?", 5002.0, 5004.0)),
        (5010.0, Metered("deepgram", "nova-3", "second", "10")),
        (5010.0, HangUp("goodbye", "agent")),
        head=head,
        end=(5010.0, "goodbye", "agent"),
        part=2,
    )
    return [first, second]


def test_a_resumed_call_is_one_call(tmp_path: Path) -> None:
    account = bookings(resumed(tmp_path))
    assert account.call.started_at.isoformat() == "2026-11-21T10:00:00+00:00"
    assert account.call.ended_at is not None
    assert account.call.ended_at.isoformat() == "2026-11-21T10:00:24+00:00"
    assert account.call.duration_seconds == 22.0
    assert account.call.end_reason == "goodbye"
    assert [turn.number for turn in account.turns] == [1, 2, 3]
    assert (account.turns[2].started, account.turns[2].ended) == (16.0, 18.0)
    assert account.call.details["traces"] == 2


def test_a_resumed_call_is_charged_for_both_streams_and_for_the_time_between_them_once(tmp_path: Path) -> None:
    account = bookings(resumed(tmp_path))
    used = {line.unit: line.quantity for line in lines_of(account, "twilio") if not line.wasted}
    assert used == {"inbound_minute": Decimal("0.366667"), "stream_minute": Decimal("0.333333")}  # 22 s, and 10 s twice
    assert [line.quantity for line in lines_of(account, "deepgram")] == [Decimal("12.5"), Decimal(10)]
    assert len({line.key for line in account.lines}) == len(account.lines)


# --- killed ---------------------------------------------------------------------------------------------------------


def test_what_a_killed_process_did_not_say_is_estimated_and_marked(tmp_path: Path) -> None:
    asked = (Said("caller", "When are you open?"), Said("agent", "At nine."), Said("caller", "And on Sundays?"))
    account = bookings([recorded(tmp_path, *CALL, (108.0, Think(3, asked)), (108.5, Thought(3, "On Sundays we are")))])
    assert (account.call.end_reason, account.call.end_fault) == ("the process was killed", "platform")
    hearing = lines_of(account, "deepgram")
    assert [(line.quantity, line.estimated) for line in hearing] == [(Decimal("7.5"), True)], (
        "from 101.0 to the last line"
    )
    told, guessed = (
        [line for line in lines_of(account, "anthropic") if line.estimated is marked] for marked in (False, True)
    )
    assert [(line.question, line.quantity) for line in told] == [(1, Decimal(700)), (1, Decimal(5))]
    assert [(line.question, line.unit) for line in guessed] == [(3, "input_token"), (3, "output_token")]
    assert all(line.quantity > 0 and line.wasted == "the process was killed" for line in guessed)


def test_a_killed_call_without_vendors_is_no_vendors_business(tmp_path: Path) -> None:
    asked = (Said("caller", "When are you open?"),)
    own = (
        *((101.0, Connected("offline", 0.0, True)), (102.0, LineOpened()), (105.5, Think(1, asked))),
        *((105.5, Metered("offline", "rules", "input_token", "15", 1)), (105.5, Thought(1, "At nine."))),
    )
    account = bookings([recorded(tmp_path, *own, (106.0, Clear()))])
    assert account.call.end_reason == "the process was killed"
    assert {line.vendor for line in account.lines} == {"offline", "twilio"}


def test_a_socket_that_broke_before_the_kill_is_not_estimated_again(tmp_path: Path) -> None:
    things = (
        *CALL,
        (107.0, Metered("deepgram", "nova-3", "second", "6")),
        (107.5, Connected("deepgram", 0.1, False)),
        (109.5, Clear()),
    )
    hearing = lines_of(bookings([recorded(tmp_path, *things)]), "deepgram")
    assert [(line.quantity, line.estimated) for line in hearing] == [(Decimal(6), False), (Decimal(2), True)]


def test_a_killed_call_that_was_resumed_ends_as_its_last_stream_did(tmp_path: Path) -> None:
    killed = recorded(tmp_path, *CALL)
    _, second = resumed(tmp_path / "other")
    account = bookings([killed, second])
    assert account.call.end_reason == "goodbye"
    assert [line.estimated for line in lines_of(account, "deepgram")] == [True, False] or [
        line.estimated for line in lines_of(account, "deepgram")
    ] == [False, True]
    assert sum(line.quantity for line in lines_of(account, "deepgram")) == Decimal("5.6") + 10


def test_troubles_and_connections_are_kept_with_the_call(tmp_path: Path) -> None:
    things = (*CALL, (107.0, Troubled("mouth", "503: busy")))
    details = bookings([recorded(tmp_path, *things, end=(112.0, "goodbye", "agent"))]).call.details
    assert json.loads(json.dumps(details)) == {
        "connects": [{"vendor": "deepgram", "seconds": 0.08, "warm": True}],
        "troubles": [{"who": "mouth", "what": "503: busy"}],
        "traces": 1,
    }


# --- notes ----------------------------------------------------------------------------------------------------------


def test_what_the_agent_was_to_write_down_is_told_by_the_trace(tmp_path: Path) -> None:
    wanted = (
        ToolCall("a", "take_message", {"name": "Ann", "message": "Call me."}),
        ToolCall("b", "take_message", {"name": "Ann"}),  # refused by the desk: there is no message
        ToolCall("c", "end_call", {"reason": "done"}),
    )
    (told,) = bookings([recorded(tmp_path, *CALL, (107.0, UseTools(5, wanted)))]).notes
    assert (told.kind, told.fields) == ("take_message", {"name": "Ann", "message": "Call me."})
    assert (told.call_sid, told.agent, told.number, told.party) == ("CA1", "reception", FACTS.number, FACTS.party)
    assert told.at.isoformat() == "2026-11-21T10:00:07+00:00"
