"""The live store: one suite over the store of one process and over a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol, cast

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from app.store.live import Live, LocalLive
from app.store.live_redis import RedisLive


class Stage(Protocol):
    """A live store, and a way to let its time pass."""

    live: Live

    async def pass_time(self, seconds: float) -> None: ...


class LocalStage:
    def __init__(self) -> None:
        self.time = 1000.0
        self.live: Live = LocalLive(lambda: self.time)

    async def pass_time(self, seconds: float) -> None:
        self.time += seconds


class RedisStage:
    """Redis keeps its own time; what it has left to live is shortened instead."""

    def __init__(self, url: str) -> None:
        self.live: Live = RedisLive(url)
        self.redis = Redis.from_url(url)

    async def pass_time(self, seconds: float) -> None:
        for key in await cast("Any", self.redis.keys("*")):
            left = await cast("Any", self.redis.pttl(key)) - round(seconds * 1000)
            await cast("Any", self.redis.pexpire(key, left))  # less than nothing: gone at once


@pytest_asyncio.fixture(params=["local", "redis"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "local":
        yield LocalStage()
        return
    stage = RedisStage(request.getfixturevalue("redis_url"))
    yield stage
    await stage.live.close()
    await stage.redis.aclose()


async def test_what_is_remembered_is_recalled_as_often_as_one_likes(stage: Stage) -> None:
    await stage.live.remember("CA1", '[{"who": "caller", "text": "Grüß Gott"}]', 60)
    await stage.live.remember("CA2", "[]", 60)
    for _ in range(2):
        assert await stage.live.recall("CA1") == '[{"who": "caller", "text": "Grüß Gott"}]'
    assert await stage.live.recall("CA3") is None


async def test_the_newer_memory_replaces_the_older_and_lives_its_own_time(stage: Stage) -> None:
    await stage.live.remember("CA1", "old", 60)
    await stage.pass_time(50)
    await stage.live.remember("CA1", "new", 60)
    await stage.pass_time(50)
    assert await stage.live.recall("CA1") == "new"
    await stage.pass_time(11)
    assert await stage.live.recall("CA1") is None


async def test_a_token_is_taken_once(stage: Stage) -> None:
    await stage.live.put_token("abc", "CA1", 30)
    assert await stage.live.take_token("abc") == "CA1"
    assert await stage.live.take_token("abc") is None


async def test_of_many_who_take_a_token_together_one_gets_it(stage: Stage) -> None:
    await stage.live.put_token("abc", "CA1", 30)
    taken = await asyncio.gather(*(stage.live.take_token("abc") for _ in range(20)))
    assert sorted(taken, key=str) == ["CA1"] + [None] * 19


async def test_a_token_is_gone_when_its_time_is_over(stage: Stage) -> None:
    await stage.live.put_token("abc", "CA1", 30)
    await stage.pass_time(31)
    assert await stage.live.take_token("abc") is None


async def test_what_follows_is_taken_once_and_is_no_token(stage: Stage) -> None:
    await stage.live.set_next("CA1", "transfer:+15005550003", 60)
    assert await stage.live.take_token("CA1") is None
    assert await stage.live.recall("CA1") is None
    assert await stage.live.take_next("CA1") == "transfer:+15005550003"
    assert await stage.live.take_next("CA1") is None


async def test_a_counter_counts_within_its_window_and_then_begins_anew(stage: Stage) -> None:
    assert [await stage.live.count("caller:+1", 60) for _ in range(3)] == [1, 2, 3]
    await stage.pass_time(59)
    assert await stage.live.count("caller:+1", 60) == 4
    assert await stage.live.count("caller:+2", 60) == 1
    await stage.pass_time(2)
    assert await stage.live.count("caller:+1", 60) == 1


async def test_of_many_who_count_together_each_gets_a_number_of_its_own(stage: Stage) -> None:
    numbers = await asyncio.gather(*(stage.live.count("all", 60) for _ in range(200)))
    assert sorted(numbers) == list(range(1, 201))


async def test_the_local_store_holds_nothing_beyond_its_time() -> None:
    stage = LocalStage()
    local = cast("LocalLive", stage.live)
    for number in range(100):
        await local.remember(f"CA{number}", "[]", 60)
        await local.count(f"caller:{number}", 30)
    assert len(local) == 200
    await stage.pass_time(61)
    assert len(local) == 0
