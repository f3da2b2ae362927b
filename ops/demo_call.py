"""The call of `make demo`: a caller with a synthetic voice, or the lab's, and the trace of the server that answers.

The caller speaks aloud and hears with a telephone's ear when the agent sounds and when it is quiet. Which words those
were it reads in the server's trace, when they have sounded: it has no ears that understand speech.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from app.call.account import Account, Turn
from app.call.actions import Write
from app.errors import SettingsError
from app.mouth.offline_espeak import espeak
from app.mouth.offline_recital import Place, Recital
from app.mouth.ways import Sound
from app.switchboard import trace
from ops.lab.caller import Caller
from ops.lab.ear import QUIET
from ops.lab.place import Target
from ops.lab.report import Report
from ops.lab.story import Answers, Ends, Hears, Says, Story, TalksOver

VOICE = "en-us+klatt3"  # of espeak-ng's voices the one that is understood best over a telephone
WORDS_PER_MINUTE = 150
NAME = "Robert Wilson"

_LOOK_SECONDS = 0.1

# What the caller says to what they heard; the first that fits. What was misheard is put right when it is read back.
_REPLIES: Mapping[str, str] = {
    rf"{NAME} for Monday, \w+ \w+ at 10:30\. Is that right": "yes that's right",
    rf"{NAME} for .*Is that right": "no on monday at ten thirty",
    r"Is that right|your name|spell": "my name is robert wilson",
    r"What is wrong": "the name is wrong",
    r"Which time": "at ten thirty",
    r"Which day|suit you": "on monday at ten thirty",
    r"": "i would like to book an appointment",
}

BOOKING = Story(
    "a caller who does not hear every answer to its end, and books an appointment",
    (
        Hears("how can i help", within=10.0),
        Says("what are your opening hours"),
        TalksOver("i would like to book an appointment", after=1.5),
        Answers(_REPLIES, until="You are booked"),
        Says("no thank you"),
        Answers({"": "no thank you"}),
    ),
)

QUESTIONS = Story(
    "a caller with three questions, one of them over the agent's words",
    (
        Hears("how can i help", within=10.0),
        Says("When are you open?"),
        Hears("nine to five"),
        Says("Tell me everything about the clinic."),
        TalksOver("Sorry, are you open on Sundays?", after_words=4),
        Hears("closed on sundays"),
        Says("Thank you, goodbye."),
        Hears("goodbye"),
        Ends(),
    ),
)


def spoken(text: str, pace: float = 1.0) -> bytes:
    """Mu-law of this text in a person's stead, without the quiet around it. Raises VendorError."""
    sounds: list[Sound] = []
    recital = Recital(text, espeak().rate, sounds.append)

    def take(linear: bytes, places: list[Place]) -> bool:
        recital.add(linear, places)
        return True

    espeak().say(text, VOICE, round(pace * WORDS_PER_MINUTE), take)
    recital.end()
    return b"".join(sound.clip.mulaw() for sound in sounds).strip(QUIET)


class Following:
    """One call's trace, read while it is written: `heard` gets what the agent has said, `turned` each turn answered."""

    def __init__(self, folder: Path, heard: Callable[[str], None], turned: Callable[[Turn], None]) -> None:
        self.account = Account()
        self.recorded: trace.Recorded | None = None
        self._folder = folder
        self._heard = heard
        self._turned = turned
        self._read = 0
        self._told = 0

    def look(self) -> None:
        """Take what has been written since the last look."""
        # The trace is moved when its call is in the database, and its first line comes after the file itself.
        with suppress(FileNotFoundError, SettingsError):
            newest = max(self._folder.rglob("*.jsonl"), key=lambda path: path.stat().st_mtime, default=None)
            self.recorded = trace.read(newest) if newest is not None else None
        entries = self.recorded.entries if self.recorded is not None else []
        for entry in entries[self._read :]:
            if entry.thing is not None:
                self.account.add(entry.moment, entry.thing)
            if isinstance(entry.thing, Write) and entry.thing.who == "agent" and entry.thing.heard:
                self._heard(entry.thing.heard)
        self._read = len(entries)
        while self._told < len(self.account.turns) and self.account.turns[self._told].sent_first is not None:
            self._turned(self.account.turns[self._told])
            self._told += 1

    async def until(self, over: asyncio.Event) -> None:
        while not over.is_set():
            self.look()
            await asyncio.sleep(_LOOK_SECONDS)


async def hold(target: Target, caller: Caller, following: Following) -> Report:
    """The call, from the ring to its last word."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks, target.carrier() as carrier:
        tasks.create_task(following.until(over))
        report = await target.ring(carrier, caller)
        over.set()
    await asyncio.sleep(_LOOK_SECONDS)  # in which the server writes down how it ended
    following.look()
    return report
