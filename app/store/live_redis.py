"""The live store that many processes share: Redis, one round trip for each thing asked.

A Redis that is away costs a call half a second once: after a failure it is left alone for a while, and every question
in that time is refused at once.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.errors import SettingsError, VendorError

CONNECTIONS = 50  # each is busy for a tenth of a millisecond at a time
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.4  # connecting and asking together; callers notice half a second
LEFT_ALONE_SECONDS = 3.0  # a Redis that restarts is back within two or three
PREFIX = "patchcord:"


class RedisLive:
    """`Live` on a Redis. Every process that answers the same numbers uses the same one."""

    def __init__(self, url: str, now: Callable[[], float] = time.monotonic) -> None:
        # No socket_timeout: with it the client waits by `asyncio.wait_for`, which on Python 3.11 loses a cancellation
        # that comes in the same moment as the answer. ANSWER_SECONDS bounds everything anyway.
        # One retry, and at once: a connection from before a restart of Redis is found dead only when it is used.
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=CONNECT_SECONDS,
                socket_timeout=None,
                socket_connect_timeout=CONNECT_SECONDS,
                retry=Retry(NoBackoff(), 1),
                decode_responses=True,
            )
        except ValueError as fault:
            raise SettingsError(f"REDIS_URL {url!r} is no Redis address: {fault}") from None
        self._redis: Redis = Redis.from_pool(pool)
        self._now = now
        self._leave_alone_until = 0.0

    async def remember(self, call_sid: str, messages_json: str, ttl: float) -> None:
        await self._keep(f"memory:{call_sid}", messages_json, ttl)

    async def recall(self, call_sid: str) -> str | None:
        value: str | None = await self._ask(self._redis.get, f"{PREFIX}memory:{call_sid}")
        return value

    async def put_token(self, token: str, value: str, ttl: float) -> None:
        await self._keep(f"token:{token}", value, ttl)

    async def take_token(self, token: str) -> str | None:
        return await self._take(f"token:{token}")

    async def set_next(self, call_sid: str, value: str, ttl: float) -> None:
        await self._keep(f"next:{call_sid}", value, ttl)

    async def take_next(self, call_sid: str) -> str | None:
        return await self._take(f"next:{call_sid}")

    async def count(self, key: str, window_seconds: float) -> int:
        name = f"{PREFIX}count:{key}"
        async with self._redis.pipeline(transaction=True) as both:
            both.set(name, 0, px=_milliseconds(window_seconds), nx=True)
            both.incr(name)
            _, so_far = await self._ask(both.execute)
        return int(so_far)

    async def ping(self) -> None:
        """Whether Redis answers, for those who ask how the house is."""
        await self._ask(self._redis.ping)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _keep(self, name: str, value: str, ttl: float) -> None:
        await self._ask(self._redis.set, PREFIX + name, value, px=_milliseconds(ttl))

    async def _take(self, name: str) -> str | None:
        value: str | None = await self._ask(self._redis.getdel, PREFIX + name)
        return value

    async def _ask(self, question: Callable[..., Any], *words: Any, **named: Any) -> Any:
        if self._now() < self._leave_alone_until:
            raise VendorError("redis", "failed a moment ago and is left alone for now")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await question(*words, **named)
        except (RedisError, OSError, TimeoutError) as fault:
            self._leave_alone_until = self._now() + LEFT_ALONE_SECONDS
            raise VendorError("redis", str(fault) or f"no answer within {ANSWER_SECONDS} s") from fault


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
