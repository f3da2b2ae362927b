"""Who answers which number, as the database says, remembered for some seconds: the telephone does not wait for SQL.

When the database is away the last answer stands: calls go on.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.call.agent import Agent
from app.store import roster
from app.store.database import Database

T = TypeVar("T")

log = logging.getLogger(__name__)

# An agent that was changed answers anew after so long; and at a webhook's pace nobody asks the database twice.
FRESH_SECONDS = 5.0
# Twilio waits 15 s for a webhook, and the caller hears it ring meanwhile.
ASK_SECONDS = 3.0

Found = tuple[Agent, int] | None


class Directory:
    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._answers: dict[str, tuple[float, Found]] = {}
        self._versions: dict[tuple[str, int], Agent] = {}

    async def answering(self, number: str) -> Found:
        """The agent that answers this number of ours, and its version; None: nobody does."""
        asked, known = self._answers.get(number, (float("-inf"), None))
        if self._clock() - asked < FRESH_SECONDS:
            return known

        async def ask() -> Found:
            async with self._database.reading() as session:
                return await roster.answering(session, number)

        try:
            known = await _soon(ask())
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the database did not say who answers %s (%r); the last answer stands", number, error)
        self._answers[number] = (self._clock(), known)
        return known

    async def version_of(self, name: str, version: int) -> Agent | None:
        """An agent as it was in this version, which never changes."""
        if (name, version) not in self._versions:

            async def ask() -> Agent | None:
                async with self._database.reading() as session:
                    return await roster.version_of(session, name, version)

            try:
                found = await _soon(ask())
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("the database did not say what %s version %s is (%r)", name, version, error)
                return None
            if found is None:
                return None
            self._versions[name, version] = found
        return self._versions[name, version]

    async def numbers(self) -> list[tuple[str, str]]:
        """Every number of ours with the name of the agent that answers it."""
        async with self._database.reading() as session:
            return [(number.number, number.agent) for number in await roster.numbers(session)]

    async def agents(self) -> list[Agent]:
        """Every agent that answers a number now."""
        async with self._database.reading() as session:
            numbers = await roster.numbers(session)
            found = [await roster.published(session, name) for name in sorted({number.agent for number in numbers})]
        return [agent for agent, _ in filter(None, found)]


async def _soon(ask: Awaitable[T]) -> T:
    async with asyncio.timeout(ASK_SECONDS):
        return await ask
