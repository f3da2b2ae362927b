"""The gate: asked before a call gets a seat whether caps and budgets allow it, and told of it while it lasts.

What is spent is read from the database now and then, never while somebody waits. Calls at once are places in the live
store, which all processes share: a call takes its places with one question, and its process renews them.
Whoever cannot count lets an inbound call in: a caller who is turned away for our trouble is worse than one call too
many. An outbound one does not go out.
"""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from app.call.agent import Agent
from app.call.events import AHEAD, LimitReached, Metered
from app.errors import VendorError
from app.money.limits import DEFAULTS, Cap, Use, Verdict, caps_for, occasion, verdict
from app.money.rates import RateBook
from app.money.usage import telephone_product
from app.store.alerts import raise_alert
from app.store.budgets import Spent, list_budgets, spent
from app.store.database import Database
from app.store.rate_card import load_book
from app.switchboard.exchange import TOKEN_SECONDS
from app.switchboard.ports import CallFacts

log = logging.getLogger(__name__)

ANSWER_SECONDS = 0.5
REFRESH_SECONDS = 10.0  # a call takes a minute or more: budgets are read six times within it
HOLD_SECONDS = 3 * REFRESH_SECONDS  # the places of a killed process are free so soon; of a live one, two looks may fail
_WINDOWS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0, "month": 31 * 86_400.0}
_NOBODY = frozenset({"", "anonymous", "restricted", "unavailable", "unknown", "+266696687", "+86282452253"})


class Live(Protocol):
    async def count(self, key: str, window_seconds: float) -> int: ...
    async def take_places(self, holder: str, most: Mapping[str, float], ttl: float) -> dict[str, int]: ...
    async def keep_places(self, holders: Mapping[str, Collection[str]], ttl: float) -> None: ...
    async def leave_places(self, holder: str, places: Collection[str]) -> None: ...


class Talking(Protocol):
    """A conversation, as far as the gate looks at it."""

    facts: CallFacts
    agent: Agent

    def watch(self, watcher: Callable[[float, Any], None]) -> None: ...
    def report(self, event: Any) -> None: ...


class Gate:
    """`going_on`: the conversations of this process, whose places it renews. `caps` hold until they have been read."""

    def __init__(
        self, live: Live, database: Database, *, going_on: Callable[[], Iterable[Talking]],
        today: Callable[[], datetime] = lambda: datetime.now(UTC), caps: tuple[Cap, ...] = DEFAULTS,
    ) -> None:  # fmt: skip
        self._live = live
        self._database = database
        self._going_on = going_on
        self._today = today
        self._caps = caps
        self._spent = Spent()
        self._rates = RateBook(())
        self._to_tell: dict[str, Use] = {}
        self._one_at_a_time = asyncio.Lock()  # or a place that was left would be renewed by a question on its way

    async def run(self) -> None:
        """Read what is spent, tell what must be told, and renew the places of calls, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_reading())
            tasks.create_task(self._keep_holding())  # by itself: a database that is away must not cost places

    async def _keep_holding(self) -> None:
        while True:
            await self.hold()
            await asyncio.sleep(REFRESH_SECONDS)

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self.refresh()
            except (SQLAlchemyError, OSError) as error:
                log.warning("budgets could not be read (%r); the last figures hold", error)
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        today = self._today().date()
        async with self._database.reading() as session:
            self._caps = await list_budgets(session)
            self._spent = await spent(session, today)
            self._rates = await load_book(session)
        self._end_what_must_stop()
        telling, self._to_tell = self._to_tell, {}
        try:
            async with self._database.writing() as session:
                for key, use in telling.items():
                    details = {"used": str(use.used), "cap": str(use.cap.cap), "level": use.level}
                    await raise_alert(session, key, "budget", use.told(), **details)
        except BaseException:
            self._to_tell = telling | self._to_tell
            raise

    async def ask(self, facts: CallFacts, agent: Agent) -> Verdict:
        """Within half a second: may this call come? If so it holds its places until its stream must be here."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                uses = [use async for use in self._uses(facts, agent)]
                found = verdict(uses)
                if found.against is None:  # a call that is refused takes no place
                    found = verdict([*uses, *await self._taken(facts, agent)])
        except (VendorError, TimeoutError) as error:
            log.warning("call %s could not be counted: %s", facts.sid, error)
            found = replace(verdict(self._standing(facts, agent)), uncounted=True)
        today = self._today().date()
        self._to_tell.update((occasion(use, today), use) for use in found.told)
        return found

    def attend(self, conversation: Talking) -> None:
        """From now on the conversation is told when its own caps are used up."""
        caps = {cap.measure: cap for cap in caps_for(self._caps, "call", conversation.agent.name)}
        if "usd" in caps or "minutes" in caps:
            Meter(conversation, caps, self._rates, self._today().date).begin()

    async def hold(self, *conversations: Talking) -> None:
        """Renew the places of these, or else of all that are going on here, whatever their caps say."""
        async with self._one_at_a_time:
            holders = defaultdict(list)
            for conversation in conversations or self._going_on():
                for place in self._places(conversation.facts, conversation.agent):
                    holders[place].append(conversation.facts.sid)
            if holders:
                await _or_later(self._live.keep_places(holders, HOLD_SECONDS))

    async def leave(self, conversation: Talking) -> None:
        """The call is over: its places are free."""
        async with self._one_at_a_time:
            if places := self._places(conversation.facts, conversation.agent):
                await _or_later(self._live.leave_places(conversation.facts.sid, places.keys()))

    # --- counting ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _subjects(facts: CallFacts, agent: Agent) -> list[tuple[str, str]]:
        subjects = [("account", ""), ("agent", agent.name), ("number", facts.number)]
        return [*subjects, ("campaign", facts.campaign)] if facts.campaign else subjects

    def _places(self, facts: CallFacts, agent: Agent) -> dict[str, tuple[Cap, str]]:
        """Those that this call holds while it lasts, by name: one for each of its subjects that has such a cap."""
        return {
            f"{scope}:{subject}": (cap, subject)
            for scope, subject in self._subjects(facts, agent)
            for cap in caps_for(self._caps, scope, subject)
            if cap.period == "now"
        }

    async def _taken(self, facts: CallFacts, agent: Agent) -> list[Use]:
        """Take the places of the call, all or none, and say how many calls there would be with this one."""
        places = self._places(facts, agent)
        if not places:
            return []
        most = {place: math.inf if cap.action == "warn" else float(cap.cap) for place, (cap, _) in places.items()}
        held = await self._live.take_places(facts.sid, most, TOKEN_SECONDS)
        return [Use(cap, subject, Decimal(held[place])) for place, (cap, subject) in places.items()]

    def _standing(self, facts: CallFacts, agent: Agent) -> Iterator[Use]:
        """What is known without asking anybody."""
        for scope, subject in self._subjects(facts, agent):
            for cap in caps_for(self._caps, scope, subject):
                if cap.period == "now":
                    here = sum((scope, subject) in self._subjects(it.facts, it.agent) for it in self._going_on())
                    yield Use(cap, subject, Decimal(1 + here))
                elif cap.measure != "calls":
                    yield Use(cap, subject, self._spent.of(scope, subject, cap.period, cap.measure))

    async def _uses(self, facts: CallFacts, agent: Agent) -> AsyncIterator[Use]:
        for use in self._standing(facts, agent):
            yield use
        today = self._today().date()
        for scope, subject in self._subjects(facts, agent):
            for cap in caps_for(self._caps, scope, subject):
                if cap.measure == "calls" and cap.period in ("day", "month"):
                    name = f"calls:{scope}:{subject}:{today:%Y-%m}" + (f"-{today:%d}" if cap.period == "day" else "")
                    counted = await self._live.count(name, _WINDOWS[cap.period])
                    before = self._spent.of(scope, subject, cap.period, "calls")
                    yield Use(cap, subject, max(Decimal(counted), before + 1))
        if facts.party.lower() not in _NOBODY:  # those who withhold their number are not one person
            for cap in caps_for(self._caps, "caller", facts.party):
                counted = await self._live.count(f"caller:{facts.party}:{cap.period}", _WINDOWS[cap.period])
                yield Use(cap, facts.party, Decimal(counted))

    def _end_what_must_stop(self) -> None:
        for conversation in self._going_on():
            standing = self._standing(conversation.facts, conversation.agent)
            against = verdict(use for use in standing if use.cap.period != "now").against
            if against is not None and against.cap.action == "stop":
                conversation.report(LimitReached("budget"))


async def _or_later(asking: Awaitable[None]) -> None:
    """What could not be renewed is renewed with the next look, and what could not be left ends by itself."""
    try:
        await asking
    except VendorError as error:
        log.warning("places of calls could not be told: %s", error)


class Meter:
    """The running estimate of one call, by the same rates as its account: ends it when its cap is used up."""

    def __init__(self, conversation: Talking, caps: dict[str, Cap], rates: RateBook, today: Callable[[], Any]) -> None:
        self._conversation = conversation
        self._caps = caps
        self._rates = rates
        self._day = today()
        self._spent = Decimal(0)
        self._began: float | None = None
        self._over = False
        facts, agent = conversation.facts, conversation.agent
        product = telephone_product(facts.number if facts.direction == "inbound" else facts.party)
        minute = self._price("twilio", product, f"{facts.direction}_minute")
        stream = self._price("twilio", "media-streams", "stream_minute")
        self._a_second = (minute + stream) / 60 + self._price("deepgram", agent.ears, "second")

    def begin(self) -> None:
        self._conversation.watch(self.watch)

    def watch(self, now: float, thing: Any) -> None:
        """What vendors count is added when they tell it, what lasts as it lasts."""
        if self._began is None:
            self._began = now
        if isinstance(thing, Metered) and thing.vendor != "deepgram" and thing.wasted != AHEAD:
            self._spent += Decimal(thing.quantity) * self._price(thing.vendor, thing.product, thing.unit)
        seconds = Decimal(str(now - self._began))
        used = {"usd": self._spent + seconds * self._a_second, "minutes": seconds / 60}
        for measure, cap in self._caps.items():
            if not self._over and cap.action != "warn" and used[measure] >= cap.cap:
                self._over = True
                self._conversation.report(LimitReached("cost" if measure == "usd" else "time"))

    def _price(self, vendor: str, product: str, unit: str) -> Decimal:
        rate = self._rates.find((vendor, product, unit), self._day)
        return rate.price / rate.per if rate is not None else Decimal(0)
