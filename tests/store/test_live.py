"""The live store: one suite over the store of one process and over a real Redis."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from app.store.live import LocalLive
from tests.store.stages import LocalStage, RedisStage, Stage


@pytest_asyncio.fixture(params=["local", "redis"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    stage: Stage = LocalStage() if request.param == "local" else RedisStage(request.getfixturevalue("redis_url"))
    yield stage
    await stage.close()


async def test_what_is_remembered_is_recalled_as_often_as_one_likes(stage: Stage) -> None:
    await stage.live.remember("CA1", '[{"who": "caller", "text": "Grüß Gott"}]', 60)
    await stage.live.remember("CA2", "[]", 60)
    for _ in range(2):
        assert await stage.live.recall("CA1") == '[{"who": "caller", "text": "Grüß Gott"}]'
    assert await stage.live.recall("CA3") is None


async def test_the_newer_memory_replaces_the_older_and_lives_its_own_time(stage: Stage) -> None:
    await stage.live.remember("CA1", "old", 60)
    await stage.pass_time(50)
    await stage.live.remember("CA1", "new", 60)
    await stage.pass_time(50)
    assert await stage.live.recall("CA1") == "new"
    await stage.pass_time(11)
    assert await stage.live.recall("CA1") is None


async def test_a_token_is_taken_once(stage: Stage) -> None:
    await stage.live.put_token("abc", "CA1", 30)
    assert await stage.live.take_token("abc") == "CA1"
    assert await stage.live.take_token("abc") is None


async def test_of_many_who_take_a_token_together_one_gets_it(stage: Stage) -> None:
    await stage.live.put_token("abc", "CA1", 30)
    taken = await asyncio.gather(*(stage.live.take_token("abc") for _ in range(20)))
    assert sorted(taken, key=str) == ["CA1"] + [None] * 19


async def test_a_token_is_gone_when_its_time_is_over(stage: Stage) -> None:
    await stage.live.put_token("abc", "CA1", 30)
    await stage.pass_time(31)
    assert await stage.live.take_token("abc") is None


async def test_what_follows_is_taken_once_and_is_no_token(stage: Stage) -> None:
    await stage.live.set_next("CA1", "transfer:+15005550003", 60)
    assert await stage.live.take_token("CA1") is None
    assert await stage.live.recall("CA1") is None
    assert await stage.live.take_next("CA1") == "transfer:+15005550003"
    assert await stage.live.take_next("CA1") is None


async def test_a_counter_counts_within_its_window_and_then_begins_anew(stage: Stage) -> None:
    assert [await stage.live.count("caller:+1", 60) for _ in range(3)] == [1, 2, 3]
    await stage.pass_time(59)
    assert await stage.live.count("caller:+1", 60) == 4
    assert await stage.live.count("caller:+2", 60) == 1
    await stage.pass_time(2)
    assert await stage.live.count("caller:+1", 60) == 1


async def test_of_many_who_count_together_each_gets_a_number_of_its_own(stage: Stage) -> None:
    numbers = await asyncio.gather(*(stage.live.count("all", 60) for _ in range(200)))
    assert sorted(numbers) == list(range(1, 201))


# --- places ---------------------------------------------------------------------------------------------------------

TWO = {"agent:a": 2.0}


async def taken(stage: Stage, holder: str, most: dict[str, float], ttl: float = 30) -> list[int]:
    return list((await stage.live.take_places(holder, most, ttl)).values())


async def test_places_are_taken_until_all_are_and_who_comes_too_late_takes_none(stage: Stage) -> None:
    assert [await taken(stage, holder, TWO) for holder in ("CA1", "CA2", "CA3", "CA4")] == [[1], [2], [3], [3]]


async def test_who_holds_a_place_takes_no_second_one(stage: Stage) -> None:
    assert [await taken(stage, holder, TWO) for holder in ("CA1", "CA1", "CA2", "CA1")] == [[1], [1], [2], [2]]


async def test_places_are_taken_all_or_none(stage: Stage) -> None:
    await taken(stage, "CA1", {"agent:a": 1})
    assert await taken(stage, "CA2", {"number:+1": 9, "agent:a": 1, "account:": 9}) == [1, 2, 1]
    assert await taken(stage, "CA3", {"number:+1": 9, "account:": 9}) == [1, 1]


async def test_a_place_without_a_most_is_only_counted(stage: Stage) -> None:
    assert [await taken(stage, f"CA{n}", {"account:": math.inf}) for n in range(5)] == [[1], [2], [3], [4], [5]]


async def test_half_a_place_is_none(stage: Stage) -> None:
    assert [await taken(stage, f"CA{n}", {"account:": 1.5}) for n in range(3)] == [[1], [2], [2]]


async def test_a_place_that_nobody_keeps_is_free_when_its_time_is_over(stage: Stage) -> None:
    await taken(stage, "CA1", TWO, 60)
    await taken(stage, "CA2", TWO, 30)
    await stage.pass_time(29)
    assert await taken(stage, "CA3", TWO) == [3]
    await stage.pass_time(2)
    assert await taken(stage, "CA3", TWO) == [2]
    await stage.pass_time(28)
    assert await taken(stage, "CA4", TWO) == [3], "one place that ends later must not be lost with those that end"
    await stage.pass_time(3)
    assert await taken(stage, "CA4", TWO) == [1]


async def test_places_are_kept_for_so_long_from_now_on(stage: Stage) -> None:
    await taken(stage, "CA1", TWO, 60)
    await taken(stage, "CA2", TWO, 30)
    for _ in range(5):
        await stage.pass_time(20)
        await stage.live.keep_places({"agent:a": ["CA1", "CA2"]}, 30)
    assert await taken(stage, "CA3", TWO) == [3]
    await stage.pass_time(31)
    assert await taken(stage, "CA3", TWO) == [1]


async def test_who_goes_on_keeps_places_that_he_never_took_and_more_than_there_are(stage: Stage) -> None:
    await stage.live.keep_places({"agent:a": ["CA1", "CA2", "CA3"], "number:+1": ["CA1"]}, 30)
    assert await taken(stage, "CA4", TWO) == [4]
    assert await taken(stage, "CA4", {"number:+1": 2}) == [2]


async def test_a_place_that_is_left_is_free_at_once(stage: Stage) -> None:
    both: dict[str, float] = {"agent:a": 1, "number:+1": 1}
    await taken(stage, "CA1", both)
    await stage.live.leave_places("CA2", both)
    assert await taken(stage, "CA2", both) == [2, 2]
    await stage.live.leave_places("CA1", both)
    assert await taken(stage, "CA2", both) == [1, 1]


async def test_of_two_processes_that_take_together_none_gets_a_place_too_many(stage: Stage) -> None:
    most: dict[str, float] = {"account:": 10, "agent:a": 10}
    stores = [stage.live, stage.other] * 60
    asked = (live.take_places(f"CA{number}", most, 30) for number, live in enumerate(stores))
    counts = [held["agent:a"] for held in await asyncio.gather(*asked)]
    assert sorted(counts) == [*range(1, 11), *[11] * 110]


async def test_the_local_store_holds_nothing_beyond_its_time() -> None:
    stage = LocalStage()
    local = cast("LocalLive", stage.live)
    for number in range(100):
        await local.remember(f"CA{number}", "[]", 60)
        await local.count(f"caller:{number}", 30)
        await local.take_places(f"CA{number}", {"account:": 1000, f"number:{number}": 1}, 30)
    assert len(local) == 400
    await stage.pass_time(61)
    assert len(local) == 0
