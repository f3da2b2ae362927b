"""Jobs are done in their time, by one process, whatever goes wrong."""

import asyncio
from datetime import datetime

import pytest

from app.errors import VendorError
from app.jobs.clock import Clock, Job
from app.store.database import Database


class Work:
    """Counts how often it was done; fails as told."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.done = 0

    async def __call__(self, now: datetime) -> None:
        self.done += 1
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault


async def test_of_two_processes_one_does_a_job_at_a_time(database: Database) -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def slow(now: datetime) -> None:
        inside.set()
        await go.wait()

    work = Work()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(Clock(database, (), "a").do(Job("it", 1.0, slow)))
        await inside.wait()
        assert not await Clock(database, (), "b").do(Job("it", 1.0, work))
        assert await Clock(database, (), "b").do(Job("another", 1.0, work))
        go.set()
    assert first.result()
    assert await Clock(database, (), "b").do(Job("it", 1.0, work))
    assert work.done == 2


@pytest.mark.parametrize("fault", [VendorError("twilio", "away"), OSError("no route"), TimeoutError()])
async def test_a_job_that_fails_is_done_again_in_its_time(database: Database, fault: Exception) -> None:
    work = Work(fault)
    clock = Clock(database, (), "a")
    assert [await clock.do(Job("it", 1.0, work)) for _ in range(2)] == [False, True]


async def test_a_job_that_takes_too_long_is_broken_off(database: Database) -> None:
    async def never(now: datetime) -> None:
        await asyncio.Event().wait()

    assert not await Clock(database, (), "a").do(Job("it", 1.0, never, longest=0.05))


async def test_the_clock_does_every_job_again_and_again(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    enough = asyncio.Event()
    often = Work()

    async def count(now: datetime) -> None:
        await often(now)
        if often.done == 3:
            enough.set()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(
            Clock(database, [Job("often", 0.02, count), Job("seldom", 3600.0, Work())], "a").run()
        )
        async with asyncio.timeout(10):
            await enough.wait()
        running.cancel()
    assert often.done >= 3
    await database.close()
