"""A loop that is late says so."""

import asyncio

from app.switchboard.pulse import Pulse
from tests import virtual_time


def test_a_loop_that_has_time_is_not_late() -> None:
    async def main() -> Pulse:
        pulse = Pulse()
        try:
            async with asyncio.timeout(30):
                await pulse.run()
        except TimeoutError:
            pass
        return pulse

    pulse = virtual_time.run(main())
    assert pulse.lag < 1e-6
    assert not pulse.is_late


def test_a_loop_that_is_held_up_is_late() -> None:
    async def main() -> Pulse:
        pulse, loop = Pulse(), asyncio.get_running_loop()
        assert isinstance(loop, virtual_time.VirtualLoop)
        async with asyncio.TaskGroup() as tasks:
            beating = tasks.create_task(pulse.run())
            for _ in range(200):
                loop.hold_up(0.08)  # work that does not wait, which is what makes a loop late
                await asyncio.sleep(0)
            beating.cancel()
        return pulse

    assert virtual_time.run(main()).is_late


def test_one_slow_moment_refuses_nobody() -> None:
    pulse = Pulse()
    pulse._late.extend([0.0] * 99 + [0.5])
    assert not pulse.is_late
