"""What the switchboard expects of the senses. A vendor fits when its adapter has these methods; nobody inherits.

Every sense is given a `Report` when it is hired and calls it with events; a report never waits. Whatever a sense
waits for, it waits for inside `run` or `think`, which belong to the call's task group and end by cancellation.
A cancelled sense returns within a moment: slow goodbyes to vendors are handed to the exchange's `later`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from app.audio import Clip
from app.call.actions import Speak, Think, UseTools
from app.call.agent import Agent
from app.call.events import Event

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]
"""Takes work that must not hold up a call: it is finished by the process, within its own time limit."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What the carrier told us of a call when it rang."""

    sid: str
    direction: str  # inbound or outbound
    number: str  # ours
    party: str  # theirs
    campaign: str = ""  # which one rings, if one does


class Line(Protocol):
    """The telephone line of one call, towards the caller. Sending gives up after a few seconds with CallerError."""

    async def play(self, clip: Clip, mark: int) -> None: ...
    async def clear(self) -> None: ...
    async def close(self) -> None: ...


class Ears(Protocol):
    """Hearing. `hear` takes 20 ms frames of mu-law and never waits: hearing must not stop, or there is no barge-in."""

    def hear(self, frame: bytes) -> None: ...
    def settle(self) -> None: ...
    async def run(self) -> None: ...


class Mind(Protocol):
    """Thinking. `think` lives as long as one answer; cancelling it cancels the request, and meters it all the same."""

    async def warm(self) -> None: ...
    async def think(self, ask: Think) -> None: ...


class Mouth(Protocol):
    """Speaking. `speak` and `stop` never wait; the sound comes as `Voiced`."""

    def speak(self, order: Speak) -> None: ...
    def stop(self, question: int) -> None: ...
    async def run(self) -> None: ...


class Tools(Protocol):
    """Doing. Reports exactly one `ToolsAnswered`, whatever happens; never raises."""

    async def use(self, ask: UseTools) -> None: ...


@dataclass(frozen=True, slots=True)
class Senses:
    """Everything one call needs of the world, hired for that call."""

    ears: Ears
    mind: Mind
    mouth: Mouth
    tools: Tools


Hire = Callable[[Agent, CallFacts, Report, Later], Senses]
