"""How late this process is: the lag of its event loop, which is felt in every call before anything else is.

A processor that is half idle can still be late; a loop that is late is full. New calls are let in by this figure.
"""

import asyncio
from collections import deque

BEAT = 0.05
WINDOW = 100  # beats: five seconds, so that one slow moment refuses nobody
# A caller waits 800 ms for an answer and does not feel 50 of them; who is told that all lines are busy feels that.
TOO_LATE = 0.05


class Pulse:
    """Run beside the calls; `lag` is the 95th percentile of the last seconds, `too_late` the most that is borne."""

    def __init__(self, too_late: float = TOO_LATE) -> None:
        self._too_late = too_late
        self._late: deque[float] = deque(maxlen=WINDOW)

    @property
    def lag(self) -> float:
        if len(self._late) < WINDOW // 5:
            return 0.0
        return sorted(self._late)[int(0.95 * (len(self._late) - 1))]

    @property
    def is_late(self) -> bool:
        return self.lag > self._too_late

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self._late.append(max(0.0, loop.time() - due))
