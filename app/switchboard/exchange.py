"""All calls of this process: who may ring, which stream belongs to whom, what follows a stream, and the way out.

A call whose process died is taken up here by whichever process the carrier asks: its memory lies in the live store.
"""

import asyncio
import json
import logging
import math
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.call.actions import HangUp, Message, Transfer
from app.call.agent import Agent
from app.call.events import HangUpAsked
from app.call.masking import masked_data
from app.call.outcome import LINE_BROKE
from app.errors import VendorError
from app.money.limits import Verdict
from app.switchboard.conversation import Conversation
from app.switchboard.ports import CallFacts, Hire
from app.switchboard.pulse import Pulse
from app.switchboard.trace import Trace, messages_from, plain, restored

T = TypeVar("T")

log = logging.getLogger(__name__)

TOKEN_SECONDS = 60.0  # from the webhook to the stream; the carrier takes one
_MEMORY_SECONDS = 3600.0  # a conversation that nobody took up for an hour is over
_LATER_SECONDS = 45.0  # no goodbye to a vendor may last longer
_MOST_RESUMES = 3  # a line that breaks again and again is not mended by a fourth try
_PARTING_SECONDS = 2.0  # after a stream the carrier asks what is next, and tells how the call ended
_SETTLE_SECONDS = 1.0  # how long the carrier's question waits for a stream that is just ending

BUSY = "All our lines are busy at the moment. Please call again in a few minutes. Goodbye."
NOT_IN_SERVICE = "This number is not in service. Goodbye."
TROUBLE = "We are sorry, we have a technical problem at the moment. Please call again later. Goodbye."


class Directory(Protocol):
    """Who answers which number."""

    async def answering(self, number: str) -> tuple[Agent, int] | None: ...
    async def version_of(self, name: str, version: int) -> Agent | None: ...


class Live(Protocol):
    """What lives as long as a call and must outlive its process. Fails with VendorError, and soon."""

    async def remember(self, call_sid: str, messages_json: str, ttl: float) -> None: ...
    async def recall(self, call_sid: str) -> str | None: ...
    async def put_token(self, token: str, value: str, ttl: float) -> None: ...
    async def take_token(self, token: str) -> str | None: ...
    async def set_next(self, call_sid: str, value: str, ttl: float) -> None: ...
    async def take_next(self, call_sid: str) -> str | None: ...


class Gate(Protocol):
    """Caps and budgets. Answers within half a second, whatever happens, and never fails."""

    async def ask(self, facts: CallFacts, agent: Agent) -> Verdict: ...
    def attend(self, conversation: Conversation) -> None: ...
    async def hold(self, conversation: Conversation) -> None: ...
    async def leave(self, conversation: Conversation) -> None: ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may come: its stream shows this token."""

    token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The call may not come; `words` are what the caller is told, `reason` what the operator is."""

    reason: str
    words: str


@dataclass(frozen=True, slots=True)
class _About:
    """A call as any process can take it up: who answers whom, and what was said so far."""

    facts: CallFacts
    agent: Agent
    version: int
    memory: tuple[Message, ...] = ()
    resumes: int = 0

    def told(self, memory: tuple[Message, ...]) -> str:
        about = {"facts": plain(self.facts), "agent": self.agent.name, "version": self.version}
        return json.dumps({**about, "resumes": self.resumes, "memory": masked_data(plain(memory))})


@dataclass(slots=True)
class _Seat:
    """A conversation of this process, from its ring to its end."""

    conversation: Conversation
    token: str
    ended: asyncio.Event
    taken: bool = False  # a stream has shown its token


class Exchange:
    def __init__(
        self,
        directory: Directory,
        hire: Hire,
        live: Live,
        open_trace: Callable[[str], Trace],
        *,
        most_calls: int,
        alone: bool = True,
    ) -> None:
        """`alone`: the stream of a call comes to the process that answered its webhook. Where it may come to another
        one, a conversation begins with its stream, and what the two need to know of it lies in the live store.
        """
        self._directory = directory
        self._hire = hire
        self._live = live
        self._open_trace = open_trace
        self._most_calls = most_calls
        self._alone = alone
        self.pulse = Pulse()
        self.gate: Gate | None = None  # asked before a call gets a seat
        self._seats: dict[str, _Seat] = {}  # by the carrier's name of the call
        self._next: dict[str, str] = {}  # what follows a stream, should the live store be away
        self._tasks: asyncio.TaskGroup | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._emptied = -math.inf  # when the last call ended, by the loop's clock
        self.ready = asyncio.Event()
        self.draining = False
        self.ended: Callable[[], None] = lambda: None  # is told of every call that has ended

    @property
    def conversations(self) -> list[Conversation]:
        return [seat.conversation for seat in self._seats.values()]

    @property
    def closed_because(self) -> str | None:
        """Why no new call is let in now; None: the next one is welcome."""
        if self.draining or not self.ready.is_set():
            return "this process is being stopped"
        if len(self._seats) >= self._most_calls:
            return f"{self._most_calls} calls are going on, which is all that MAX_CALLS allows"
        if self._seats and self.pulse.is_late:  # where there is no call none can be spoilt
            return f"the event loop is {self.pulse.lag * 1000:.0f} ms late: one more call would spoil all of them"
        return None

    def is_going_on(self, sid: str) -> bool:
        return sid in self._seats

    async def run(self) -> None:
        """Owns every task of every call until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            beating = tasks.create_task(self.pulse.run())
            self.ready.set()
            await self._stop.wait()
            self.ready.clear()
            beating.cancel()
            for task in list(self._errands):
                task.cancel()

    def stop(self) -> None:
        self._stop.set()

    async def drain(self, seconds: float) -> None:
        """Let no new call in; let those that are here end in their own time, and end the rest when it is up.

        Who has asked us to transfer a call must still be here when the carrier asks to whom.
        """
        self.draining = True
        if not await _within(seconds, self._empty.wait()):
            for conversation in self.conversations:
                conversation.report(HangUpAsked("shutdown"))
            await _within(_SETTLE_SECONDS * 5, self._empty.wait())
        await asyncio.sleep(self._emptied + _PARTING_SECONDS - asyncio.get_running_loop().time())

    # --- a call comes ------------------------------------------------------------------------------------------------

    async def ring(self, facts: CallFacts) -> Admitted | Refused:
        """The carrier asks what to do with a call. Asked twice, the answer is the same."""
        if (seat := self._seats.get(facts.sid)) is not None:
            return Admitted(seat.token)
        if (reason := self.closed_because) is not None:
            return Refused(reason, BUSY)
        found = await self._directory.answering(facts.number)
        if found is None:
            return Refused(f"no agent answers {facts.number}", NOT_IN_SERVICE)
        agent, version = found
        if (refused := await self._forbidden(facts, agent)) is not None:
            return refused
        return Admitted(await self._token(_About(facts, agent, version)))

    async def _forbidden(self, facts: CallFacts, agent: Agent) -> Refused | None:
        """What caps and budgets say. When they cannot be asked, somebody who rings is let in, and nobody is rung."""
        if self.gate is None:
            return None
        found = await self.gate.ask(facts, agent)
        if found.against is not None:
            return Refused(found.against.told(), found.words)
        if found.uncounted and facts.direction == "outbound":
            return Refused("this outbound call could not be counted", TROUBLE)
        return None

    async def connect(self, token: str) -> Conversation | None:
        """The stream with this token is here. A token opens one stream, once."""
        value = await self._or_none(self._live.take_token(token))
        seat = next((seat for seat in self._seats.values() if seat.token == token), None)
        if seat is not None:
            if seat.taken:
                return None
            seat.taken = True
            return seat.conversation
        about = None if value is None else await self._known(json.loads(value))
        if about is None or about.facts.sid in self._seats:
            return None
        seat = self._seat(about, token)
        seat.taken = True
        return seat.conversation

    async def follow(self, sid: str) -> HangUp | Transfer | Admitted:
        """A stream has ended, and the carrier asks what is next: the core's wish, or the call's second life."""
        if (seat := self._seats.get(sid)) is not None:
            await _within(_SETTLE_SECONDS, seat.ended.wait())
        wish = await self._or_none(self._live.take_next(sid)) or self._next.pop(sid, None)
        self._next.pop(sid, None)
        if wish is not None:
            told = json.loads(wish)
            following: HangUp | Transfer = restored(HangUp | Transfer, told)
            return following
        remembered = await self._or_none(self._live.recall(sid))
        if remembered is None or self.draining or sid in self._seats:
            return HangUp("nothing is known of this call", "platform")
        return await self._resume(json.loads(remembered))

    # --- within ------------------------------------------------------------------------------------------------------

    async def _resume(self, told: dict[str, Any]) -> HangUp | Admitted:
        about = await self._known({**told, "resumes": told["resumes"] + 1})
        if about is None or about.resumes > _MOST_RESUMES:
            return HangUp("the line broke too often", "carrier")
        log.info("call %s goes on after its stream broke (%s)", about.facts.sid, about.resumes)
        return Admitted(await self._token(about))

    async def _known(self, told: dict[str, Any]) -> _About | None:
        """What another process, or this one before, wrote down of a call."""
        agent = await self._directory.version_of(told["agent"], told["version"])
        if agent is None:
            return None
        facts = restored(CallFacts, told["facts"])
        return _About(facts, agent, told["version"], messages_from(told["memory"]), told["resumes"])

    async def _token(self, about: _About) -> str:
        """The key to a call's one stream. Alone, its senses connect while the carrier reads our answer."""
        token = secrets.token_urlsafe(24)
        if self._alone:
            self._seat(about, token)
        await self._or_none(self._live.put_token(token, about.told(about.memory), TOKEN_SECONDS))
        return token

    def _seat(self, about: _About, token: str) -> _Seat:
        """A conversation begins."""
        sid = about.facts.sid

        async def keep(messages: tuple[Message, ...]) -> None:
            await self._or_none(self._live.remember(sid, about.told(messages), _MEMORY_SECONDS))

        async def follow_up(wish: HangUp | Transfer) -> None:
            self._next[sid] = json.dumps(plain(wish))
            await self._or_none(self._live.set_next(sid, self._next[sid], _MEMORY_SECONDS))

        conversation = Conversation(
            about.facts,
            about.agent,
            about.version,
            self._hire,
            self.later,
            self._open_trace(sid),
            keep=keep,
            follow_up=follow_up,
            memory=about.memory,
        )
        if self.gate is not None:
            self.gate.attend(conversation)
            self.later(self.gate.hold(conversation))
        self._seats[sid] = seat = _Seat(conversation, token, asyncio.Event())
        self._empty.clear()
        self._start(self._hold(seat))
        return seat

    async def _hold(self, seat: _Seat) -> None:
        sid = seat.conversation.facts.sid
        try:
            outcome = await seat.conversation.run()
            log.info("call %s ended: %s (%s)", sid, outcome.reason, outcome.fault)
            if self.gate is not None and outcome != LINE_BROKE:  # whose line broke is expected back
                self.later(self.gate.leave(seat.conversation))
        finally:
            seat.ended.set()
            del self._seats[sid]
            self.ended()
            if not self._seats:
                self._empty.set()
                self._emptied = asyncio.get_running_loop().time()

    def later(self, work: Awaitable[None]) -> None:
        """Work that no call waits for: it is done within a bounded time, or given up."""
        self._start(_bounded(work))

    def _start(self, work: Awaitable[None]) -> None:
        assert self._tasks is not None, "the exchange is not running"
        walled = _walled(work)
        try:
            task = self._tasks.create_task(walled)
        except RuntimeError:  # the process is going down: nobody will wait for a goodbye
            walled.close()
            return
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _or_none(self, ask: Awaitable[T]) -> T | None:
        """The live store may be away; a call goes on without it."""
        try:
            return await ask
        except VendorError as error:
            log.warning("%s", error)
            return None


async def _walled(work: Awaitable[None]) -> None:
    """A fault in one call, or in one errand, is written down and ends there: the other calls go on."""
    try:
        await work
    except Exception:
        log.exception("an errand of the exchange broke")


async def _bounded(work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(_LATER_SECONDS):
            await work
    except (TimeoutError, OSError, VendorError) as error:
        log.debug("given up: %r", error)


async def _within(seconds: float, wait: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await wait
        return True
    except TimeoutError:
        return False
