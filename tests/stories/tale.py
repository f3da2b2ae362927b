"""A tale: a story of the lab's caller, the agent that it is told to, and what must have come of it.

Written once, as data, and played twice: in virtual time on `stage.py`, and over real sockets.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.call.agent import Agent
from ops.lab.profile import Fault
from ops.lab.story import Step, Story
from tests.stories.evidence import Evidence, expect_honesty

CLINIC = Agent(
    "reception",
    "Hello, this is the clinic. How can I help?",
    "You answer the phone of a small clinic.",
    transfers={"desk": "+15005550009"},
)
SAID_GOODBYE = ("agent said goodbye", "agent")
CALLER_HUNG_UP = ("caller hung up", "caller")


def _nothing_more(told: Evidence) -> None:
    """Most tales are judged by their data alone."""


@dataclass(frozen=True)
class Tale:
    """`heard`: patterns that follow each other in what the caller heard; `turns`: what the caller was taken to say.

    `asked`: texts that stand one behind the other in some request to the mind; `breaks`: so many seconds after it has
    begun the first stream breaks; `check`: what cannot be said as data.
    """

    name: str
    steps: tuple[Step, ...]
    agent: Agent = CLINIC
    rules: tuple[Mapping[str, Any], ...] = ()
    tool_seconds: float = 0.5
    breaks: float | None = None
    misheard: tuple[str, str] = (
        "",
        "",
    )  # a word, and what the ears take it for until the turn is over; on the stage only
    mind_faults: tuple[Fault | None, ...] = ()  # on the stage only: over sockets nobody can aim at one call
    heard: tuple[str, ...] = ()
    turns: tuple[str, ...] | None = None
    asked: tuple[str, ...] = ()
    dialled: tuple[str, ...] = ()
    ends: tuple[str, str] = CALLER_HUNG_UP
    check: Callable[[Evidence], None] = _nothing_more

    @property
    def story(self) -> Story:
        return Story(self.name, self.steps)

    def agent_with(self, **changes: Any) -> Agent:
        return replace(self.agent, **changes)

    def expect(self, told: Evidence) -> None:
        """Raises AssertionError unless the call went as the tale says."""
        assert (told.caller.failed, told.failed) == ("", "")
        place = 0
        for pattern in self.heard:
            found = re.search(pattern, told.heard[place:])
            assert found, f"the caller did not hear {pattern!r} in {told.heard[place:]!r}"
            place += found.end()
        if self.turns is not None:
            assert told.turns == list(self.turns)
        if self.asked:
            assert any(_in_a_row(self.asked, texts) for texts in told.asked()), told.asked()
        assert list(told.dialled) == list(self.dialled)
        assert told.ending == self.ends
        self.check(told)
        expect_honesty(told)


def _in_a_row(patterns: tuple[str, ...], texts: list[str]) -> bool:
    return any(
        all(re.fullmatch(pattern, text) for pattern, text in zip(patterns, texts[start:], strict=False))
        for start in range(len(texts) - len(patterns) + 1)
    )
