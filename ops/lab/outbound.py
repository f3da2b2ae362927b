"""A number that the server had dialled: how it rings, who answers, and what the company tells the server of that."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ops.lab import twiml
from ops.lab.phone import Fault
from ops.lab.twiml import Verb

NOT_ANSWERED = frozenset({"busy", "no-answer", "failed", "canceled"})
LISTENS = {"human": 1.5, "machine": 4.0}  # seconds until the company knows what has answered: a "hello" is short
VERDICTS = {
    ("human", "Enable"): "human",
    ("human", "DetectMessageEnd"): "human",
    ("machine", "Enable"): "machine_start",
    ("machine", "DetectMessageEnd"): "machine_end_beep",
}


class Dialled(Protocol):
    """A call as the REST interface keeps it: the form that created it. Of a name given twice, `asked` is the last."""

    @property
    def sid(self) -> str: ...
    @property
    def form(self) -> Mapping[str, Sequence[str]]: ...
    def asked(self, name: str, default: str = "") -> str: ...


class Leg(Protocol):
    """What a ringing telephone needs of a call."""

    status: str
    answered_by: str

    def end(self, by: str, why: str) -> None: ...
    def report(self, url: str, **more: str) -> None: ...
    def note(self, work: Coroutine[None, None, None]) -> None: ...
    async def tell(self, url: str, fields: Mapping[str, str], method: str = "POST") -> None: ...
    async def lapse(self, seconds: float) -> None: ...
    async def document(
        self, url: str, more: Mapping[str, str] | None = None, method: str = "POST"
    ) -> list[Verb] | None: ...
    @property
    def fields(self) -> dict[str, str]: ...
    @property
    def duration(self) -> str: ...
    @property
    def changed(self) -> bool: ...


@dataclass(slots=True)
class Ringing:
    """One number ringing. `moved` is told every status, and who answered."""

    dialled: Dialled
    answers: str
    after: float
    moved: Callable[[str, str], None]
    told: int = 0  # status callbacks so far

    async def until_answered(self, leg: Leg) -> list[Verb] | None:
        """What to do when somebody has answered; None when nobody has."""
        for status in ("initiated", "ringing"):
            self._move(leg, status, status)
        await leg.lapse(self.after)
        if leg.changed or self.answers in NOT_ANSWERED:
            self._missed(leg, "canceled" if leg.changed else self.answers)
            return None
        self._move(leg, "in-progress", "answered")
        await self._detect(leg)
        if url := self.dialled.asked("Url"):
            return await leg.document(url, None, self.dialled.asked("Method"))
        try:
            return twiml.read(self.dialled.asked("Twiml"), "text/xml")
        except twiml.Unusable as useless:
            fault = Fault(useless.code, str(useless))
            leg.end("carrier", f"an application error has occurred: {fault.what}")
            return None

    def ended(self, leg: Leg) -> None:
        """The last report, which every subscription but `completed` goes without."""
        self._move(leg, leg.status, "completed", CallDuration=leg.duration)

    def _missed(self, leg: Leg, status: str) -> None:
        leg.status = status
        leg.end("carrier", f"nobody answered: {status}")

    def _move(self, leg: Leg, status: str, event: str, **more: str) -> None:
        leg.status = status
        self.moved("queued" if status == "initiated" else status, leg.answered_by)
        wanted = " ".join(self.dialled.form.get("StatusCallbackEvent", ())).split() or ["completed"]
        if event in wanted:
            url = self.dialled.asked("StatusCallback")
            leg.report(url, SequenceNumber=str(self.told), CallbackSource="call-progress-events", **more)
        self.told += 1

    async def _detect(self, leg: Leg) -> None:
        """Finds out what has answered: before anything else happens, or beside it."""
        verdict = VERDICTS.get((self.answers, self.dialled.asked("MachineDetection")))
        if verdict is None or self.dialled.asked("SendDigits"):
            return
        if self.dialled.asked("AsyncAmd") == "true":
            leg.note(self._tell_later(leg, verdict))
        else:
            await leg.lapse(LISTENS[self.answers])
            leg.answered_by = verdict
            self.moved(leg.status, verdict)

    async def _tell_later(self, leg: Leg, verdict: str) -> None:
        await asyncio.sleep(LISTENS[self.answers])
        took = str(round(1000 * LISTENS[self.answers]))
        url = self.dialled.asked("AsyncAmdStatusCallback")
        self.moved(leg.status, verdict)
        who = {name: leg.fields[name] for name in ("CallSid", "AccountSid")}
        await leg.tell(url, {**who, "AnsweredBy": verdict, "MachineDetectionDuration": took})
