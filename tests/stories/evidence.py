"""What a call leaves behind, however it was played: what the caller heard, what the mind was asked, and the trace.

`expect_honesty` is what every call promises, whatever its story; `Evidence` answers what a story itself asks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

from app.call.account import Account
from app.call.actions import HangUp, StopThinking, Think, Transfer, UseTools, Write
from app.call.events import ThoughtEnded, ThoughtFailed, ToolsAnswered
from app.call.patience import plain
from app.money.usage import Line
from app.switchboard import trace
from app.switchboard.books import Bookings, bookings
from app.switchboard.trace import Recorded
from ops.lab.caller import Caller

T = TypeVar("T")


@dataclass
class Evidence:
    """One call that is over. `traces` has one for each of its streams, `requests` all bodies that the mind was sent."""

    caller: Caller
    requests: Sequence[Mapping[str, Any]]
    traces: Sequence[Recorded]
    dialled: Sequence[str]
    failed: str = ""  # why the call did not go well, in the telephone company's eyes
    slack: float = 0.0  # seconds that a busy machine may add to any time
    _account: Account = field(default_factory=Account)

    def __post_init__(self) -> None:
        for recorded in self.traces:
            for entry in recorded.entries:
                if entry.thing is not None:
                    self._account.add(entry.moment, entry.thing, entry.waited)

    @property
    def account(self) -> Account:
        return self._account

    @property
    def heard(self) -> str:
        """All whole words of the agent's, as they reached the caller's ear."""
        return " ".join(word.text for word in self.caller.ear.words)

    @property
    def turns(self) -> list[str]:
        """What the caller was taken to have said, turn by turn, as it sounds."""
        return [plain(turn.asked) for turn in self.account.turns]

    @property
    def ending(self) -> tuple[str, str]:
        """Why the call ended, and on whose account."""
        end = self.traces[-1].end
        assert end is not None, "the last stream left no end in its trace"
        return end[1], end[2]

    def of(self, kind: type[T]) -> list[T]:
        """Everything of this kind that happened or was done, in order."""
        return [thing for _, thing in self.timed(kind)]

    def timed(self, kind: type[T]) -> list[tuple[float, T]]:
        return [
            (entry.moment, entry.thing)
            for recorded in self.traces
            for entry in recorded.entries
            if isinstance(entry.thing, kind)
        ]

    def asked(self) -> list[list[str]]:
        """The texts of each request to the mind, each text with its role."""
        return [texts(body) for body in self.requests]

    @cached_property
    def bookings(self) -> Bookings:
        """The call as it goes into the ledger."""
        return bookings(self.traces)

    def billed(self, vendor: str, unit: str) -> Decimal:
        """What this vendor will bill, in units whose names end so."""
        return sum((line.quantity for line in self._lines(vendor, unit)), Decimal())

    def guessed(self, vendor: str, unit: str) -> Decimal:
        """What of it is estimated, because the vendor never said it."""
        return sum((line.quantity for line in self._lines(vendor, unit) if line.estimated), Decimal())

    def _lines(self, vendor: str, unit: str) -> list[Line]:
        return [line for line in self.bookings.lines if line.vendor == vendor and line.unit.endswith(unit)]


def texts(body: Mapping[str, Any]) -> list[str]:
    """The texts of one request. What tools answered stands there too, as `tool: …`."""
    found = []
    for message in body["messages"]:
        for block in message["content"]:
            if block["type"] == "text":
                found.append(f"{message['role']}: {block['text']}")
            elif block["type"] == "tool_result":
                found.append(f"tool: {block['content']}")
    return found


# --- what every call promises ---------------------------------------------------------------------------------------


def expect_honesty(told: Evidence) -> None:
    """Raises AssertionError where a call broke a promise that no story needs to mention."""
    expect_the_same_again(told)
    expect_each_word_once(told)
    expect_requests_to_be_well_formed(told)
    expect_every_question_to_be_settled(told)
    expect_a_complete_account(told)


def expect_the_same_again(told: Evidence) -> None:
    """The core, given the trace, does what it did."""
    for recorded in told.traces:
        assert trace.replay(recorded) == []


def expect_each_word_once(told: Evidence) -> None:
    """What the platform believes that the caller heard is what the ear heard: no word lost, none twice."""
    believed = sorted((line for line in told.account.lines if line.who == "agent"), key=lambda line: line.started)
    assert told.heard.split() == [word for line in believed for word in line.heard.split()]


def expect_requests_to_be_well_formed(told: Evidence) -> None:
    """The user first and last, roles in turn, and of the agent's words only those that were heard."""
    for body in told.requests:
        roles = [message["role"] for message in body["messages"]]
        assert roles == [("user", "assistant")[place % 2] for place in range(len(roles))]
        assert roles[-1] == "user"
        if body["messages"][-1]["content"][0]["type"] == "tool_result":
            continue  # an answer that goes on knows what it has just written, heard or not
        place = 0
        for text in texts(body):
            role, _, words = text.partition(": ")
            if role == "assistant":
                words = words.removesuffix("…")
                assert words in told.heard[place:], f"the mind was told {words!r}, and the caller never heard it"
                place = told.heard.index(words, place) + len(words)


def expect_every_question_to_be_settled(told: Evidence) -> None:
    """Every request is answered, failed, given up, or open when the call ends; every tool answers."""
    for recorded in told.traces:
        things = [entry.thing for entry in recorded.entries]
        asked = {thing.question for thing in things if isinstance(thing, Think)}
        settled = {thing.question for thing in things if isinstance(thing, ThoughtEnded | ThoughtFailed | StopThinking)}
        assert asked <= settled, f"nobody knows what became of the requests {sorted(asked - settled)}"
        used = [thing.question for thing in things if isinstance(thing, UseTools)]
        answered = [thing.question for thing in things if isinstance(thing, ToolsAnswered)]
        assert used == answered


def expect_a_complete_account(told: Evidence) -> None:
    """Whatever a vendor did is in the account, and so is every turn that was answered."""
    for vendor, unit in (("deepgram", "second"), ("twilio", "stream_minute"), ("twilio", "inbound_minute")):
        assert told.billed(vendor, unit) > 0, f"no {unit} of {vendor} is in the account"
    # Who only heard phrases that were rendered ahead has no characters to pay for.
    if told.of(ThoughtEnded):
        assert told.billed("elevenlabs", "character") > 0
        assert told.billed("anthropic", "output_token") > 0
        assert told.billed("anthropic", "token") > told.billed("anthropic", "output_token")
    assert told.bookings.call.greeting_seconds is not None
    assert (told.bookings.call.duration_seconds or 0.0) > 0
    assert (told.bookings.call.end_reason, told.bookings.call.end_fault) == told.ending
    spoken = [turn.heard for turn in told.bookings.turns if turn.who == "agent"]
    assert " ".join(heard for heard in spoken if heard) == told.heard
    for turn in told.account.turns:
        assert turn.turn_end >= turn.heard_end


# --- looking at the order of things -----------------------------------------------------------------------------------


def first(told: Evidence, kind: type[T], which: Callable[[T], bool] = lambda thing: True) -> tuple[float, T]:
    """The first thing of this kind, with its moment."""
    found = next(((moment, thing) for moment, thing in told.timed(kind) if which(thing)), None)
    assert found is not None, f"there was no such {kind.__name__}"
    return found


def partings(told: Evidence) -> Iterator[HangUp | Transfer]:
    yield from told.of(HangUp)
    yield from told.of(Transfer)


def interrupted(told: Evidence) -> list[Write]:
    return [line for line in told.account.lines if line.interrupted]
