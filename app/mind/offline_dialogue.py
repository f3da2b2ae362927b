"""What a caller wants by now, read out of the history of the call and out of nothing else.

Each line of the caller adds what it means; each line of the agent tells what was asked, for its questions are known by
their words. So a call that another process goes on with goes on where it was. Pure: today is an argument.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from enum import Enum

from app.call.actions import Message, Said, Used
from app.mind.offline_calendar import Clinic
from app.mind.offline_meaning import Meaning, understand


class Asked(Enum):
    """The agent's questions, by their last words."""

    JOB = "What can I do for you?"
    NAME = "What is your name, please?"
    DAY = "Which day would suit you?"
    TIME = "Which time would you like?"
    OFFER = "Would that suit you?"
    RIGHT = "Is that right?"
    WRONG = "What is wrong, the name, the day or the time?"
    SPELLING = "Please say: I spell it, and then your last name, letter by letter."
    MESSAGE = "What is your message?"
    MORE = "Is there anything else I can do for you?"


DONE = ("You are booked", "Your appointment is now", "I have cancelled", "I have written", "I find no appointment")
"""How the agent begins to tell that a job is over; whatever follows is another one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known of what the caller wants, after so many lines."""

    job: str = ""
    name: str = ""
    spelled: bool = False
    day: date | None = None
    at: time | None = None
    part: int | None = None
    earliest: bool = False
    message: str = ""
    offered: datetime | None = None  # what was asked about last
    asked: Asked | None = None
    agreed: bool = False  # the last words were a yes to what was read back
    refused: bool = False  # they were a no, and said nothing better
    missed: int = 0  # utterances in a row that meant nothing
    last: Meaning = field(default_factory=Meaning)
    said: str = ""  # the caller's last words
    told: str = ""  # the agent's last words

    def without(self, what: str) -> "Wish":
        """Without what the caller calls wrong."""
        match what:
            case "name":
                return replace(self, refused=True)  # it is not thrown away: most of it may be right
            case "day":
                return replace(self, day=None, refused=False)
            case "time":
                return replace(self, at=None, part=None, refused=False)
        return self


def wish(messages: Iterable[Message], today: date, clinic: Clinic) -> Wish:
    """What the caller wants, after this history."""
    known = Wish()
    for message in messages:
        match message:
            case Said("agent", text):
                known = _after_agent(known, text, today, clinic)
            case Said("caller", text):
                known = _after_caller(known, text, today, clinic)
            case Used():
                known = replace(known, job="" if known.job in ("message", "transfer") else known.job, agreed=False)
    return known


def _after_agent(known: Wish, text: str, today: date, clinic: Clinic) -> Wish:
    asked = next((question for question in Asked if question.value in text), None)
    if any(done in text for done in DONE):
        name = "" if "I find no appointment" in text else known.name
        return Wish(name=name, asked=asked, told=text)
    offered = None
    if asked is Asked.OFFER:
        read = understand(text, today, clinic)
        offered = datetime.combine(read.day, read.at) if read.day and read.at else None
    return replace(known, asked=asked, offered=offered, told=text)


def _after_caller(known: Wish, text: str, today: date, clinic: Clinic) -> Wish:
    said = understand(text, today, clinic, name_asked=known.asked is Asked.NAME)
    now = replace(known, last=said, said=text, agreed=False, refused=False, missed=0)
    if known.asked is Asked.MESSAGE and not said.goodbye and text.strip():
        return replace(now, message=text.strip())
    if said.empty:
        return replace(now, missed=known.missed + 1)
    if said.job and said.job != known.job and said.job != "hours":
        now = replace(now, job=said.job, day=None, at=None, part=None, earliest=False, message="")
    if said.errand and not now.job:
        now = replace(now, job="message", message=said.errand)
    now = _with_answer(now, said)
    now = _with_name(now, said)
    return replace(
        now,
        day=said.day or now.day,
        at=said.at or now.at,
        part=said.part if said.part is not None else now.part,
        earliest=said.earliest or (now.earliest and not said.day),
        job=now.job or ("book" if said.day or said.at or said.earliest else ""),
    )


def _with_answer(now: Wish, said: Meaning) -> Wish:
    """What a yes or a no means depends on what was asked; a better answer than either takes their place."""
    if now.asked is Asked.WRONG or (now.asked is Asked.RIGHT and said.wrong):
        return now.without(said.wrong)
    if said.details:
        return now
    if now.asked is Asked.OFFER and said.answer is True and now.offered is not None:
        return replace(now, day=now.offered.date(), at=now.offered.time(), earliest=False)
    if now.asked is Asked.OFFER and said.answer is False:
        return replace(now, day=None, at=None, earliest=False)
    if now.asked is Asked.RIGHT:
        return replace(now, agreed=said.answer is True, refused=said.answer is False)
    return now


def _with_name(now: Wish, said: Meaning) -> Wish:
    if said.spelled:
        first = now.name.split()[0] if now.asked is Asked.SPELLING and " " in now.name else ""
        return replace(now, name=f"{first} {said.spelled}".strip(), spelled=True, refused=False)
    if said.name:
        return replace(now, name=said.name, spelled=False, refused=False)
    return now
