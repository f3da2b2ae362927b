"""What calls leave in the ledger, over real sockets: the server's own process, the lab's vendors and its callers.

Three scenes play at once, each in a house of its own: a call whose every unit is compared with what the vendors
counted; a database that is stopped while calls go on; a server that is killed in the middle of them.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.store.database import Database
from app.store.tables import CallDayRow, CallRow, CostDayRow, TurnRow, UsageRow
from ops.lab.load import load
from ops.lab.place import Target, place
from ops.lab.report import Report
from ops.lab.story import HangsUp, Hears, Says, Story, TalksOver, Waits
from ops.lab.vendors import Lab, vendors
from tests import servers
from tests.stories.whole_house import SECRET, Server, environment, patchcord, serving

SAMPLE = Path(__file__).parent.parent / "ops" / "samples" / "clinic.yaml"
CALLS = 4
PATIENCE = 30.0
MICRODOLLAR = Decimal("0.000001")

# A barge-in, and a sentence that seems to end before it does: its answer is begun, and thrown away.
EVERYTHING = Story(
    "everything that costs",
    (
        Hears("how can i help"),
        Says("Tell me everything about the clinic."),
        TalksOver("Sorry, are you open on Sundays?", after_words=4),
        Hears("ten to two"),
        Says("I have a question"),
        Waits(0.9),
        Says("I need an appointment.", after=0.0),
        Hears("tuesday"),
        HangsUp(),
    ),
)
SLOW = {"when": r"question\W*$", "say": "What is it?", "delay": 2.0}  # so that its answer is still being made
SHORT = Story("one question", (Hears("how can i help"), Says("When are you open?"), Hears("friday"), HangsUp()))


@dataclass
class Ledger:
    """Every row of a database, read at once."""

    calls: list[CallRow] = field(default_factory=list)
    turns: list[TurnRow] = field(default_factory=list)
    usage: list[UsageRow] = field(default_factory=list)
    days: list[CallDayRow] = field(default_factory=list)
    costs: list[CostDayRow] = field(default_factory=list)

    def used(self, vendor: str, unit: str) -> Decimal:
        """Of this unit, without what was cancelled, of which nobody knows all."""
        rows = (row for row in self.usage if (row.vendor, row.unit) == (vendor, unit) and row.wasted != "cancelled")
        return sum((row.quantity for row in rows), Decimal(0))


@dataclass
class Scene:
    """What was counted at the other side, and what stands in the ledger."""

    ledger: Ledger
    reports: Sequence[Report] = ()
    counted: dict[str, Any] = field(default_factory=dict)
    log: str = ""


async def ledger_of(url: str) -> Ledger:
    database = Database.open(url)
    async with database.reading() as session:
        tables: tuple[Any, ...] = (CallRow, TurnRow, UsageRow, CallDayRow, CostDayRow)
        rows = [list(await session.scalars(select(table))) for table in tables]
    await database.close()
    return Ledger(*rows)


async def until_calls(url: str, count: int) -> Ledger:
    """The ledger as soon as it holds so many whole calls."""
    async with asyncio.timeout(PATIENCE):
        while True:
            ledger = await ledger_of(url)
            if len([call for call in ledger.calls if call.ended_at]) >= count:
                return ledger
            await asyncio.sleep(0.3)


@asynccontextmanager
async def house(folder: Path, database: str) -> AsyncIterator[tuple[Lab, dict[str, str]]]:
    """Vendors, and the settings of a server with one agent in its database."""
    async with vendors(script=[SLOW]) as lab:
        env = environment(folder, lab.url, servers.free_port(), DATABASE_URL=database)
        code, _, errors = await patchcord("apply", str(SAMPLE), env=env)
        assert code == 0, errors
        yield lab, env


async def ring(server: Server, calls: int) -> Sequence[Report]:
    return (await load(Target(server.url, auth_token=SECRET), SHORT, calls=calls, ramp=1.0)).reports


# --- the scenes -----------------------------------------------------------------------------------------------------


async def counted_call(folder: Path) -> Scene:
    """One call; the vendors' counts are those of the call alone."""
    url = f"sqlite:///{folder}/patchcord.db"
    async with house(folder, url) as (lab, env), serving(folder, env) as server:
        await rendered(lab)
        report = await place(Target(server.url, auth_token=SECRET), EVERYTHING)
        ledger = await until_calls(url, 1)
        counted = await asyncio.to_thread(lab.counts)
        return Scene(ledger, [report], counted, server.log)


async def rendered(lab: Lab) -> None:
    """Wait until all is spoken that is spoken ahead: until it has stopped growing."""
    async with asyncio.timeout(PATIENCE):
        before, characters = -1, 0
        while before != characters or not characters:
            await asyncio.sleep(0.7)
            before, characters = characters, (await asyncio.to_thread(lab.counts))["elevenlabs"]["characters"]


async def stopped_database(folder: Path) -> Scene:
    """PostgreSQL goes while calls talk, comes back after they have ended, and more calls follow."""
    with servers.own_postgres() as postgres:
        async with house(folder, postgres.url) as (_, env), serving(folder, env) as server:
            async with asyncio.TaskGroup() as tasks:
                ringing = tasks.create_task(ring(server, CALLS))
                await asyncio.sleep(4.0)
                await asyncio.to_thread(postgres.stop)
            await asyncio.sleep(3.0)  # the scribe tries in vain
            await asyncio.to_thread(postgres.start)
            await until_calls(postgres.url, CALLS)
            await asyncio.sleep(3.0)  # and would write them again now, if it did
            return Scene(await ledger_of(postgres.url), ringing.result(), log=server.log)


async def killed_server(folder: Path) -> Scene:
    """SIGKILL while calls talk; another process finds what was left."""
    url = f"sqlite:///{folder}/patchcord.db"
    async with house(folder, url) as (_, env):
        async with asyncio.TaskGroup() as tasks:
            async with serving(folder, env) as server:
                ringing = tasks.create_task(ring(server, CALLS))
                await asyncio.sleep(8.0)
                server.process.kill()
                await server.ended()
            await ringing
        async with serving(folder, env) as server:
            return Scene(await until_calls(url, CALLS), ringing.result(), log=server.log)


@dataclass
class Played:
    counted: Scene
    stopped: Scene
    killed: Scene


async def play(*folders: Path) -> Played:
    async with asyncio.TaskGroup() as tasks:
        scenes = [
            tasks.create_task(scene(folder))
            for scene, folder in zip((counted_call, stopped_database, killed_server), folders, strict=True)
        ]
    return Played(*(scene.result() for scene in scenes))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return asyncio.run(play(*(tmp_path_factory.mktemp("ledger") for _ in range(3))))


# --- one call, unit by unit -----------------------------------------------------------------------------------------


def test_the_call_went_as_its_story_says(played: Played) -> None:
    assert [report.failed for report in played.counted.reports] == [""]
    assert played.counted.ledger.calls[0].interruptions >= 1
    assert played.counted.counted["anthropic"]["cancelled"] >= 1, "the story is to have speculation that is cancelled"


def test_hearing_is_billed_by_the_sockets_lifetime(played: Played) -> None:
    counted = played.counted.counted["deepgram"]["socket_seconds"]
    assert float(played.counted.ledger.used("deepgram", "second")) == pytest.approx(counted, abs=0.1)


def test_every_character_that_was_spoken_is_billed(played: Played) -> None:
    counted = played.counted.counted["elevenlabs"]["characters"]
    assert played.counted.ledger.used("elevenlabs", "character") == counted


@pytest.mark.parametrize(
    ("unit", "counted_as"),
    [
        ("input_token", "input_tokens"),
        ("cache_write_5m_token", "cache_creation_input_tokens"),
        ("cache_read_token", "cache_read_input_tokens"),
        ("output_token", "output_tokens"),
    ],
)
def test_every_token_of_every_answer_is_billed(played: Played, unit: str, counted_as: str) -> None:
    requests = played.counted.counted["anthropic"]["requests"]
    counted = sum(request[counted_as] for request in requests if not request["cancelled"])
    assert played.counted.ledger.used("anthropic", unit) == counted


def test_what_was_cancelled_before_it_answered_has_rows_that_say_so(played: Played) -> None:
    cancelled = [row for row in played.counted.ledger.usage if row.vendor == "anthropic" and row.wasted == "cancelled"]
    requests = [request for request in played.counted.counted["anthropic"]["requests"] if request["cancelled"]]
    assert len({row.turn for row in cancelled}) == len(requests)
    assert all(row.quantity > 0 and row.cost_usd for row in cancelled)


def test_the_telephone_is_billed_by_started_minutes(played: Played) -> None:
    assert played.counted.ledger.used("twilio", "inbound_minute") == 1
    assert played.counted.ledger.used("twilio", "stream_minute") == 1


@pytest.mark.parametrize("scene", ["counted", "stopped", "killed"])
def test_a_call_costs_its_units_times_their_rates(played: Played, scene: str) -> None:
    ledger: Ledger = getattr(played, scene).ledger
    for call in ledger.calls:
        costs = [
            row.quantity * row.rate / row.rate_per
            for row in ledger.usage
            if row.call_id == call.id and row.rate is not None and row.rate_per
        ]
        assert len(costs) == len([row for row in ledger.usage if row.call_id == call.id]), "every row has a rate"
        assert call.cost_usd is not None
        assert call.cost_usd > Decimal("0.01")
        assert rounded(call.cost_usd) == rounded(sum(costs, Decimal(0)))


@pytest.mark.parametrize("scene", ["counted", "stopped", "killed"])
def test_the_reports_own_figures_agree_with_the_calls(played: Played, scene: str) -> None:
    ledger: Ledger = getattr(played, scene).ledger
    assert sum(day.calls for day in ledger.days) == len(ledger.calls)
    assert sum(day.cost_usd for day in ledger.costs) == sum(call.cost_usd or Decimal(0) for call in ledger.calls)


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(MICRODOLLAR, ROUND_HALF_EVEN)


# --- the database was away ------------------------------------------------------------------------------------------


def test_calls_go_well_while_the_database_is_away(played: Played) -> None:
    assert [report.failed for report in played.stopped.reports] == [""] * CALLS
    assert "waits: " in played.stopped.log, "the scribe is to have tried in vain"


def test_no_row_is_lost_and_none_is_doubled(played: Played) -> None:
    ledger = played.stopped.ledger
    assert Counter(call.sid for call in ledger.calls) == Counter(r.outcome.sid for r in played.stopped.reports)
    for call in ledger.calls:
        said = [turn.heard for turn in sorted(ledger.turns, key=lambda turn: turn.number) if turn.call_id == call.id]
        assert len(said) == call.turns == 3, said
        keys = Counter(row.key for row in ledger.usage if row.call_id == call.id)
        assert max(keys.values()) == 1
        vendors_used = {row.vendor for row in ledger.usage if row.call_id == call.id}
        assert vendors_used == {"deepgram", "anthropic", "elevenlabs", "twilio"}


# --- the server was killed ------------------------------------------------------------------------------------------


def test_a_killed_server_leaves_complete_accounts(played: Played) -> None:
    ledger = played.killed.ledger
    assert Counter(call.sid for call in ledger.calls) == Counter(r.outcome.sid for r in played.killed.reports)
    assert {(call.end_reason, call.end_fault) for call in ledger.calls} == {("the process was killed", "platform")}
    for call in ledger.calls:
        assert call.ended_at is not None
        assert call.cost_status == "provisional"
        rows = [row for row in ledger.usage if row.call_id == call.id]
        assert {row.vendor for row in rows} >= {"deepgram", "elevenlabs", "twilio"}
        assert [row.estimated for row in rows if row.vendor == "deepgram"] == [True]
        assert any(turn.who == "agent" for turn in ledger.turns if turn.call_id == call.id)
