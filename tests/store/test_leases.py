"""Of many who want a job, one has it, and a dead one does not keep it."""

import asyncio
from datetime import UTC, datetime, timedelta

from app.store.database import Database
from app.store.leases import release_lease, take_lease

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


async def take(database: Database, holder: str, now: datetime = NOW) -> bool:
    async with database.writing() as session:
        return await take_lease(session, "deliveries", holder, 60.0, now)


async def test_of_many_who_take_a_lease_together_one_gets_it(database: Database) -> None:
    assert sum(await asyncio.gather(*(take(database, f"process {n}") for n in range(5)))) == 1


async def test_who_has_it_may_take_it_again_and_anybody_when_it_has_run_out(database: Database) -> None:
    assert await take(database, "a")
    assert await take(database, "a", NOW + timedelta(seconds=30))
    assert not await take(database, "b", NOW + timedelta(seconds=89))
    assert await take(database, "b", NOW + timedelta(seconds=90))


async def test_only_who_has_it_can_give_it_back(database: Database) -> None:
    await take(database, "a")
    for holder, free in (("b", False), ("a", True)):
        async with database.writing() as session:
            await release_lease(session, "deliveries", holder)
        assert await take(database, "c") is free
