"""Accounts of calls for the tests of the store: small, and random ones of any size."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

from app.money.cost import Account, account
from app.money.rates import Rate
from app.money.usage import Line
from app.store.database import Database
from app.store.ledger import CallRecord, TurnRecord, write_call
from app.store.rate_card import import_rates, load_book

START = datetime(2026, 11, 20, 23, 59, 30, tzinfo=UTC)
DAY = START.date()

RATES = (
    Rate("deepgram", "nova-3", "second", Decimal("0.0048"), 60, date(2026, 1, 1), "list", DAY),
    Rate("anthropic", "claude-haiku-5-5", "input_token", Decimal("0.10"), 1_000_000, date(2026, 1, 1), "list", DAY),
    Rate("elevenlabs", "eleven_flash_v2_5", "character", Decimal("0.04"), 1000, date(2026, 1, 1), "list", DAY),
)

LINES = (
    Line("1", "deepgram", "nova-3", "second", Decimal("61.02")),
    Line("2", "anthropic", "claude-haiku-5-5", "input_token", Decimal(1200), 1),
    Line("3", "elevenlabs", "eleven_flash_v2_5", "character", Decimal(37), 1),
    Line("4", "elevenlabs", "eleven_flash_v2_5", "character", Decimal(12), 1, wasted="unheard"),
)
COST = Decimal("0.006961600000")  # 0.0048816 + 0.00012 + 0.00148 + 0.00048

GHOST = Line("5", "elevenlabs", "eleven_v9", "character", Decimal(100), 2)

CALL = CallRecord(
    sid="CA1",
    direction="inbound",
    number="+15005550001",
    from_number="+15005550009",
    to_number="+15005550001",
    started_at=START,
    agent="reception",
    agent_version=1,
    ended_at=START.replace(minute=59, second=59),
    duration_seconds=61.0,
    end_reason="goodbye",
    end_fault="caller",
)
TURNS = (
    TurnRecord(number=1, who="caller", heard="Are you open?", started=4.0, ended=5.0),
    TurnRecord(number=2, who="agent", written="Yes.", heard_end=5.0, turn_end=5.4, voice_first=5.8, sent_first=5.81),
    TurnRecord(number=3, who="agent", written="Bye.", heard_end=9.0, turn_end=9.2, voice_first=9.4, sent_first=9.5),
)


async def priced(database: Database, lines: tuple[Line, ...] = LINES, day: date = DAY) -> Account:
    """The account of these lines by the rates of the database, which are imported if need be."""
    async with database.writing() as session:
        await import_rates(session, RATES)
        return account(lines, await load_book(session), day)


async def written(
    database: Database,
    call: CallRecord = CALL,
    turns: tuple[TurnRecord, ...] = TURNS,
    lines: tuple[Line, ...] = LINES,
) -> int:
    found = await priced(database, lines, call.started_at.date())
    async with database.writing() as session:
        return await write_call(session, call, turns, found)


def random_lines(chance: Random, most: int = 8) -> tuple[Line, ...]:
    items = [*(line.item for line in LINES), GHOST.item]
    return tuple(
        Line(str(key), *chance.choice(items), Decimal(chance.randint(1, 10**9)).scaleb(-6), chance.randint(1, 4))
        for key in range(chance.randint(0, most))
    )


def numbered(number: int) -> CallRecord:
    return replace(CALL, sid=f"CA{number}")
