"""A diary on paper, and a caller who talks to the clinic's mind through a memory as the core would keep it."""

from dataclasses import dataclass, field
from datetime import date, datetime

from app.call.actions import Message, Said, Think, Used
from app.call.agent import Agent
from app.call.events import Event, Thought, ThoughtFailed, ToolAnswer, ToolCall, ToolsWanted
from app.errors import VendorError
from app.mind.offline import OfflineMind

FRIDAY = datetime(2026, 11, 20, 12, 0)
AGENT = Agent("clinic", "The clinic, hello.", "", transfers={"front desk": "+15005550199", "nurse": "+15005550198"})
OFFERED = ({"name": "end_call"}, {"name": "transfer"}, {"name": "take_message"})


@dataclass
class PaperDiary:
    """What is booked, by slot: the name, and the telephone it was made from."""

    booked: dict[datetime, tuple[str, str]] = field(default_factory=dict)
    away: bool = False

    async def taken(self, first: date, last: date) -> frozenset[datetime]:
        self._look()
        return frozenset(slot for slot in self.booked if first <= slot.date() <= last)

    async def of(self, name: str, phone: str, since: datetime) -> list[datetime]:
        self._look()
        return sorted(slot for slot, who in self.booked.items() if who == (name, phone) and slot > since)

    async def book(self, name: str, phone: str, slot: datetime) -> bool:
        self._look()
        return slot not in self.booked and self.booked.setdefault(slot, (name, phone)) == (name, phone)

    async def move(self, name: str, phone: str, old: datetime, new: datetime) -> bool:
        return await self.book(name, phone, new) and await self.cancel(name, phone, old)

    async def cancel(self, name: str, phone: str, slot: datetime) -> bool:
        return self.booked.pop(slot, None) is not None

    def _look(self) -> None:
        if self.away:
            raise VendorError("database", "is away")


@dataclass
class Talk:
    """One call with the mind. `say` gives what it answers; the memory is all that it is given."""

    diary: PaperDiary = field(default_factory=PaperDiary)
    phone: str = "+15005550100"
    agent: Agent = AGENT
    memory: list[Message] = field(default_factory=lambda: [Said("agent", AGENT.greeting)])
    events: list[Event] = field(default_factory=list)
    tools: list[ToolCall] = field(default_factory=list)

    async def say(self, text: str) -> str:
        self.memory.append(Said("caller", text))
        return await self.listen()

    async def used(self, *, failed: bool = False) -> str:
        """The tool that was asked for last has been used."""
        call = self.tools[-1]
        self.memory.append(Used((call,), (ToolAnswer(call.id, "done", failed),)))
        return await self.listen()

    async def listen(self) -> str:
        answer = await self.think()
        if answer:
            self.memory.append(Said("agent", answer))
        return answer

    async def think(self, *, ahead: bool = False) -> str:
        """Each thought by a mind of its own, as if another process went on with the call every time."""
        self.events.clear()
        mind = OfflineMind(
            self.diary, self.agent, self.phone, self.events.append, own_tools=OFFERED, clock=lambda: FRIDAY
        )
        await mind.think(Think(1, tuple(self.memory), ahead=ahead))
        self.tools += [call for event in self.events if isinstance(event, ToolsWanted) for call in event.calls]
        return "".join(event.text for event in self.events if isinstance(event, Thought))

    @property
    def failed(self) -> bool:
        return any(isinstance(event, ThoughtFailed) for event in self.events)
