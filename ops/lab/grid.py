"""The beat of all calls: every 20 ms on an absolute grid, the calls spread over its phases, one timer for all of them.

A grid that is late makes up for it and says so: a bench has to know its own noise from that of whom it measures.
"""

import asyncio
import time
from collections.abc import Callable

from ops.lab.phone import FRAME_SECONDS

PHASES = 20  # a millisecond each: the finest that timers of event loops tell apart
PHASE_SECONDS = FRAME_SECONDS / PHASES
LATE = 0.005  # a quarter of a frame; sound that comes later than this changes what is measured

Beat = Callable[[float], None]


class Grid:
    """Calls what has joined with the moment at which its beat was due. `worst` is the latest beat, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.beats = 0
        self.late = 0
        self.worst = 0.0
        self._began = clock()
        self._phases: list[list[Beat]] = [[] for _ in range(PHASES)]
        self._slot = 0  # phases since the beginning: the next one to be seen to
        self._timer: asyncio.Handle | None = None

    def join(self, beat: Beat) -> None:
        """From its next phase on, within 20 ms, this is called every 20 ms."""
        if self._timer is None:
            self._slot = int((self.clock() - self._began) / PHASE_SECONDS) + 1
        min(self._phases, key=len).append(beat)
        self._arm()

    def leave(self, beat: Beat) -> None:
        for phase in self._phases:
            if beat in phase:
                phase.remove(beat)
        if self._timer is not None and not any(self._phases):
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if any(self._phases):
            while not self._phases[self._slot % PHASES]:
                self._slot += 1
            self._timer = asyncio.get_running_loop().call_later(max(0.0, self._due() - self.clock()), self._turn)

    def _due(self) -> float:
        return self._began + self._slot * PHASE_SECONDS

    def _turn(self) -> None:
        """Every phase that is due by now, but at most one round, so that a late grid does not keep sockets waiting."""
        for _ in range(PHASES):
            due, now = self._due(), self.clock()
            if due > now + PHASE_SECONDS / 2:
                break
            members = tuple(self._phases[self._slot % PHASES])
            self.beats += len(members)
            self.late += len(members) * (now - due > LATE)
            self.worst = max(self.worst, now - due) if members else self.worst
            self._slot += 1
            for beat in members:
                beat(due)
        self._arm()
