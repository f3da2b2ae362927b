"""Live stores whose time a test lets pass: the one of a process, and a real Redis."""

from typing import Any, Protocol, cast

from redis.asyncio import Redis

from app.store.live import Live, LocalLive
from app.store.live_redis import RedisLive


class Stage(Protocol):
    """A live store as two processes see it, and a way to let its time pass."""

    live: Live
    other: Live

    async def pass_time(self, seconds: float) -> None: ...
    async def close(self) -> None: ...


class LocalStage:
    def __init__(self) -> None:
        self.time = 1000.0
        self.live: Live = LocalLive(lambda: self.time)
        self.other: Live = self.live

    async def pass_time(self, seconds: float) -> None:
        self.time += seconds

    async def close(self) -> None:
        await self.live.close()


class RedisStage:
    """Redis keeps its own time; what it has left to live is shortened instead."""

    def __init__(self, url: str) -> None:
        self.live: Live = RedisLive(url)
        self.other: Live = RedisLive(url)
        self.redis = cast("Any", Redis.from_url(url))

    async def pass_time(self, seconds: float) -> None:
        passed = round(seconds * 1000)
        for key in await self.redis.keys("*"):
            if await self.redis.type(key) == b"zset":  # of each member, the moment at which it ends
                for member in await self.redis.zrange(key, 0, -1):
                    await self.redis.zincrby(key, -passed, member)
            await self.redis.pexpire(key, await self.redis.pttl(key) - passed)  # less than nothing: gone at once

    async def close(self) -> None:
        await self.live.close()
        await self.other.close()
        await self.redis.aclose()
