"""An event loop whose clock jumps: when everybody waits, it is at once the next moment at which somebody need not.

A conversation of a minute takes some milliseconds, always goes the same way, and never sleeps. Threads and sockets
have no place in it. When nobody will ever be woken, that is a deadlock and says so.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


# Real seconds that a thread of somebody else's may take, such as a loop's own executor when it is shut down.
_THREADS = 2.0


class DeadlockError(AssertionError):
    """Everybody waits and no clock will wake anybody."""


class _Jump(selectors.DefaultSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None:
            self._jump(timeout)
            return []
        if ready := super().select(_THREADS):
            return ready
        raise DeadlockError("everybody waits, and nothing will ever happen again")


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._moment = 0.0
        super().__init__(_Jump(self._pass))
        self._clock_resolution = 1e-9

    def _pass(self, seconds: float) -> None:
        self._moment += max(0.0, seconds)

    def time(self) -> float:
        return self._moment

    async def shutdown_default_executor(self, *_: float | None) -> None:
        """Without the timeout, which would be over at once: threads do not keep to this clock."""
        await super().shutdown_default_executor()

    def hold_up(self, seconds: float) -> None:
        """Let time pass in which the loop can do nothing else."""
        self._pass(seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
