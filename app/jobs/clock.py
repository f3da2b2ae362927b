"""The clock of the jobs: does each one from time to time, in one process of all that share the database.

A job that fails is tried again when its time comes round; so each must be such that doing it twice does it once.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from app.errors import PatchcordError
from app.store.database import Database
from app.store.leases import release_lease, take_lease

log = logging.getLogger(__name__)

Work = Callable[[datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """`longest`: after so many seconds it is broken off, and another process may begin."""

    name: str
    every: float
    work: Work
    longest: float = 60.0


class Clock:
    """`holder` names this process."""

    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job],
        holder: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._holder = holder
        self._now = now

    async def run(self) -> None:
        """Do every job in its time, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for job in self._jobs:
                tasks.create_task(self._again_and_again(job))

    async def do(self, job: Job) -> bool:
        """Do it now, unless another process is doing it. Whether it was done; what goes wrong is logged."""
        try:
            async with self._database.writing() as session:
                if not await take_lease(session, job.name, self._holder, job.longest * 1.5, self._now()):
                    return False
            async with asyncio.timeout(job.longest):
                await job.work(self._now())
            async with self._database.writing() as session:
                await release_lease(session, job.name, self._holder)
        except (SQLAlchemyError, PatchcordError, OSError) as error:  # TimeoutError is one of these
            log.warning("%s waits for its next turn: %r", job.name, error)
            return False
        return True

    async def _again_and_again(self, job: Job) -> None:
        while True:
            await asyncio.sleep(job.every * random.uniform(0.5, 1.0))  # processes that began together do not meet
            await self.do(job)
