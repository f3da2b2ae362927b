"""Several processes on one live store: together they let in as many calls at once as one would, whatever becomes of
them. In virtual time with the store of one process, which they share; where it says so, with a real Redis.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

from app.call.agent import Agent, Patience
from app.call.events import LineClosed, SpeechEnded
from app.errors import VendorError
from app.money.limits import Cap
from app.store.live import LocalLive
from app.switchboard.exchange import TOKEN_SECONDS, Admitted, Exchange
from app.switchboard.gate import HOLD_SECONDS, REFRESH_SECONDS, Gate
from app.switchboard.ports import CallFacts
from tests import virtual_time
from tests.store.stages import RedisStage
from tests.switchboard.puppets import ListTrace, PuppetLine, Troupe

PATIENT = Patience(prompt_first=600.0, prompt_second=700.0, prompt_goodbye=800.0)  # our callers say little
CLINIC = Agent("reception", "Hello, this is the clinic.", "You answer the phone.", patience=PATIENT)
ONE = Cap("number", "", "now", "calls", Decimal(1), "pause")
TWO = Cap("account", "", "now", "calls", Decimal(2), "pause")


def facts(number: int, direction: str = "inbound", campaign: str = "") -> CallFacts:
    return CallFacts(f"CA{number}", direction, "+15005550001", f"+1500555{number:04}", campaign)


class OneNumber:
    async def answering(self, number: str) -> tuple[Agent, int] | None:
        return CLINIC, 1

    async def version_of(self, name: str, version: int) -> Agent | None:
        return CLINIC


class NoDatabase:
    """It is away the whole time: the caps that were read last hold, and places are kept all the same."""

    def reading(self) -> Any:
        raise OSError("the database is away")


class Watched(LocalLive):
    """Notes every question about places. It can be away, and slow to do what it is told."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop().time)
        self.asked: list[str] = []
        self.away = False
        self.slow = 0.0

    async def take_places(self, *words: Any) -> dict[str, int]:
        self._note("take")
        return await super().take_places(*words)

    async def keep_places(self, *words: Any) -> None:
        self._note("keep")
        await asyncio.sleep(self.slow)
        await super().keep_places(*words)

    async def leave_places(self, *words: Any) -> None:
        self._note("leave")
        await super().leave_places(*words)

    def _note(self, word: str) -> None:
        self.asked.append(word)
        if self.away:
            raise VendorError("redis", "connection refused")


class Process:
    """One of several behind the same address: a call's stream may come to another one than its ring."""

    def __init__(self, live: Any, *caps: Cap) -> None:
        self.exchange = Exchange(OneNumber(), Troupe().hire, live, lambda sid: ListTrace(), most_calls=100, alone=False)
        self.gate = Gate(live, cast("Any", NoDatabase()), going_on=lambda: self.exchange.conversations, caps=caps)
        self.exchange.gate = self.gate

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.exchange.run())
            tasks.create_task(self.gate.run())

    async def rings(self, number: int, direction: str = "inbound", campaign: str = "") -> str | None:
        """The token of a call that is let in."""
        answer = await self.exchange.ring(facts(number, direction, campaign))
        return answer.token if isinstance(answer, Admitted) else None

    async def streams(self, token: str | None) -> None:
        conversation = await self.exchange.connect(str(token))
        assert conversation is not None
        conversation.attach(PuppetLine(conversation.report))

    async def talks(self) -> None:
        """Somebody rings, comes and says something, so that the call can be taken up."""
        await self.streams(await self.rings(1))
        await asyncio.sleep(2)
        self.exchange.conversations[0].report(SpeechEnded("My name is Ann."))

    async def ends(self, by: str = "caller") -> None:
        self.exchange.conversations[0].report(LineClosed(by))
        await asyncio.sleep(0.1)


class Town:
    """Processes on one live store; any of them may be killed."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.live = Watched()
        self._tasks = tasks
        self._running: dict[Process, asyncio.Task[None]] = {}

    async def process(self, *caps: Cap) -> Process:
        process = Process(self.live, *caps)
        self._running[process] = self._tasks.create_task(process.run())
        await asyncio.sleep(1.0)  # its first look is over
        return process

    async def kill(self, process: Process) -> None:
        """Nothing more is told to anybody."""
        self._running[process].cancel()
        await asyncio.wait([self._running.pop(process)])

    async def end(self) -> None:
        for process in list(self._running):
            await self.kill(process)


def play(story: Callable[[Town], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            town = Town(tasks)
            await story(town)
            await town.end()

    virtual_time.run(main())


def test_two_processes_let_in_no_more_calls_than_one() -> None:
    async def story(town: Town) -> None:
        one, other = await town.process(TWO), await town.process(TWO)
        asked = (process.rings(number) for number, process in enumerate([one, other] * 5))
        assert sum(token is not None for token in await asyncio.gather(*asked)) == 2

    play(story)


def test_a_call_holds_its_place_from_its_ring_to_its_end_wherever_its_stream_comes() -> None:
    async def story(town: Town) -> None:
        one, other = await town.process(ONE), await town.process(ONE)
        token = await one.rings(1)
        await asyncio.sleep(TOKEN_SECONDS - 1)
        assert await one.rings(2) is None
        await other.streams(token)
        for second in range(10):
            await asyncio.sleep(7)
            assert await one.rings(100 + second) is None
        await other.ends()
        assert await one.rings(3) is not None

    play(story)


def test_a_call_whose_stream_never_comes_gives_its_place_back() -> None:
    async def story(town: Town) -> None:
        one, other = await town.process(ONE), await town.process(ONE)
        await one.rings(1)
        await asyncio.sleep(TOKEN_SECONDS - 0.1)
        assert await other.rings(2) is None
        await asyncio.sleep(0.2)
        assert await other.rings(3) is not None

    play(story)


def test_the_places_of_a_killed_process_come_free() -> None:
    async def story(town: Town) -> None:
        one, other = await town.process(TWO), await town.process(TWO)
        for number in (1, 2):
            await one.streams(await one.rings(number))
        await asyncio.sleep(95)
        assert await other.rings(3) is None
        await town.kill(one)
        await asyncio.sleep(HOLD_SECONDS - REFRESH_SECONDS)
        assert await other.rings(4) is None, "its calls may still be taken up by others"
        await asyncio.sleep(REFRESH_SECONDS)
        assert [await other.rings(number) is not None for number in (5, 6, 7)] == [True, True, False]

    play(story)


def test_a_call_that_another_process_takes_up_counts_once_and_does_not_lose_its_place() -> None:
    async def story(town: Town) -> None:
        one, other = await town.process(TWO), await town.process(TWO)
        await one.talks()
        await asyncio.sleep(7)
        await town.kill(one)
        await asyncio.sleep(1)
        again = await other.exchange.follow("CA1")
        assert isinstance(again, Admitted)
        await other.streams(again.token)
        token = await other.rings(2)
        assert token is not None, "it counts once, so one place is free"
        await other.streams(token)
        for number in range(3, 13):
            await asyncio.sleep(9)
            assert await other.rings(number) is None
        await other.ends()
        assert [await other.rings(number) is not None for number in (13, 14)] == [True, False]

    play(story)


def test_a_call_between_two_streams_keeps_its_place() -> None:
    async def story(town: Town) -> None:
        one, other = await town.process(ONE), await town.process(ONE)
        await one.talks()
        await asyncio.sleep(2)
        await one.ends("carrier")
        assert await other.rings(2) is None
        again = await one.exchange.follow("CA1")
        assert isinstance(again, Admitted)
        await one.streams(again.token)
        await asyncio.sleep(2 * HOLD_SECONDS)
        assert await other.rings(3) is None
        await one.ends()
        assert await other.rings(4) is not None

    play(story)


def test_a_refused_call_holds_no_place() -> None:
    async def story(town: Town) -> None:
        one_a_day = Cap("agent", "", "day", "calls", Decimal(1), "pause")
        strict, other = await town.process(ONE, one_a_day), await town.process(ONE)
        await strict.streams(await strict.rings(1))
        await strict.ends()
        assert await strict.rings(2) is None, "the day is full"
        assert await other.rings(3) is not None

    play(story)


def test_without_a_cap_on_calls_at_once_nobody_asks_about_places() -> None:
    async def story(town: Town) -> None:
        one = await town.process(Cap("number", "", "day", "calls", Decimal(9), "pause"))
        await one.streams(await one.rings(1))
        await asyncio.sleep(2 * HOLD_SECONDS)
        await one.ends()
        assert town.live.asked == []

    play(story)


def test_a_call_takes_keeps_and_leaves_its_places_with_one_question_each() -> None:
    async def story(town: Town) -> None:
        one = await town.process(ONE, TWO)
        await one.streams(await one.rings(1))
        await asyncio.sleep(3.5 * REFRESH_SECONDS)
        await one.ends()
        assert town.live.asked == ["take", *["keep"] * 4, "leave"], "at its stream and thrice after"

    play(story)


def test_a_call_that_ends_while_its_place_is_being_renewed_leaves_it() -> None:
    async def story(town: Town) -> None:
        one = await town.process(ONE)
        await one.streams(await one.rings(1))
        await asyncio.sleep(REFRESH_SECONDS - 1.1)  # the next look is a tenth of a second away
        town.live.slow = 0.3
        await asyncio.sleep(0.2)
        assert town.live.asked == ["take", "keep", "keep"]
        await one.ends()
        await asyncio.sleep(0.3)
        assert await one.rings(2) is not None

    play(story)


def test_a_campaign_has_its_own_places() -> None:
    async def story(town: Town) -> None:
        recalls = Cap("campaign", "", "now", "calls", Decimal(1), "pause")
        one, other = await town.process(recalls), await town.process(recalls)
        await one.streams(await one.rings(1, "outbound", "recalls"))
        await asyncio.sleep(2 * HOLD_SECONDS)
        assert await other.rings(2, "outbound", "recalls") is None
        assert await other.rings(3, "outbound", "surveys") is not None
        assert await other.rings(4) is not None

    play(story)


def test_without_the_live_store_each_process_counts_its_own_and_nobody_is_rung() -> None:
    async def story(town: Town) -> None:
        one = await town.process(ONE)
        other = await town.process(ONE)
        await one.streams(await one.rings(1))
        await asyncio.sleep(2)
        town.live.away = True
        assert await one.rings(2) is None, "it knows of a call of its own"
        assert await other.rings(3) is not None
        assert await other.rings(4, "outbound") is None
        await asyncio.sleep(2 * HOLD_SECONDS)
        town.live.away = False
        await asyncio.sleep(REFRESH_SECONDS)
        assert await other.rings(5) is None, "whoever has a call tells the store as soon as it is back"

    play(story)


# --- with a real Redis ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def two_processes(redis_url: str, cap: Cap) -> AsyncIterator[tuple[RedisStage, Process, Process]]:
    """Two that ask one Redis, each over connections of its own; their looks are those that the test takes."""
    stage = RedisStage(redis_url)
    one, other = Process(stage.live, cap), Process(stage.other, cap)
    async with asyncio.TaskGroup() as tasks:
        for process in (one, other):
            tasks.create_task(process.exchange.run())
            await process.exchange.ready.wait()
        yield stage, one, other
        one.exchange.stop()
        other.exchange.stop()
    await stage.close()


async def test_with_redis_two_processes_let_in_no_more_calls_than_one(redis_url: str) -> None:
    async with two_processes(redis_url, TWO) as (_, one, other):
        asked = (process.rings(number) for number, process in enumerate([one, other] * 10))
        assert sum(token is not None for token in await asyncio.gather(*asked)) == 2


async def test_with_redis_the_places_of_a_killed_process_come_free(redis_url: str) -> None:
    async with two_processes(redis_url, TWO) as (stage, one, other):
        for number in (1, 2):
            await one.streams(await one.rings(number))
        for _ in range(9):
            await one.gate.hold()
            await stage.pass_time(REFRESH_SECONDS)
        assert await other.rings(3) is None
        await stage.pass_time(HOLD_SECONDS - 2 * REFRESH_SECONDS - 1)
        assert await other.rings(4) is None, "its calls may still be taken up by others"
        await stage.pass_time(REFRESH_SECONDS + 2)
        assert [await other.rings(number) is not None for number in (5, 6, 7)] == [True, True, False]


async def test_with_redis_a_call_that_another_process_takes_up_counts_once(redis_url: str) -> None:
    async with two_processes(redis_url, TWO) as (stage, one, other):
        await one.streams(await one.rings(1))
        await one.gate.hold()
        await other.gate.hold(one.exchange.conversations[0])
        assert [await other.rings(number) is not None for number in (2, 3)] == [True, False]
        await other.gate.leave(one.exchange.conversations[0])
        assert await one.rings(4) is not None
        await stage.pass_time(TOKEN_SECONDS + 1)
        assert await stage.redis.keys("patchcord:places:*") == []
