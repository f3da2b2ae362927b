"""What lives as long as a call, shared by all processes that may answer it: the port, and the store of one process.

Everything has a time to live. Nothing here is on the audio path. The store that many processes share: `live_redis`.
"""

import heapq
import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol


class Live(Protocol):
    """Each call is one round trip. A store that does not answer raises VendorError, soon."""

    async def remember(self, call_sid: str, messages_json: str, ttl: float) -> None:
        """Keep the memory of a call where another process finds it."""

    async def recall(self, call_sid: str) -> str | None:
        """What was last remembered of this call."""

    async def put_token(self, token: str, value: str, ttl: float) -> None:
        """Let `token` be taken once."""

    async def take_token(self, token: str) -> str | None:
        """Its value, to the first who asks; None to everybody after that."""

    async def set_next(self, call_sid: str, value: str, ttl: float) -> None:
        """What is to follow when the call's stream ends."""

    async def take_next(self, call_sid: str) -> str | None:
        """What is to follow, to the first who asks."""

    async def count(self, key: str, window_seconds: float) -> int:
        """Count one more of `key`; how many since the first one, which opened a window of this length."""

    async def take_places(self, holder: str, most: Mapping[str, float], ttl: float) -> dict[str, int]:
        """Take a place of each name, or none where one is full: how many hold each, this holder included.

        `most` says how many may. Whoever holds a place already takes no second one.
        """

    async def keep_places(self, holders: Mapping[str, Collection[str]], ttl: float) -> None:
        """These hold their places for so long from now on, however many may."""

    async def leave_places(self, holder: str, places: Collection[str]) -> None:
        """Let go of them at once."""

    async def close(self) -> None:
        """Let go of every connection."""


class LocalLive:
    """The live store of a single process. Another process knows nothing of it, and a restart forgets it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[str, tuple[str, float]] = {}  # by name: the value, and until when
        self._ends: list[tuple[float, str]] = []  # a heap, so that forgetting costs nothing while nothing ends
        self._places: dict[str, dict[str, float]] = {}  # by name: who holds one, and until when

    async def remember(self, call_sid: str, messages_json: str, ttl: float) -> None:
        self._keep(f"memory:{call_sid}", messages_json, ttl)

    async def recall(self, call_sid: str) -> str | None:
        return self._find(f"memory:{call_sid}")

    async def put_token(self, token: str, value: str, ttl: float) -> None:
        self._keep(f"token:{token}", value, ttl)

    async def take_token(self, token: str) -> str | None:
        return self._take(f"token:{token}")

    async def set_next(self, call_sid: str, value: str, ttl: float) -> None:
        self._keep(f"next:{call_sid}", value, ttl)

    async def take_next(self, call_sid: str) -> str | None:
        return self._take(f"next:{call_sid}")

    async def count(self, key: str, window_seconds: float) -> int:
        name = f"count:{key}"
        so_far = self._find(name)
        if so_far is None:
            self._keep(name, "1", window_seconds)
            return 1
        self._kept[name] = (str(int(so_far) + 1), self._kept[name][1])
        return int(so_far) + 1

    async def take_places(self, holder: str, most: Mapping[str, float], ttl: float) -> dict[str, int]:
        held = {place: len(self._holders(place).keys() | {holder}) for place in most}
        if all(held[place] <= most[place] for place in most):
            self._hold(holder, most, ttl)
        return held

    async def keep_places(self, holders: Mapping[str, Collection[str]], ttl: float) -> None:
        for place, those in holders.items():
            for holder in those:
                self._hold(holder, [place], ttl)

    async def leave_places(self, holder: str, places: Collection[str]) -> None:
        for place in places:
            self._holders(place).pop(holder, None)

    async def close(self) -> None:
        self._kept.clear()
        self._ends.clear()
        self._places.clear()

    def __len__(self) -> int:
        self._forget()
        return len(self._kept) + sum(len(self._holders(place)) for place in list(self._places))

    def _holders(self, place: str) -> dict[str, float]:
        now = self._now()
        self._places[place] = {who: until for who, until in self._places.get(place, {}).items() if until > now}
        return self._places[place]

    def _hold(self, holder: str, places: Collection[str], ttl: float) -> None:
        for place in places:
            self._places.setdefault(place, {})[holder] = self._now() + ttl

    def _keep(self, name: str, value: str, ttl: float) -> None:
        self._forget()
        end = self._now() + ttl
        self._kept[name] = (value, end)
        heapq.heappush(self._ends, (end, name))

    def _find(self, name: str) -> str | None:
        self._forget()
        return self._kept[name][0] if name in self._kept else None

    def _take(self, name: str) -> str | None:
        value = self._find(name)
        self._kept.pop(name, None)
        return value

    def _forget(self) -> None:
        now = self._now()
        while self._ends and self._ends[0][0] <= now:
            _, name = heapq.heappop(self._ends)
            if name in self._kept and self._kept[name][1] <= now:  # it may have been kept anew, for longer
                del self._kept[name]
