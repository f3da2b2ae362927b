"""The live store that many processes share: Redis, one round trip for each thing asked.

A Redis that is away costs a call half a second once: after a failure it is left alone for a while, and every question
in that time is refused at once.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
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

# Who holds a place is a member of a sorted set, and until when its score, in milliseconds by the clock of Redis: those
# of the machines that hold places differ. Scripts, because nobody may come between the counting and the taking.
_HOLDING = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ttl = tonumber(ARGV[1])

local function hold(place, holder)
  redis.call('ZADD', place, now + ttl, holder)
  if redis.call('PTTL', place) < ttl then redis.call('PEXPIRE', place, ttl) end
end
"""
_TAKE = f"""{_HOLDING}
local holder, held, free = ARGV[2], {{}}, true
for number, place in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', place, '-inf', now)
  local newly = redis.call('ZSCORE', place, holder) and 0 or 1
  held[number] = redis.call('ZCARD', place) + newly
  free = free and held[number] <= tonumber(ARGV[number + 2])
end
for _, place in ipairs(free and KEYS or {{}}) do hold(place, holder) end
return held
"""
_KEEP = f"""{_HOLDING}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for number = 2, #ARGV do hold(KEYS[1], ARGV[number]) end
"""


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

    async def take_places(self, holder: str, most: Mapping[str, float], ttl: float) -> dict[str, int]:
        names = [f"{PREFIX}places:{place}" for place in most]
        told = (_milliseconds(ttl), holder, *most.values())
        held = await self._ask(self._redis.eval, _TAKE, len(names), *names, *told)
        return dict(zip(most, held, strict=True))

    async def keep_places(self, holders: Mapping[str, Collection[str]], ttl: float) -> None:
        async with self._redis.pipeline(transaction=False) as all_places:
            for place, those in holders.items():
                all_places.eval(_KEEP, 1, f"{PREFIX}places:{place}", _milliseconds(ttl), *those)
            await self._ask(all_places.execute)

    async def leave_places(self, holder: str, places: Collection[str]) -> None:
        async with self._redis.pipeline(transaction=False) as all_places:
            for place in places:
                all_places.zrem(f"{PREFIX}places:{place}", holder)
            await self._ask(all_places.execute)

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
