"""Alive is not the same as ready."""

import asyncio

from app.call.events import LineClosed
from tests.web.house import House, visit


async def asked(house: House, path: str) -> tuple[int, dict[str, object]]:
    response = await house.client.get(path)
    return response.status_code, await response.get_json()


def test_a_house_that_takes_calls_is_alive_and_ready() -> None:
    async def story(house: House) -> None:
        await house.admitted()
        status, told = await asked(house, "/healthz")
        assert (status, told["status"], told["calls"]) == (200, "alive", 1)
        assert told["lag_seconds"] == 0.0
        assert int(str(told["tasks"])) >= len(asyncio.all_tasks())  # and those of the question itself
        assert await asked(house, "/readyz") == (200, {"status": "ready", "calls": 1})

    visit(story)


def test_a_full_house_is_not_ready_until_somebody_leaves() -> None:
    async def story(house: House) -> None:
        await house.admitted()
        status, told = await asked(house, "/readyz")
        assert status == 503
        assert "MAX_CALLS" in str(told["reason"])
        assert (await asked(house, "/healthz"))[0] == 200
        house.exchange.conversations[0].report(LineClosed("caller"))
        await asyncio.sleep(0.1)
        assert (await asked(house, "/readyz"))[0] == 200

    visit(story, most_calls=1)


def test_a_house_that_is_being_emptied_is_alive_and_not_ready() -> None:
    async def story(house: House) -> None:
        await house.admitted()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(house.exchange.drain(10))
            await asyncio.sleep(1)
            status, told = await asked(house, "/readyz")
            assert (status, told["reason"]) == (503, "this process is being stopped")
            assert (await asked(house, "/healthz"))[0] == 200

    visit(story)
