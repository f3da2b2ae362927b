"""One call: its inbox, its deadline, its senses, and the actions carried out. It decides nothing.

It begins when the telephone rings, so that ears and mouth are connected and the mind is warm when the stream comes.
Every task of the call lives in its one task group; when the core says that the call is over, they all end.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from app.call.actions import (
    Action,
    Clear,
    Commit,
    HangUp,
    Message,
    Play,
    Remember,
    SettleWords,
    Speak,
    StopSpeaking,
    StopThinking,
    Think,
    Transfer,
    UseTools,
    Write,
)
from app.call.agent import Agent
from app.call.call import Call
from app.call.events import Event, LineClosed, LineOpened, Troubled
from app.call.outcome import Outcome
from app.errors import CallerError
from app.switchboard.ports import CallFacts, Hire, Later, Line
from app.switchboard.trace import Head, Trace, end_line, head_line, line, tick_line

log = logging.getLogger(__name__)

# Some 25 events a second are normal; a thousand waiting means that the call has not been served for half a minute.
_INBOX = 1000

Watch = Callable[[float, Event | Action], None]
FollowUp = Callable[[HangUp | Transfer], Awaitable[None]]
Keep = Callable[[tuple[Message, ...]], Awaitable[None]]


class Conversation:
    def __init__(
        self,
        facts: CallFacts,
        agent: Agent,
        version: int,
        hire: Hire,
        later: Later,
        trace: Trace,
        *,
        keep: Keep,
        follow_up: FollowUp,
        memory: tuple[Message, ...] = (),
    ) -> None:
        """`keep` saves the memory for another process; `follow_up` tells the carrier what comes after the stream."""
        self.facts = facts
        self.agent = agent
        self._loop = asyncio.get_running_loop()
        self._trace = trace
        self._keep = keep
        self._follow_up = follow_up
        self._inbox: asyncio.Queue[tuple[float, Event]] = asyncio.Queue(_INBOX)
        self._watchers: list[Watch] = []
        self._line: Line | None = None
        self._opened: float | None = None
        self._thinking: dict[int, asyncio.Task[None]] = {}
        self._to_keep: asyncio.Queue[tuple[Message, ...]] = asyncio.Queue(1)
        self._over = False
        now = self._now()
        self._call = Call(agent, now, memory)
        self._senses = hire(agent, facts, self.report, later)
        self.hear = self._senses.ears.hear
        trace.write(head_line(Head(now, datetime.now(UTC).isoformat(), facts, agent, version, memory)))

    # --- from outside ------------------------------------------------------------------------------------------------

    @property
    def outcome(self) -> Outcome | None:
        return self._call.outcome

    def watch(self, watcher: Watch) -> None:
        """Be told of everything that happens and is done from now on."""
        self._watchers.append(watcher)

    def attach(self, telephone: Line) -> None:
        """The media stream is here. One call has one stream: the second one is refused by its token."""
        assert self._line is None, "a call has one line"
        self._line = telephone
        self._opened = self._now()
        self.report(LineOpened())

    def report(self, event: Event) -> None:
        """Something happened. Never waits; after the end only the account is interested."""
        if self._over:
            self._note(self._now(), event)
            return
        try:
            self._inbox.put_nowait((self._loop.time(), event))
        except asyncio.QueueFull:
            log.error("call %s is not being served; %s is lost", self.facts.sid, type(event).__name__)

    async def run(self) -> Outcome:
        """The whole call. Returns how it ended, whatever happened."""
        try:
            async with asyncio.TaskGroup() as tasks:
                around = [
                    tasks.create_task(self._senses.ears.run()),
                    tasks.create_task(self._senses.mouth.run()),
                    tasks.create_task(self._senses.mind.warm()),
                    tasks.create_task(self._keep_memory()),
                ]
                try:
                    await self._converse(tasks)
                finally:
                    self._over = True
                    for task in (*around, *self._thinking.values()):
                        task.cancel()
        except* Exception as failed:
            log.exception("call %s broke", self.facts.sid, exc_info=failed)
            self._note(self._now(), Troubled("switchboard", repr(failed.exceptions[0])))
            await self._apologise()
        finally:
            self._over = True
            self._conclude()
        return self._call.outcome or Outcome("an error of ours", "platform")

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def _converse(self, tasks: asyncio.TaskGroup) -> None:
        call = self._call
        while not call.over:
            reported = await self._next_event()
            now = self._now()
            if call.deadline() <= now:
                lines = [tick_line(now)]
                await self._carry_out(call.tick(now), now, tasks, lines)
            if reported is not None:
                at, event = reported
                lines = [line(now, event, now - at)]
                for watcher in self._watchers:
                    watcher(now, event)
                await self._carry_out(call.receive(event, now), now, tasks, lines)
        if not self._to_keep.empty():  # another process may be about to go on from here
            await self._keep(self._to_keep.get_nowait())
        if self._line is not None:
            await self._close(self._line)

    async def _next_event(self) -> tuple[float, Event] | None:
        """The next event and when it was reported, or None when the deadline has come."""
        if not self._inbox.empty():
            return self._inbox.get_nowait()
        try:
            # Not before: a moment is cut to four decimals, and a deadline that has not quite come would come for ever.
            # The small number is for sums like 0.1 + 0.2, which are a hair above the moment that they mean.
            async with asyncio.timeout_at(math.ceil(self._call.deadline() * 1e4 + 1e-6) / 1e4):
                return await self._inbox.get()
        except TimeoutError:
            return None

    async def _carry_out(self, actions: list[Action], now: float, tasks: asyncio.TaskGroup, lines: list[str]) -> None:
        """Do what the core asks for, and write it down first: the trace is what survives us."""
        lines.extend(line(now, action) for action in actions)
        self._trace.write("".join(lines))
        for action in actions:
            await self._do(action, tasks)
            for watcher in self._watchers:
                watcher(now, action)

    async def _do(self, action: Action, tasks: asyncio.TaskGroup) -> None:
        match action:
            case Play(clip=clip, mark=mark):
                await self._on_line(lambda telephone: telephone.play(clip, mark))
            case Clear():
                await self._on_line(lambda telephone: telephone.clear())
            case Speak():
                self._senses.mouth.speak(action)
            case StopSpeaking(question=question):
                self._senses.mouth.stop(question)
            case Think(question=question):
                task = tasks.create_task(self._senses.mind.think(action))
                self._thinking[question] = task
                task.add_done_callback(lambda _: self._thinking.pop(question, None))
            case StopThinking(question=question):
                if (thinking := self._thinking.get(question)) is not None:
                    thinking.cancel()
            case UseTools():  # never cancelled: half a booking is worse than a task that outlives the talk by seconds
                tasks.create_task(self._senses.tools.use(action))
            case SettleWords():
                self._senses.ears.settle()
            case Remember(messages=messages):
                if self._to_keep.full():
                    self._to_keep.get_nowait()  # only the newest memory counts
                self._to_keep.put_nowait(messages)
            case HangUp() | Transfer():
                await self._follow_up(action)
            case Commit() | Write():
                pass  # for those who watch, and for the account

    async def _on_line(self, use: Callable[[Line], Awaitable[None]]) -> None:
        if self._line is None:
            return
        try:
            await use(self._line)
        except CallerError as error:
            self.report(Troubled("line", str(error)))
            self.report(LineClosed("carrier"))

    async def _keep_memory(self) -> None:
        while True:
            await self._keep(await self._to_keep.get())

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _apologise(self) -> None:
        """Our own code failed: the carrier is told to say so, and the line is let go."""
        await self._follow_up(HangUp("an error of ours", "platform"))
        if self._line is not None:
            await self._close(self._line)

    async def _close(self, telephone: Line) -> None:
        try:
            await telephone.close()
        except CallerError as error:
            self._note(self._now(), Troubled("line", str(error)))

    def _conclude(self) -> None:
        """Nothing that was reported is lost: what came too late for the core still belongs to the account."""
        now = self._now()
        while not self._inbox.empty():
            self._note(now, self._inbox.get_nowait()[1])
        outcome = self._call.outcome or Outcome("an error of ours", "platform")
        self._trace.write(end_line(now, outcome.reason, outcome.fault))
        self._trace.close()

    def _note(self, moment: float, event: Event) -> None:
        """For the account only."""
        self._trace.write(line(moment, event))
        for watcher in self._watchers:
            watcher(moment, event)

    def _now(self) -> float:
        # Four decimals, as they are written into the trace: a replay sees exactly the same moments.
        return round(self._loop.time(), 4)
