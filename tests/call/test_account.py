"""What a call comes to, folded from its trace."""

from app.call.account import Account
from app.call.actions import Clear, Commit, HangUp, Play, Speak, Think, Write
from app.call.events import (
    LineOpened,
    Metered,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Thought,
    ThoughtBegan,
    Voiced,
)
from tests.call.playbook import second


def folded(*entries: tuple[float, object]) -> Account:
    account = Account()
    for moment, thing in entries:
        account.add(moment, thing)
    return account


def test_the_stages_of_a_turn_add_up_to_its_gap() -> None:
    account = folded(
        (1.0, SpeechStarted(0.06)),
        (2.1, SpeechPaused(0.1)),
        (2.4, SpeechEnded("When?")),
        (2.4, Think(2, ())),
        (2.4, Commit(1, 2, "When?", 2.0)),
        (2.7, ThoughtBegan(2)),
        (2.75, Thought(2, "At nine.")),
        (2.75, Speak(3, "At nine.")),
        (2.9, Voiced(3, second(0.5))),
        (2.9, Play(second(0.5), 1)),
    )
    (turn,) = account.turns
    assert turn.gap is not None
    assert round(turn.gap, 6) == 0.9
    assert {name: round(seconds or 0, 6) for name, seconds in turn.stages().items()} == {
        "endpointing": 0.4,
        "first token": 0.3,
        "first clause": 0.05,
        "first voice": 0.15,
        "send": 0.0,
    }


def test_what_was_done_ahead_took_no_time_of_the_callers() -> None:
    account = folded(
        (2.1, SpeechPaused(0.1)),
        (2.2, Think(2, (), ahead=True)),
        (2.5, ThoughtBegan(2)),
        (2.55, Thought(2, "At nine.")),
        (2.55, Speak(3, "At nine.")),
        (2.7, Voiced(3, second(0.5))),
        (2.8, SpeechEnded("When?")),
        (2.8, Commit(1, 2, "When?", 2.0)),
        (2.8, Play(second(0.5), 1)),
    )
    (turn,) = account.turns
    assert turn.ahead
    assert turn.stages()["first token"] == 0.0
    assert round(turn.gap or 0, 6) == 0.8


def test_greeting_barge_in_and_end_are_kept() -> None:
    account = folded(
        (1.0, LineOpened()),
        (1.02, Play(second(1), 1)),
        (1.5, SpeechStarted(0.06)),
        (1.5, Clear()),
        (1.6, Write("agent", "Hello there.", "Hello", 1.0, 1.5, True)),
        (1.7, Metered("twilio", "voice", "stream_minute", "0.02")),
        (1.8, HangUp("agent said goodbye", "agent")),
    )
    assert round(account.greeting or 0, 6) == 0.02
    assert [round(seconds, 6) for seconds in account.barge_ins] == [0.06]
    assert account.interruptions == 1
    assert (account.reason, account.fault) == ("agent said goodbye", "agent")
    assert account.usage[0].unit == "stream_minute"
