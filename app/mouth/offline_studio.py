"""The thread that espeak-ng speaks on: it has one voice at a time, so all calls of the process share it.

Each call has a queue of its own, and the calls take turns, text by text: one with much to say makes nobody wait for
longer than one text takes: 10 ms for a sentence. While the library works, the event loop does not wait.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from app.errors import VendorError
from app.mouth.offline_espeak import VENDOR, espeak
from app.mouth.offline_recital import Place, Recital
from app.mouth.ways import Sound

WORDS_PER_MINUTE = 160
WAITING = 200  # texts of one call: an answer has some ten of them


@dataclass(slots=True, eq=False)
class Order:
    """A text to be said. `deliver` is called in the loop: with sound, then with None at the end, or with an error."""

    caller: object
    text: str
    voice: str
    pause: float
    deliver: Callable[[Sound | VendorError | None], None]
    cancelled: bool = False


class Studio(Protocol):
    """Whoever says what is ordered. `take` never waits."""

    def take(self, order: Order) -> None: ...


class ThreadStudio:
    """Its thread lives from the first order to `close`."""

    def __init__(self) -> None:
        self._queues: OrderedDict[object, deque[Order]] = OrderedDict()
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def take(self, order: Order) -> None:
        self._loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="espeak", daemon=True)
            self._thread.start()
        with self._changed:
            queue = self._queues.setdefault(order.caller, deque())
            full = len(queue) >= WAITING
            if not full:
                queue.append(order)
                self._changed.notify()
        if full:
            order.deliver(VendorError(VENDOR, f"{WAITING} texts of this call are waiting to be said"))

    async def close(self) -> None:
        """Stops in the middle of a word."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    # --- on the thread --------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (order := self._next()) is not None:
            if not order.cancelled:
                recite(order, partial(self._hand_over, order), lambda: self._closed)

    def _next(self) -> Order | None:
        """The first text of the call whose turn it is; None when the studio is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queues or self._closed)
            if self._closed:
                return None
            caller, queue = self._queues.popitem(last=False)
            order = queue.popleft()
            if queue:
                self._queues[caller] = queue  # behind all others
            return order

    def _hand_over(self, order: Order, told: Sound | VendorError | None) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(order.deliver, told)


def recite(
    order: Order, give: Callable[[Sound | VendorError | None], None], closed: Callable[[], bool] = lambda: False
) -> None:
    """Say one text, here and now, until it is over, cancelled or failed."""
    try:
        voice = espeak()
        recital = Recital(order.text, voice.rate, give, pause=order.pause)

        def take(linear: bytes, places: list[Place]) -> bool:
            if order.cancelled or closed():
                return False
            recital.add(linear, places)
            return True

        voice.say(order.text, order.voice, WORDS_PER_MINUTE, take)
    except VendorError as error:
        give(error)
        return
    if not order.cancelled and not closed():
        recital.end()
        give(None)
