"""Fill a PostgreSQL with a large ledger, to see whether reports over it answer at once.

`python -m ops.lab.ledger_load URL`: a million calls with ten million rows of usage and eight million turns, unless told
otherwise; that takes some minutes and some gigabytes. The rows are written by COPY, and the database sums the kept
figures from them. It must have its tables (`patchcord migrate`) and no calls.
"""

import argparse
import asyncio
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

CALLS_AT_ONCE = 5000
TURNS = 8
FIRST_DAY = date(2026, 8, 1)
SECONDS_OF_A_DAY = 86_400

# What a call uses, ten rows, at most so much of each; and the price for so many units.
ITEMS = (
    ("twilio", "us-local", "inbound_minute", "", 3, "0.0085", 1),
    ("twilio", "us-local", "inbound_minute", "rounding", 1, "0.0085", 1),
    ("twilio", "media-streams", "stream_minute", "", 3, "0.0044", 1),
    ("deepgram", "nova-3", "second", "", 180, "0.0048", 60),
    ("anthropic", "claude-haiku-5-5", "input_token", "", 9000, "0.10", 1_000_000),
    ("anthropic", "claude-haiku-5-5", "cache_read_token", "", 30_000, "0.01", 1_000_000),
    ("anthropic", "claude-haiku-5-5", "output_token", "", 600, "0.50", 1_000_000),
    ("anthropic", "claude-haiku-5-5", "input_token", "cancelled", 3000, "0.10", 1_000_000),
    ("elevenlabs", "eleven_flash_v2_5", "character", "", 1500, "0.04", 1000),
    ("elevenlabs", "eleven_flash_v2_5", "character", "unheard", 200, "0.04", 1000),
)

CALL_COLUMNS = (
    "id sid direction number from_number to_number agent agent_version campaign started_at answered_at ended_at "
    "duration_seconds end_reason end_fault outcome turns cost_usd latency_p50 latency_p95"
).split()
TURN_COLUMNS = (
    "call_id number who heard written started ended heard_end turn_end think_first clause_first voice_first "
    "sent_first gap_seconds own_seconds"
).split()
USAGE_COLUMNS = "call_id key turn vendor product unit quantity wasted rate rate_per cost_usd".split()

# The house keeps these figures call by call; here they are summed at the end, by the same definitions.
SUMS = (
    """INSERT INTO calls_by_day
       SELECT (started_at AT TIME ZONE 'UTC')::date, agent, campaign, number, count(*),
              count(*) FILTER (WHERE cost_status = 'unknown'), sum(duration_seconds)
       FROM calls GROUP BY 1, 2, 3, 4""",
    """INSERT INTO cost_by_day
       SELECT (started_at AT TIME ZONE 'UTC')::date, agent, campaign, calls.number, vendor, product, unit, wasted,
              sum(quantity), coalesce(sum(usage.cost_usd), 0), count(*) FILTER (WHERE usage.cost_usd IS NULL)
       FROM usage JOIN calls ON calls.id = call_id GROUP BY 1, 2, 3, 4, 5, 6, 7, 8""",
    """INSERT INTO latency_by_day
       SELECT day, agent, stage, floor(ln(greatest(seconds, 0.0001) / 0.0001) / ln(1.02::float8))::int, count(*)
       FROM (SELECT (started_at AT TIME ZONE 'UTC')::date AS day, agent, turns.* FROM turns JOIN calls
             ON calls.id = call_id WHERE sent_first IS NOT NULL) AS each
       CROSS JOIN LATERAL (VALUES ('platform gap', sent_first - heard_end), ('endpointing', turn_end - heard_end),
             ('first token', greatest(think_first - turn_end, 0)), ('first clause', clause_first - think_first),
             ('first voice', voice_first - clause_first), ('send', sent_first - greatest(voice_first, turn_end)),
             ('own share', own_seconds)) AS stages (stage, seconds)
       GROUP BY 1, 2, 3, 4""",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the ledger is to be."""

    calls: int = 1_000_000
    days: int = 90
    agents: int = 10
    campaigns: int = 5
    numbers: int = 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of some calls, in the order of the columns."""

    calls: list[tuple[Any, ...]]
    turns: list[tuple[Any, ...]]
    usage: list[tuple[Any, ...]]


def batches(size: Size, seed: int = 1) -> Iterator[Batch]:
    """The whole ledger, some thousand calls at a time; the same seed gives the same ledger."""
    chance = random.Random(seed)
    for start in range(1, size.calls + 1, CALLS_AT_ONCE):
        batch = Batch([], [], [])
        for call in range(start, min(start + CALLS_AT_ONCE, size.calls + 1)):
            usage = _usage(chance, call)
            turns = [turn for place in range(0, TURNS, 2) for turn in _exchange(chance, call, place)]
            batch.usage.extend(usage)
            batch.turns.extend(turns)
            batch.calls.append(_call(chance, size, call, sum((row[-1] for row in usage), Decimal(0))))
        yield batch


def _call(chance: random.Random, size: Size, call: int, cost: Decimal) -> tuple[Any, ...]:
    # Calls come in the order of time, as they do in a house that is open.
    moment = (call - 1) / size.calls * size.days * SECONDS_OF_A_DAY
    started = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(seconds=moment)
    seconds = chance.uniform(20, 180)
    number = f"+1500555{chance.randrange(size.numbers):04}"
    caller = f"+1415{chance.randrange(10**7):07}"
    agent = f"agent-{chance.randrange(size.agents):02}"
    campaign = f"campaign-{chance.randrange(size.campaigns):02}"
    who, gap = ("inbound", number, caller, number), chance.uniform(0.5, 1.0)
    when = (started, started, started + timedelta(seconds=seconds), seconds)
    return (call, f"CA{call:032x}", *who, agent, 1, campaign, *when, "goodbye", "caller", "", TURNS, cost, gap, 2 * gap)


def _exchange(chance: random.Random, call: int, place: int) -> list[tuple[Any, ...]]:
    """One turn of the caller and the agent's answer to it."""
    heard_end = 5.0 * place + chance.random()
    steps = (0.3, chance.lognormvariate(math.log(0.35), 0.35), chance.uniform(0.05, 0.15), chance.uniform(0.1, 0.25))
    own = chance.uniform(0.001, 0.01)
    moments = [heard_end]
    for step in (*steps, own):
        moments.append(moments[-1] + step)
    said = ("Are you open on Sunday?", "We open at nine and close at five on weekdays.")
    caller = (call, place + 1, "caller", said[0], "", heard_end - 2.0, heard_end, *[None] * 8)
    agent = (call, place + 2, "agent", said[1], said[1], moments[-1], moments[-1] + 3.0)
    return [caller, (*agent, *moments, moments[-1] - heard_end, own)]


def _usage(chance: random.Random, call: int) -> list[tuple[Any, ...]]:
    rows = []
    for key, (vendor, product, unit, wasted, most, price, per) in enumerate(ITEMS):
        quantity = Decimal(chance.randint(1, most))
        cost = (quantity * Decimal(price) / per).quantize(Decimal("0.000000000001"))
        rows.append((call, str(key), 1, vendor, product, unit, quantity, wasted, Decimal(price), per, cost))
    return rows


async def load(url: str, size: Size) -> None:
    """Write the ledger, with a bar that says how far it is."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval("SELECT count(*) FROM calls LIMIT 1"):
            raise SystemExit("There are calls in this database already; give the loader an empty one.")
        with _progress() as progress:
            bar = progress.add_task("calls", total=size.calls)
            for batch in batches(size):
                await _copy(connection, batch)
                progress.advance(bar, len(batch.calls))
            sums = progress.add_task("figures by the day", total=len(SUMS))
            for statement in SUMS:
                await connection.execute(statement)
                progress.advance(sums)
        await connection.execute("SELECT setval(pg_get_serial_sequence('calls', 'id'), max(id)) FROM calls")
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _copy(connection: Any, batch: Batch) -> None:
    async with connection.transaction():
        await connection.copy_records_to_table("calls", records=batch.calls, columns=CALL_COLUMNS)
        await connection.copy_records_to_table("turns", records=batch.turns, columns=TURN_COLUMNS)
        await connection.copy_records_to_table("usage", records=batch.usage, columns=USAGE_COLUMNS)


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ops.lab.ledger_load", description=__doc__.splitlines()[0])
    parser.add_argument("url", help="postgresql://user@host/name, with tables and without calls")
    for name, default in (("calls", 1_000_000), ("days", 90), ("agents", 10), ("campaigns", 5), ("numbers", 20)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{default} unless told")
    arguments = vars(parser.parse_args())
    asyncio.run(load(arguments.pop("url"), Size(**arguments)))


if __name__ == "__main__":
    main()
