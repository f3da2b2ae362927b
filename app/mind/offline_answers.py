"""What the clinic's agent says to a wish: it looks into the diary, reads back, and only then writes into it.

It is told whether the caller's turn is really over; before that it may look, and `NotYet` says that it would have to
write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

from app.call.events import ToolCall
from app.mind.offline_calendar import Clinic, spoken, spoken_day, spoken_times
from app.mind.offline_dialogue import Asked, Wish

HELP = "I can tell you our opening hours, book, move or cancel an appointment, or take a message."
NOT_UNDERSTOOD = "Sorry, I did not get that."
GOODBYE = "Thank you for calling. Goodbye."
TIMES_TOLD = 3  # of the free ones: nobody keeps more than three times in mind
PATIENT_FOR = 3  # utterances that mean nothing, before a person is offered


class Diary(Protocol):
    """The appointments of one clinic. A phone number that is not known is "". Raises VendorError."""

    async def taken(self, first: date, last: date) -> frozenset[datetime]: ...
    async def of(self, name: str, phone: str, since: datetime) -> list[datetime]: ...
    async def book(self, name: str, phone: str, slot: datetime) -> bool: ...
    async def move(self, name: str, phone: str, old: datetime, new: datetime) -> bool: ...
    async def cancel(self, name: str, phone: str, slot: datetime) -> bool: ...


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    tool: ToolCall | None = None


class NotYet(Exception):
    """The diary would have to be written, and the caller may not have finished."""


@dataclass(frozen=True, slots=True)
class Answers:
    """One moment's answers: who calls from where, what the clock says, and whether the diary may be written."""

    diary: Diary
    clinic: Clinic
    transfers: Mapping[str, str]
    phone: str
    now: datetime
    may_write: bool

    async def to(self, wish: Wish) -> Answer:
        """The next thing to say, and perhaps to do."""
        said = wish.last
        if said.again:
            return Answer(wish.told.rstrip("… ") or self._what_next(wish).text)
        if said.goodbye or (wish.asked is Asked.MORE and said.answer is False and not said.job and not said.details):
            return Answer(GOODBYE, ToolCall("goodbye", "end_call", {"reason": "the caller wants nothing more"}))
        if said.job == "hours":
            return Answer(f"{self.clinic.hours()} {self._question(wish)}")
        if wish.job == "transfer":
            return self._transfer(wish)
        if wish.missed:
            return self._not_understood(wish)
        match wish.job:
            case "book":
                return await self._book(wish)
            case "move":
                return await self._move(wish)
            case "cancel":
                return await self._cancel(wish)
            case "message":
                return self._message(wish)
        return self._what_next(wish)

    def to_tools(self, name: str, *, failed: bool) -> Answer:
        """After a tool was used."""
        if failed:
            return Answer(f"I am sorry, that did not work. {Asked.MORE.value}")
        if name == "take_message":
            return Answer(f"I have written that down, and somebody will call you back. {Asked.MORE.value}")
        return Answer(Asked.MORE.value)

    # --- without the diary ----------------------------------------------------------------------------------------

    def _what_next(self, wish: Wish) -> Answer:
        if wish.asked is Asked.MORE and wish.last.answer is True:
            return Answer(Asked.JOB.value)
        return Answer(f"{HELP} {Asked.JOB.value}")

    def _not_understood(self, wish: Wish) -> Answer:
        if wish.missed >= PATIENT_FOR and self.transfers:
            return self._transfer(wish)
        if wish.missed > 1:
            return Answer(f"{NOT_UNDERSTOOD} {HELP} {self._question(wish)}")
        return Answer(f"{NOT_UNDERSTOOD} {self._question(wish)}")

    def _question(self, wish: Wish) -> str:
        """The question that is open, once more."""
        if wish.asked in (None, Asked.MORE) or not wish.job:
            return Asked.JOB.value if wish.missed or not wish.last.job else Asked.MORE.value
        if wish.asked in (Asked.RIGHT, Asked.OFFER):
            return wish.told
        return str(wish.asked.value)

    def _transfer(self, wish: Wish) -> Answer:
        if not self.transfers:
            return Answer("I am sorry, nobody is free at the moment. I can take a message. " + Asked.JOB.value)
        said = wish.said.lower()
        to = next((name for name in self.transfers if name.lower() in said), next(iter(self.transfers)))
        summary = f"{wish.name or 'Somebody'} asked to be put through. Last said: {wish.said}"
        return Answer("I am putting you through now.", ToolCall("transfer", "transfer", {"to": to, "summary": summary}))

    def _message(self, wish: Wish) -> Answer:
        if not wish.name:
            return Answer(Asked.NAME.value)
        if not wish.message:
            return Answer(Asked.MESSAGE.value)
        if wish.refused:
            return Answer(Asked.MESSAGE.value)
        if not wish.agreed:
            return Answer(f"So I write down, from {self._who(wish)}: {wish.message.rstrip('.?!')}. {Asked.RIGHT.value}")
        arguments = {"name": wish.name, "message": wish.message, **({"number": self.phone} if self.phone else {})}
        return Answer("", ToolCall("message", "take_message", arguments))

    # --- with the diary -------------------------------------------------------------------------------------------

    async def _book(self, wish: Wish) -> Answer:
        slot, question = await self._slot(wish)
        if question:
            return Answer(question)
        if not wish.name:
            return Answer(f"{spoken(slot)} is free. {Asked.NAME.value}")
        if question := self._doubt(wish):
            return Answer(question)
        if not wish.agreed:
            return Answer(f"So I book {self._who(wish)} for {spoken(slot)}. {Asked.RIGHT.value}")
        self._write()
        if await self.diary.book(wish.name, self.phone, slot) or slot in await self._own(wish):
            return Answer(f"You are booked for {spoken(slot)}. {Asked.MORE.value}")
        return await self._gone(wish)

    async def _move(self, wish: Wish) -> Answer:
        if not wish.name:
            return Answer(Asked.NAME.value)
        own = await self._own(wish)
        if not own:
            return self._none_found(wish)
        if wish.refused and wish.asked is Asked.RIGHT and self._doubt(wish):
            return Answer(self._doubt(wish))
        slot, question = await self._slot(wish, own=own)
        if question:
            return Answer(f"You have an appointment on {spoken(own[0])}. {question}" if not wish.day else question)
        if slot in own:
            return Answer(f"Your appointment is now on {spoken(slot)}. {Asked.MORE.value}")
        if not wish.agreed:
            return Answer(f"So I move your appointment from {spoken(own[0])} to {spoken(slot)}. {Asked.RIGHT.value}")
        self._write()
        if await self.diary.move(wish.name, self.phone, own[0], slot):
            return Answer(f"Your appointment is now on {spoken(slot)}. {Asked.MORE.value}")
        return await self._gone(wish)

    async def _cancel(self, wish: Wish) -> Answer:
        if not wish.name:
            return Answer(Asked.NAME.value)
        own = await self._own(wish)
        slot = next((slot for slot in own if wish.day in (None, slot.date())), None)
        if slot is None:
            return self._none_found(wish)
        if wish.refused:
            return Answer(f"Then it stays as it is. {Asked.MORE.value}")
        if not wish.agreed:
            return Answer(f"So I cancel the appointment of {self._who(wish)} on {spoken(slot)}. {Asked.RIGHT.value}")
        self._write()
        await self.diary.cancel(wish.name, self.phone, slot)
        return Answer(f"I have cancelled your appointment on {spoken(slot)}. {Asked.MORE.value}")

    async def _slot(self, wish: Wish, own: list[datetime] | None = None) -> tuple[datetime, str]:
        """The appointment that is wished for and free; or a question that leads to one."""
        never = self.now
        mine = own if own is not None else await self._own(wish)
        if wish.earliest and not wish.at:
            return never, await self._earliest(wish)
        if wish.day is None:
            return never, Asked.DAY.value
        if wish.day not in self.clinic.days(self.now.date()):
            return never, self._closed(wish.day)
        free = [slot for slot in await self._free(wish.day) if wish.part in (None, 12 * (slot.hour >= 12))]
        if wish.at is not None:
            slot = datetime.combine(wish.day, wish.at)
            if slot in free or slot in mine:
                return slot, ""
            if free:
                near = sorted(sorted(free, key=lambda other: abs(other - slot))[:2])
                return never, f"{spoken(slot)} is not free. I have {spoken_times(near)}. {Asked.TIME.value}"
        if not free:
            return never, f"{spoken_day(wish.day)} is full. {await self._earliest(wish)}"
        step = max(1, (len(free) - 1) // (TIMES_TOLD - 1))
        told = free[::step][:TIMES_TOLD]
        return never, f"On {spoken_day(wish.day)} I have {spoken_times(told)}. {Asked.TIME.value}"

    async def _earliest(self, wish: Wish) -> str:
        for day in self.clinic.days(self.now.date()):
            if (wish.day is None or day >= wish.day) and (free := await self._free(day)):
                return f"The next free appointment is on {spoken(free[0])}. {Asked.OFFER.value}"
        return f"I am sorry, we are full for the next {self.clinic.days_ahead} days. {Asked.MORE.value}"

    async def _free(self, day: date) -> list[datetime]:
        taken = await self.diary.taken(day, day)
        return [slot for slot in self.clinic.slots(day) if slot > self.now and slot not in taken]

    async def _own(self, wish: Wish) -> list[datetime]:
        return await self.diary.of(wish.name, self.phone, self.now) if wish.name else []

    async def _gone(self, wish: Wish) -> Answer:
        """Somebody else was faster."""
        _, question = await self._slot(replace(wish, agreed=False))
        return Answer(f"I am sorry, somebody has just taken it. {question}")

    def _closed(self, day: date) -> str:
        if self.clinic.is_open_on(day):
            return f"I can only book {self.clinic.days_ahead} days ahead. {Asked.DAY.value}"
        return f"We are closed on {spoken_day(day)}. {Asked.DAY.value}"

    def _doubt(self, wish: Wish) -> str:
        """What to ask when what was read back is not right."""
        if not wish.refused:
            return ""
        return Asked.SPELLING.value if wish.last.wrong == "name" else Asked.WRONG.value

    def _none_found(self, wish: Wish) -> Answer:
        return Answer(f"I find no appointment for {wish.name} that was made from your number. {Asked.MORE.value}")

    def _who(self, wish: Wish) -> str:
        """The name, and its letters when the caller took the trouble to spell it."""
        last = wish.name.split()[-1]
        return f"{wish.name}, spelled {', '.join(last.upper())}," if wish.spelled else wish.name

    def _write(self) -> None:
        if not self.may_write:
            raise NotYet
