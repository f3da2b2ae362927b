"""One call as a page of text."""

from datetime import date
from decimal import Decimal

from app.call.account import Account
from app.call.actions import Commit, HangUp, Play, Think, Write
from app.call.events import Metered, Troubled
from app.money.cost import account
from app.money.rates import Rate, RateBook
from app.money.usage import lines
from app.report import call_sheet
from tests.call.playbook import second

DAY = date(2026, 11, 21)


def told() -> Account:
    account = Account()
    for moment, thing in (
        (2.4, Think(2, ())),
        (2.4, Commit(1, 2, "When?", 2.0)),
        (2.9, Play(second(0.5), 1)),
        (3.0, Metered("elevenlabs", "eleven_flash_v2_5", "character", "10")),
        (3.0, Metered("elevenlabs", "eleven_flash_v2_5", "character", "5")),
        (3.1, Troubled("line", "two frames were lost")),
        (4.0, HangUp("agent said goodbye", "agent")),
    ):
        account.add(moment, thing)
    return account


def test_a_line_shows_what_was_not_heard() -> None:
    cut = Write("agent", "We open at nine and close at five.", "We open at", 12.5, 13.0, interrupted=True)
    assert call_sheet.said(cut, 10.0) == "   2.50  agent   We open at [not heard: nine and close at five.]"


def test_a_turn_tells_what_was_waited_for() -> None:
    line = call_sheet.turn(told().turns[0])
    assert line.strip().startswith("turn 1: gap 900 ms (endpointing 400, first token -")


def test_the_sheet_adds_up_what_was_used_and_says_how_it_ended() -> None:
    page = "\n".join(call_sheet.sheet(told()))
    assert "elevenlabs  eleven_flash_v2_5  character  15" in page
    assert "trouble at the line: two frames were lost" in page
    assert page.endswith("Ended: agent said goodbye (agent)")


def test_what_was_used_is_priced_and_what_has_no_price_is_unknown() -> None:
    rate = Rate("elevenlabs", "eleven_flash_v2_5", "character", Decimal("0.04"), 1000, DAY, "a list", DAY)
    facts = [("1", told().usage[0]), ("2", Metered("nobody", "nothing", "piece", "1"))]
    page = "\n".join(call_sheet.sheet(told(), account(lines(facts), RateBook([rate]), DAY)))
    assert "elevenlabs  eleven_flash_v2_5  character  10         0.000400" in page
    assert "nobody      nothing            piece      1          unknown" in page
    assert "all of it  unknown     of which wasted 0.000000" in page
