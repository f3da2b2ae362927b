"""An appointment booked by voice, with no vendor: a synthetic caller is heard, understood, answered and booked.

Everything is real but time and the telephone: the voice is espeak-ng's, the words are pocketsphinx's, the core is the
core, the diary is SQLite's. The caller answers what they are asked, so a word that was misheard is put right as it
would be between people: when it is read back.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from app.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE, loudness, to_linear
from app.call.actions import Action, HangUp, Play, Transfer, Write
from app.call.agent import Agent
from app.call.events import Event, Metered
from app.ears.offline import OfflineEars
from app.errors import VendorError
from app.mind.offline import OfflineMind
from app.mouth.offline import OfflineMouth
from app.mouth.offline_studio import Order, recite
from app.mouth.ways import Sound
from app.store.bookings import Bookings
from app.store.database import Database
from app.switchboard.conversation import Conversation
from app.switchboard.ports import CallFacts, Later, Report, Senses
from app.tools.catalogue import offered
from tests import virtual_time
from tests.ears.offline_stage import HereWorkers, listener, spoken
from tests.switchboard.puppets import ListTrace, PuppetLine, PuppetTools, nothing

T = TypeVar("T")

FRIDAY = datetime(2026, 11, 20, 12, 0)
SLOT = datetime(2026, 11, 23, 10, 30)
FACTS = CallFacts("CA1", "inbound", "+15005550001", "+15005550100")
GREETING = "This is the clinic. What can I do for you?"
AGENT = Agent("clinic", GREETING, "", voice="espeak:en-us+f3", transfers={"front desk": "+15005550199"})
LONGEST = 240.0  # virtual seconds

# What the caller says to what they heard last; the first that fits.
REPLIES = (
    (r"You are booked", "no thank you"),
    (r"Goodbye", ""),
    (r"Robert Wilson for Monday, November 23rd at 10:30\. Is that right", "yes that's right"),
    (r"Robert Wilson for .*Is that right", "no on monday at ten thirty"),
    (r"Is that right", "my name is robert wilson"),
    (r"your name", "my name is robert wilson"),
    (r"What is wrong", "the name is wrong"),
    (r"spell", "my name is robert wilson"),
    (r"Which time", "at ten thirty"),
    (r"Which day|suit you", "on monday at ten thirty"),
    (r"", "i would like to book an appointment"),
)


class DiaryOnDisk:
    """The real diary. Its database has threads, which have no place in virtual time: it is asked outside of it."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def taken(self, *asked: Any) -> frozenset[datetime]:
        return self._ask(lambda diary: diary.taken(*asked))

    async def of(self, *asked: Any) -> list[datetime]:
        return self._ask(lambda diary: diary.of(*asked))

    async def book(self, *asked: Any) -> bool:
        return self._ask(lambda diary: diary.book(*asked))

    async def move(self, *asked: Any) -> bool:
        return self._ask(lambda diary: diary.move(*asked))

    async def cancel(self, *asked: Any) -> bool:
        return self._ask(lambda diary: diary.cancel(*asked))

    def _ask(self, question: Callable[[Bookings], Awaitable[T]]) -> T:
        async def one() -> T:
            database = Database.open(self._url)
            try:
                return await question(Bookings(database, "clinic"))
            finally:
                await database.close()

        with ThreadPoolExecutor(1) as outside:
            return outside.submit(lambda: asyncio.run(one())).result()


class HereStudio:
    """Says what is ordered at once; there is no thread in virtual time."""

    def take(self, order: Order) -> None:
        loop = asyncio.get_running_loop()

        def give(told: Sound | VendorError | None) -> None:
            loop.call_soon(order.deliver, told)

        recite(order, give)


@dataclass
class Caller:
    """Listens to the end, waits as people do, and answers."""

    frames: deque[bytes] = field(default_factory=deque)
    said: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    sound: bytes = b""
    metered: list[Metered] = field(default_factory=list)

    def watch(self, moment: float, what: Event | Action) -> None:
        match what:
            case Write(who="agent", heard=heard):
                self.heard.append(heard)
                self._answer(heard)
            case Play(clip=clip):
                self.sound += clip.mulaw()
            case Metered():
                self.metered.append(what)

    def _answer(self, heard: str) -> None:
        reply = next(reply for pattern, reply in REPLIES if re.search(pattern, heard))
        if reply:
            self.said.append(reply)
            sound = spoken(reply, before=0.6)
            frames = (sound[at : at + FRAME_BYTES] for at in range(0, len(sound), FRAME_BYTES))
            self.frames.extend(frame.ljust(FRAME_BYTES, SILENCE) for frame in frames)


def call(url: str) -> tuple[Caller, list[HangUp | Transfer]]:
    """One call from the first frame to its end."""
    caller = Caller()
    followed: list[HangUp | Transfer] = []

    def hire(agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
        return Senses(
            OfflineEars(HereWorkers(listener()), agent, report, later),
            OfflineMind(DiaryOnDisk(url), agent, facts.party, report, own_tools=offered(agent), clock=lambda: FRIDAY),
            OfflineMouth(HereStudio(), agent, report, later),
            PuppetTools(report),
        )

    async def follow_up(wish: HangUp | Transfer) -> None:
        followed.append(wish)

    async def main() -> None:
        conversation = Conversation(
            FACTS, AGENT, 1, hire, lambda work: None, ListTrace(), keep=nothing, follow_up=follow_up
        )
        conversation.watch(caller.watch)
        async with asyncio.TaskGroup() as tasks:
            ended = tasks.create_task(conversation.run())
            conversation.attach(PuppetLine(conversation.report))
            while not ended.done():
                assert asyncio.get_running_loop().time() < LONGEST, f"the call has no end: {caller.heard}"
                conversation.hear(caller.frames.popleft() if caller.frames else SILENCE * FRAME_BYTES)
                await asyncio.sleep(FRAME_SECONDS)

    virtual_time.run(main())
    return caller, followed


def booked(url: str) -> list[datetime]:
    return asyncio.run(DiaryOnDisk(url).of("Robert Wilson", FACTS.party, FRIDAY))


def test_an_appointment_is_booked_by_voice_without_any_vendor(sqlite_url: str) -> None:
    caller, followed = call(sqlite_url)
    assert caller.heard[0] == GREETING
    assert any("You are booked for Monday, November 23rd at 10:30." in heard for heard in caller.heard)
    assert "Goodbye." in caller.heard[-1]
    assert booked(sqlite_url) == [SLOT]
    assert followed == [HangUp("agent said goodbye", "agent")]
    assert loudness(to_linear(caller.sound)) > 300
    used = {(cost.vendor, cost.product, cost.unit) for cost in caller.metered if cost.vendor == "offline"}
    assert used == {
        ("offline", "pocketsphinx", "second"),
        ("offline", "rules", "input_token"),
        ("offline", "rules", "output_token"),
        ("offline", "espeak-ng", "character"),
    }
