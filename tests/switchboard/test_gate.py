"""The gate lets in what it should, soon, and ends what has cost enough."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.call.agent import Agent
from app.call.events import LimitReached, LineOpened, Metered, Played
from app.errors import VendorError
from app.money.limits import Cap
from app.store.alerts import standing_alerts
from app.store.budgets import set_budget
from app.store.database import Database
from app.store.live import LocalLive
from app.switchboard.gate import ANSWER_SECONDS, Gate
from app.switchboard.ports import CallFacts
from tests.store.ledgers import CALL, DAY, written

AGENT = Agent("reception", "Hello.", "You answer.")
FACTS = CallFacts("CA1", "inbound", CALL.number, "+14155550100")


@dataclass
class Talk:
    """A conversation that only remembers what it was told."""

    facts: CallFacts = FACTS
    agent: Agent = AGENT
    reported: list[Any] = field(default_factory=list)
    watchers: list[Callable[[float, Any], None]] = field(default_factory=list)

    def watch(self, watcher: Callable[[float, Any], None]) -> None:
        self.watchers.append(watcher)

    def report(self, event: Any) -> None:
        self.reported.append(event)

    def pass_by(self, moment: float, thing: Any) -> None:
        for watcher in self.watchers:
            watcher(moment, thing)


def cap(scope: str, amount: str, measure: str, period: str = "day", action: str = "pause", subject: str = "") -> Cap:
    return Cap(scope, subject, period, measure, Decimal(amount), action)


async def gate(database: Database, *caps: Cap, live: Any = None, talks: tuple[Talk, ...] = ()) -> Gate:
    """A gate that has read these caps."""
    async with database.writing() as session:
        for each in caps:
            await set_budget(session, each)
    noon = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
    it = Gate(LocalLive() if live is None else live, database, going_on=lambda: talks, today=lambda: noon)
    await it.refresh()
    return it


async def against(it: Gate, facts: CallFacts = FACTS) -> str:
    found = await it.ask(facts, AGENT)
    return str(found.against.cap) if found.against else ""


async def test_a_gate_without_caps_is_open(database: Database) -> None:
    assert await against(await gate(database)) == ""


async def test_calls_are_counted_until_the_day_is_full(database: Database) -> None:
    it = await gate(database, cap("agent", "2", "calls", subject="reception"))
    callers = [replace(FACTS, sid=f"CA{n}", party=f"+1415555010{n}") for n in range(3)]
    assert [await against(it, each) for each in callers] == ["", "", "agent reception: 2 calls a day"]


async def test_calls_of_before_a_restart_count_too(database: Database) -> None:
    await written(database)
    assert await against(await gate(database, cap("number", "1", "calls"))) == "each number: 1 calls a day"


async def test_money_that_was_spent_today_closes_the_gate(database: Database) -> None:
    await written(database)
    assert await against(await gate(database, cap("account", "0.0069", "usd"))) == "account: 0.0069 usd a day"
    assert await against(await gate(database, cap("account", "0.0070", "usd"))) == ""


async def test_calls_at_once_are_those_that_are_going_on(database: Database) -> None:
    other = Talk(replace(FACTS, number="+19"), replace(AGENT, name="sales"))
    caps = (cap("agent", "2", "calls", "now"),)
    assert await against(await gate(database, *caps, talks=(Talk(), other))) == ""
    assert await against(await gate(database, *caps, talks=(Talk(), Talk()))) == "each agent: 2 calls at once"


async def test_calls_at_once_are_counted_over_all_processes(database: Database) -> None:
    live = LocalLive()
    caps = (cap("agent", "2", "calls", "now"), cap("account", "1", "calls", "now", "warn"))
    one, other = await gate(database, *caps, live=live), await gate(database, live=live)
    calls = [replace(FACTS, sid=f"CA{number}") for number in range(4)]
    assert [await against(it, each) for it, each in zip((one, other, one), calls, strict=False)] == [
        "",
        "",
        "each agent: 2 calls at once",
    ]
    await one.leave(Talk(calls[1]))
    assert await against(other, calls[3]) == ""


async def test_a_cap_that_appears_while_calls_go_on_counts_them(database: Database) -> None:
    live = LocalLive()
    talks = (Talk(FACTS), Talk(replace(FACTS, sid="CA2")))
    one, other = await gate(database, live=live, talks=talks), await gate(database, live=live)
    await one.hold()
    assert len(live) == 0
    async with database.writing() as session:
        await set_budget(session, cap("agent", "2", "calls", "now"))
    for it in (one, other):
        await it.refresh()
        await it.hold()
    assert await against(other, replace(FACTS, sid="CA3")) == "each agent: 2 calls at once"


async def test_somebody_is_told_that_the_last_place_is_taken(database: Database) -> None:
    it = await gate(database, cap("agent", "2", "calls", "now"))
    told = [[use.used for use in (await it.ask(replace(FACTS, sid=sid), AGENT)).told] for sid in ("CA1", "CA2")]
    assert told == [[], [2]]


async def test_a_caller_who_calls_all_the_time_is_throttled_and_nobody_else(database: Database) -> None:
    it = await gate(database, cap("caller", "3", "calls", "minute"))
    assert [bool(await against(it)) for _ in range(4)] == [False, False, False, True]
    assert await against(it, replace(FACTS, party="+14155550199")) == ""
    withheld = replace(FACTS, party="anonymous")
    assert [await against(it, withheld) for _ in range(5)] == [""] * 5


async def test_somebody_is_told_once_for_each_level(database: Database) -> None:
    it = await gate(database, cap("agent", "4", "calls"))
    for _ in range(6):
        await it.ask(FACTS, AGENT)
    for _ in range(2):
        await it.refresh()
    async with database.reading() as session:
        alerts = await standing_alerts(session)
    assert sorted(alert.details["level"] for alert in alerts) == [50, 100]
    assert {alert.kind for alert in alerts} == {"budget"}


class Stuck:
    """A live store that does not answer."""

    async def count(self, key: str, window_seconds: float) -> int:
        await asyncio.Event().wait()
        return 0


class Away:
    async def count(self, key: str, window_seconds: float) -> int:
        raise VendorError("redis", "away")


@pytest.mark.parametrize("live", [Stuck(), Away()])
async def test_when_nobody_counts_the_gate_answers_all_the_same(sqlite_url: str, live: Any) -> None:
    async with opened(sqlite_url) as database:
        it = await gate(database, live=live)
        began = asyncio.get_running_loop().time()
        found = await it.ask(FACTS, AGENT)
        assert asyncio.get_running_loop().time() - began < ANSWER_SECONDS + 0.4
        assert (found.against, found.uncounted) == (None, True)


async def test_what_is_spent_closes_the_gate_even_when_nobody_counts(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        await written(database)
        it = await gate(database, cap("account", "0.001", "usd"), live=Away())
        assert await against(it) == "account: 0.001 usd a day"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database.open(url)
    yield database
    await database.close()


# --- while a call lasts ---------------------------------------------------------------------------------------------


async def attended(database: Database, *caps: Cap) -> Talk:
    await written(database)  # brings the rates
    talk = Talk()
    (await gate(database, *caps)).attend(talk)
    return talk


async def test_a_call_ends_when_its_own_money_is_used_up(database: Database) -> None:
    talk = await attended(database, cap("call", "0.05", "usd", "now"))
    talk.pass_by(0.0, LineOpened())
    talk.pass_by(10.0, Metered("elevenlabs", "eleven_flash_v2_5", "character", "1000", 1))  # 4 cents
    assert talk.reported == []
    talk.pass_by(60.0, Played(1))  # and half a cent of hearing
    assert talk.reported == []
    talk.pass_by(70.0, Metered("elevenlabs", "eleven_flash_v2_5", "character", "200", 2))
    talk.pass_by(71.0, Played(2))
    assert talk.reported == [LimitReached("cost")]


async def test_a_call_does_not_end_for_what_was_rendered_for_all(database: Database) -> None:
    talk = await attended(database, cap("call", "0.05", "usd", "now"))
    talk.pass_by(0.0, LineOpened())
    talk.pass_by(0.1, Metered("elevenlabs", "eleven_flash_v2_5", "character", "9000", wasted="rendered ahead"))
    assert talk.reported == []
    talk.pass_by(0.2, Metered("elevenlabs", "eleven_flash_v2_5", "character", "9000", 1))
    assert talk.reported == [LimitReached("cost")]


async def test_a_call_ends_when_its_own_minutes_are_used_up(database: Database) -> None:
    talk = await attended(database, cap("call", "2", "minutes", "now"))
    talk.pass_by(5.0, LineOpened())
    talk.pass_by(124.0, Played(1))
    assert talk.reported == []
    talk.pass_by(125.0, Played(2))
    assert talk.reported == [LimitReached("time")]


async def test_a_call_without_a_cap_of_its_own_is_not_watched(database: Database) -> None:
    assert (await attended(database)).watchers == []


async def test_a_campaign_that_must_stop_ends_its_calls_and_no_others(database: Database) -> None:
    await written(database, replace(CALL, campaign="recalls"))
    ours, others = Talk(replace(FACTS, campaign="recalls")), Talk(replace(FACTS, campaign="surveys"))
    await gate(database, cap("campaign", "0.001", "usd", action="stop"), talks=(ours, others))
    assert (ours.reported, others.reported) == ([LimitReached("budget")], [])


async def test_calls_that_must_stop_are_ended_and_those_that_may_pause_are_not(database: Database) -> None:
    await written(database)
    paused, stopped = Talk(), Talk()
    await gate(database, cap("agent", "0.001", "usd"), talks=(paused,))
    assert paused.reported == []
    await gate(database, cap("agent", "0.001", "usd", action="stop"), talks=(stopped,))
    assert stopped.reported == [LimitReached("budget")]
