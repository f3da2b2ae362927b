import asyncio

import pytest

from tests import virtual_time


def test_an_hour_passes_at_once_and_in_order() -> None:
    async def main() -> list[str]:
        said = []

        async def say(after: float, what: str) -> None:
            await asyncio.sleep(after)
            said.append(f"{what} at {asyncio.get_running_loop().time():.0f}")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(say(3600, "late"))
            tasks.create_task(say(60, "early"))
        return said

    assert virtual_time.run(main()) == ["early at 60", "late at 3600"]


def test_waiting_for_nobody_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(virtual_time.DeadlockError):
        virtual_time.run(main())
