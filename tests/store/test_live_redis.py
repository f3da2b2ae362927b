"""A Redis that is away, mute or back again: what it costs a call."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.errors import SettingsError, VendorError
from app.store.live_redis import LEFT_ALONE_SECONDS, RedisLive
from tests import servers

PATIENCE = 0.5


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@asynccontextmanager
async def mute_server() -> AsyncIterator[str]:
    """Takes connections and never says a word."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(-1)
        finally:
            writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()


async def failure_of(live: RedisLive) -> tuple[str, float]:
    began = time.monotonic()
    with pytest.raises(VendorError) as caught:
        await live.recall("CA1")
    assert (caught.value.vendor, caught.value.again) == ("redis", True)
    return caught.value.what, time.monotonic() - began


async def test_a_mute_redis_costs_half_a_second_once() -> None:
    clock = Clock()
    async with mute_server() as url:
        live = RedisLive(url, clock)
        what, seconds = await failure_of(live)
        assert seconds < PATIENCE
        what, seconds = await failure_of(live)
        assert "left alone" in what
        assert seconds < 0.05
        clock.time += LEFT_ALONE_SECONDS
        what, seconds = await failure_of(live)
        assert "left alone" not in what
        await live.close()


async def test_an_absent_redis_is_refused_at_once() -> None:
    live = RedisLive(f"redis://127.0.0.1:{servers.free_port()}/0", Clock())
    what, seconds = await failure_of(live)
    assert "left alone" not in what
    assert seconds < PATIENCE
    with pytest.raises(VendorError, match="left alone"):
        await live.count("x", 60)
    await live.close()


async def test_a_redis_that_restarts_is_used_again(redis_server: str) -> None:
    program, port, clock = servers.redis_program(), servers.free_port(), Clock()
    with servers.redis_at(port, program) as url:
        live = RedisLive(url, clock)
        await live.remember("CA1", "[]", 60)
        assert await live.recall("CA1") == "[]"
    await failure_of(live)
    clock.time += LEFT_ALONE_SECONDS
    with servers.redis_at(port, program):
        assert await live.recall("CA1") is None
        await live.remember("CA1", "[1]", 60)
        assert await live.recall("CA1") == "[1]"
        await live.ping()
        await live.close()


async def test_a_restart_between_two_questions_costs_nothing(redis_server: str) -> None:
    program, port = servers.redis_program(), servers.free_port()
    with servers.redis_at(port, program) as url:
        live = RedisLive(url, Clock())
        assert await live.count("calls", 60) == 1
    with servers.redis_at(port, program):
        assert await live.count("calls", 60) == 1, "a new Redis answered, at the first try"
        await live.close()


async def test_a_cancellation_is_never_lost_in_the_client(redis_url: str) -> None:
    live = RedisLive(redis_url)

    async def count_until_cancelled(moment: float) -> None:
        async with asyncio.timeout(moment):
            for _ in range(2000):
                await live.count("x", 60)

    for step in range(30):  # moments a few microseconds apart, to hit the one in which the answer comes
        with pytest.raises(TimeoutError):
            await count_until_cancelled(0.002 + step * 0.00005)
    await live.remember("CA1", "[]", 60)
    assert await live.recall("CA1") == "[]"
    await live.close()


def test_an_address_that_is_none_is_refused_with_a_sentence() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        RedisLive("http://host/0")
