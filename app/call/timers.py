"""The alarms of one call. Each has a name and at most one time; the call's deadline is the earliest of them."""

import math
from collections.abc import Iterator
from enum import Enum


class Timer(Enum):
    ANSWER = "the media stream has not come"
    DURATION = "the call is as long as it may be"
    TURN = "the caller has been quiet long enough for their turn to be over"
    AHEAD = "it is time to begin an answer, if it is to be ready when the turn is over"
    HOLD = "a sound of the caller has not become words"
    KEYS = "no more keys are coming"
    COVER = "the caller has been left in silence"
    FIRST_TOKEN = "the mind has not begun"
    FIRST_VOICE = "the mouth has not begun"
    PLAYED = "the marks of sound that must have been played have not come back"
    TOOLS = "the tools have not answered"
    QUIET = "nobody has said anything"


class Timers:
    def __init__(self) -> None:
        self._at: dict[Timer, float] = {}

    def set(self, timer: Timer, at: float) -> None:
        self._at[timer] = at

    def stop(self, *timers: Timer) -> None:
        for timer in timers:
            self._at.pop(timer, None)

    def stop_all(self) -> None:
        self._at.clear()

    def running(self, timer: Timer) -> bool:
        return timer in self._at

    def at(self, timer: Timer) -> float:
        return self._at.get(timer, math.inf)

    def deadline(self) -> float:
        return min(self._at.values(), default=math.inf)

    def due(self, now: float) -> Iterator[Timer]:
        """Each alarm that has come, earliest first. One alarm may stop or set another before its turn comes."""
        while self._at:
            timer, at = min(self._at.items(), key=lambda item: item[1])
            if at > now:
                return
            del self._at[timer]
            yield timer
