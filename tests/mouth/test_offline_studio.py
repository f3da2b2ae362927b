"""One thread for all calls: in turns, stopped within a moment, and never in the way of the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from app.errors import VendorError
from app.mouth.offline_studio import WAITING, Order, ThreadStudio, recite
from app.mouth.ways import Sound
from tests.mouth.stage import PATIENCE, News

VOICE = "en-us+f3"
LONG = "This is a sentence that goes on, and on, and on, until nobody wants to hear any more of it at all. " * 8


def at_end(done: News, name: str) -> Callable[[object], None]:
    return lambda told: done.add(name) if told is None else None


@asynccontextmanager
async def studio() -> AsyncIterator[ThreadStudio]:
    place = ThreadStudio()
    async with asyncio.timeout(PATIENCE):
        yield place
        await place.close()


async def test_calls_take_turns_however_much_one_of_them_has_to_say() -> None:
    done = News()
    async with studio() as place:
        for number in range(6):
            place.take(Order("a", LONG, VOICE, 0.0, at_end(done, f"a{number}")))
        place.take(Order("b", "Yes.", VOICE, 0.0, at_end(done, "b0")))
        await done.until(lambda items: len(items) == 7)
    assert done.items.index("b0") <= 2  # what was being said when it came, and at most one more


async def test_a_cancelled_text_stops_in_its_midst() -> None:
    sounds, done = News(), News()
    async with studio() as place:
        order = Order("a", LONG * 4, VOICE, 0.0, sounds.add)
        place.take(order)
        await sounds.until(lambda items: bool(items))
        order.cancelled = True
        place.take(Order("a", "Yes.", VOICE, 0.0, done.add))
        await done.until(lambda items: None in items)
    whole: list[object] = []
    recite(Order("a", LONG * 4, VOICE, 0.0, whole.append), whole.append)
    assert None not in sounds.items
    assert len(sounds.items) < len(whole)


async def test_the_loop_goes_on_while_it_is_spoken() -> None:
    done, beats = News(), 0
    async with studio() as place:
        place.take(Order("a", LONG, VOICE, 0.0, at_end(done, "a")))
        while not done.items:
            await asyncio.sleep(0)
            beats += 1
    assert beats > 100


async def test_a_call_cannot_have_more_than_its_share_waiting() -> None:
    told = News()
    async with studio() as place:
        for _ in range(WAITING + 2):
            place.take(Order("a", LONG, VOICE, 0.0, told.add))
        refused: VendorError = await told.first(VendorError)
        assert "are waiting to be said" in refused.what


async def test_a_closed_studio_has_stopped_speaking() -> None:
    told = News()
    async with studio() as place:
        place.take(Order("a", LONG * 10, VOICE, 0.0, told.add))
        await told.until(lambda items: bool(items))
    await asyncio.sleep(0)
    assert all(isinstance(item, Sound) for item in told.items)
