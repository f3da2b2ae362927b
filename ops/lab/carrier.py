"""The telephone company: rings a server by its webhook, follows its TwiML, carries the stream, reports the call.

It speaks the company's wire and takes the caller's side in nothing: whatever the company would refuse, warn of or end
the call for, it refuses, notes or ends the call for.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Self
from urllib.parse import urljoin

from ops.lab import twiml
from ops.lab.caller import Caller
from ops.lab.grid import Grid
from ops.lab.leg import SERVER_CLOSED, Leg
from ops.lab.outbound import NOT_ANSWERED, Dialled, Ringing
from ops.lab.phone import Fault, Phone
from ops.lab.socket import Refused, dial
from ops.lab.speech import RATE, say
from ops.lab.twiml import Verb
from ops.lab.webhook import Reach, Unanswered, Webhooks, sign

API_VERSION = "2010-04-01"
CONNECT_WITHIN = 5.0  # seconds for the socket and its handshake
MOST_DOCUMENTS = 50  # a redirect that leads back to itself has to end somewhere
NOT_CONNECTED, REFUSED = 31901, 31920
HARMLESS = frozenset({SERVER_CLOSED})  # the company logs an error whenever a server ends a stream, as it may


@dataclass(slots=True)
class Outcome:
    """What became of a call. `by`: who ended it (caller, agent, carrier); `why`: in words. The grid's clock."""

    sid: str
    by: str = ""
    why: str = ""
    began: float = 0.0
    ended: float = 0.0
    streams: int = 0
    verbs: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)
    errors: list[Fault] = field(default_factory=list)

    @property
    def grave(self) -> list[Fault]:
        return [error for error in self.errors if error.code not in HARMLESS]


class Carrier:
    """One account with the company. Use it as a context; then any number of calls go through it at once.

    plain: streams may be without encryption, as on one's own machine; reach: see there; status_url: is told the end of
    every call; dial_status: how whoever is dialled takes it (completed, busy, no-answer, failed).
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        plain: bool = False,
        reach: Reach | None = None,
        status_url: str = "",
        dial_status: str = "completed",
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.plain = plain
        self.status_url = status_url
        self.dial_status = dial_status
        self.reach = reach or Reach()
        self.webhooks = Webhooks(auth_token, self.reach)
        self.grid = Grid()
        self.live: dict[str, Call] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.webhooks.close()

    async def ring(self, url: str, caller: Caller, *, from_: str, to: str) -> Outcome:
        """A person rings the number whose voice webhook this is."""
        call = Call(self, caller, from_, to, "inbound")
        return await call.run(lambda: call.document(url), status_url=self.status_url)

    async def ring_socket(self, url: str, caller: Caller, parameters: Mapping[str, str], *, to: str = "") -> Outcome:
        """A stream and nothing else, for a server that has only a media socket."""
        nouns = tuple(Verb("Parameter", {"name": name, "value": value}) for name, value in parameters.items())
        stream = Verb("Stream", {"url": url}, "", nouns)
        return await Call(self, caller, "", to, "inbound").run(lambda: _given([Verb("Connect", nouns=(stream,))]))

    async def answer(
        self,
        dialled: Dialled,
        caller: Caller,
        *,
        answers: str = "human",
        after: float = 0.2,
        moved: Callable[[str, str], None] = lambda status, answered_by: None,
    ) -> Outcome:
        """A number that the server had dialled by REST rings for `after` seconds, and then somebody answers, or nobody.

        answers: human or machine; or busy, no-answer, failed. moved: is told every status and who answered, if known.
        """
        call = Call(self, caller, dialled.asked("From"), dialled.asked("To"), "outbound-api", dialled.sid)
        ringing = Ringing(dialled, answers, after, moved)
        return await call.run(lambda: ringing.until_answered(call), ended=ringing.ended)

    def change(self, sid: str, form: Mapping[str, Sequence[str]]) -> None:
        """A live call is changed by REST: `Status` ends it, `Url` or `Twiml` gives it another course."""
        call = self.live.get(sid)
        if call is None:
            return
        asked = {name: values[-1] for name, values in form.items() if values}
        if asked.get("Status") in ("completed", "canceled"):
            call.update(None)
        elif url := asked.get("Url"):
            call.update([Verb("Redirect", {"method": asked.get("Method", "POST")}, url)])
        elif text := asked.get("Twiml"):
            call.update(twiml.read(text, "text/xml"))


async def _given(verbs: list[Verb]) -> list[Verb]:
    return verbs


class Call:
    """One call in the company's hands. `update` changes its course while it lives, as the REST API does."""

    def __init__(self, carrier: Carrier, caller: Caller, from_: str, to: str, direction: str, sid: str = "") -> None:
        self.carrier = carrier
        self.caller = caller
        self.sid = sid or f"CA{secrets.token_hex(16)}"
        self.status = "ringing"
        self.outcome = Outcome(self.sid)
        self.answered_by = ""
        self._facts = {"From": from_, "To": to, "Caller": from_, "Called": to, "Direction": direction}
        self._url = ""  # of the document that is followed: others are relative to it
        self._documents = 0
        self._news = asyncio.Event()  # the caller leaves, the stream is over, the course is changed
        self._course: list[Verb] | None = None
        self._notes: asyncio.TaskGroup
        self._clock = carrier.grid.clock

    @property
    def fields(self) -> dict[str, str]:
        """What the company tells with every request."""
        who = {"CallSid": self.sid, "AccountSid": self.carrier.account_sid, "ApiVersion": API_VERSION}
        answered_by = {"AnsweredBy": self.answered_by} if self.answered_by else {}
        return {**who, **self._facts, "CallStatus": self.status, **answered_by}

    async def run(
        self,
        begin: Callable[[], Awaitable[list[Verb] | None]],
        *,
        status_url: str = "",
        ended: Callable[["Call"], None] = lambda call: None,
    ) -> Outcome:
        """The whole call, from its first document to the last report."""
        outcome = self.outcome
        outcome.began = self._clock()
        self.carrier.live[self.sid] = self
        try:
            async with asyncio.TaskGroup() as self._notes:
                following = await begin()
                self.status = self.status if self.outcome.by else "in-progress"
                while following is not None:
                    following = await self._follow(following)
                self.end("agent", "the agent hung up")
                outcome.ended = self._clock()
                if self.status not in NOT_ANSWERED:
                    self.status = "completed"
                self.report(status_url, CallDuration=self.duration)
                ended(self)
        finally:
            del self.carrier.live[self.sid]
        self.caller.hang_up()
        outcome.errors += [fault for phone in self.caller.phones for fault in phone.faults]
        return outcome

    @property
    def changed(self) -> bool:
        """Its course was changed, and that has not taken effect yet."""
        return self._course is not None

    @property
    def duration(self) -> str:
        """Whole seconds, as the company tells them."""
        return str(round((self.outcome.ended or self._clock()) - self.outcome.began))

    def update(self, verbs: list[Verb] | None) -> None:
        """Leave what is being done and follow these; with None, hang up."""
        self._course = verbs if verbs is not None else [Verb("Hangup")]
        self._news.set()

    def report(self, url: str, **more: str) -> None:
        """Tell a status callback, without waiting for its answer."""
        if url:
            stamp = format_datetime(datetime.now(UTC))
            self.note(self.tell(url, {**self.fields, "Timestamp": stamp, **more}))

    def note(self, work: Coroutine[None, None, None]) -> None:
        """Done beside the call; the call is not over before it is."""
        self._notes.create_task(work)

    async def tell(self, url: str, fields: Mapping[str, str], method: str = "POST") -> None:
        try:
            await self.carrier.webhooks.ask(url, fields, method)
        except Unanswered as failure:
            self.outcome.errors.append(failure.fault)

    def end(self, by: str, why: str) -> None:
        """The first reason stands."""
        if not self.outcome.by:
            self.outcome.by, self.outcome.why = by, why

    # --- documents ------------------------------------------------------------------------------------------------

    async def document(
        self, url: str, more: Mapping[str, str] | None = None, method: str = "POST"
    ) -> list[Verb] | None:
        """What the server wants done next; None when the call cannot go on."""
        self._documents += 1
        try:
            if self._documents > MOST_DOCUMENTS:
                raise twiml.Unusable(twiml.BAD_DOCUMENT, f"{MOST_DOCUMENTS} documents and no end: {url}")
            answer = await self.carrier.webhooks.ask(url, {**self.fields, **(more or {})}, method or "POST")
            verbs = twiml.read(answer.body, answer.content_type)
        except Unanswered as failure:
            self._give_up(failure.fault)
            return None
        except twiml.Unusable as useless:
            self._give_up(Fault(useless.code, f"{url}: {useless}"))
            return None
        self._url = url
        for verb in verbs:
            self.outcome.errors += twiml.oddities(verb)
        return verbs

    def _give_up(self, fault: Fault) -> None:
        """The company says that an application error has occurred, and hangs up."""
        self.outcome.errors.append(fault)
        self.end("carrier", f"an application error has occurred: {fault.what}")

    async def _follow(self, verbs: list[Verb]) -> list[Verb] | None:
        """Do what one document says; what to follow next, or None at the end of the call."""
        for verb in verbs:
            self.outcome.verbs.append(str(verb))
            self._news.clear()
            following = await self._do(verb)
            if self.caller.leaving:
                self.end("caller", "the caller hung up")
                return None
            if self._course is not None:
                following, self._course = self._course, None
            if following is not None or self.outcome.by:
                return following
        return None

    async def _do(self, verb: Verb) -> list[Verb] | None:
        """One verb. A list: follow this instead of the next verb."""
        attributes = verb.attributes
        match verb.name:
            case "Connect":
                return await self._connect(verb)
            case "Say":
                began = self._clock()
                await self.lapse(len(say(verb.text)) / RATE)
                self.caller.told(verb.text, began, self._clock())
            case "Play":
                keys = attributes.get("digits", "")
                await self.lapse(0.5 * len(keys) or 1.0)
            case "Pause":
                await self.lapse(float(attributes.get("length", 1)))
            case "Dial":
                return await self._dial(verb)
            case "Redirect":
                url = urljoin(self._url, verb.text)
                verbs = await self.document(url, None, attributes.get("method", ""))
                return verbs
            case "Hangup":
                self.end("agent", "the agent hung up")
            case "Reject":
                self.end("agent", f"the agent rejected the call: {attributes.get('reason', 'rejected')}")
        return None

    async def lapse(self, seconds: float) -> None:
        """Time passes, unless something happens."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _dial(self, verb: Verb) -> list[Verb] | None:
        """Somebody else is rung; what the whisper says is followed no further than it can be read."""
        number = next((noun for noun in verb.nouns if noun.name == "Number"), verb)
        self.outcome.dialled.append(number.text)
        dialled = f"CA{secrets.token_hex(16)}"
        if whisper := number.attributes.get("url"):
            to = {"CallSid": dialled, "ParentCallSid": self.sid, "To": number.text, "Direction": "outbound-dial"}
            heard = await self.document(urljoin(self._url, whisper), to, number.attributes.get("method", ""))
            self.outcome.verbs += [f"whisper: {whispered}" for whispered in heard or []]
        await self.lapse(1.0)
        if action := verb.attributes.get("action"):
            how = {"DialCallSid": dialled, "DialCallStatus": self.carrier.dial_status}
            if self.carrier.dial_status == "completed":
                how["DialCallDuration"] = "1"
            url = urljoin(self._url, action)
            return await self.document(url, how, verb.attributes.get("method", ""))
        return None

    # --- the stream -----------------------------------------------------------------------------------------------

    async def _connect(self, verb: Verb) -> list[Verb] | None:
        stream = next((noun for noun in verb.nouns if noun.name == "Stream"), Verb("Stream"))
        faults = list(twiml.refusals(stream, plain=self.carrier.plain))
        self.outcome.errors += faults
        if faults:
            self._stream_event(stream, "", "stream-error", StreamError=faults[0].what)
        else:
            await self._stream(stream)
        action = verb.attributes.get("action")
        if not action:
            return None
        if self.caller.leaving:
            self.status = "completed"  # the server is told, and what it answers is of no use any more
            await self.tell(urljoin(self._url, action), self.fields, verb.attributes.get("method", "POST"))
            return None
        if self._course is not None:
            return None
        return await self.document(urljoin(self._url, action), None, verb.attributes.get("method", ""))

    async def _stream(self, stream: Verb) -> None:
        phone = Phone(
            stream_sid=f"MZ{secrets.token_hex(16)}",
            call_sid=self.sid,
            account_sid=self.carrier.account_sid,
            parameters=twiml.parameters(stream),
        )
        leg = Leg(phone, self.caller, self._clock, self._news)
        url = stream.attributes["url"]
        headers = {"x-twilio-signature": sign(self.carrier.auth_token, url, {}), "User-Agent": "Twilio.TmeWs/1.0"}
        try:
            real = self.carrier.reach.of(url)
            leg.socket = await dial(
                real, headers=headers, on_message=leg.receive, on_closed=leg.lost, within=CONNECT_WITHIN
            )
        except Refused as refused:
            fault = Fault(REFUSED if refused.status else NOT_CONNECTED, f"{url}: {refused}")
            self.outcome.errors.append(fault)
            self._stream_event(stream, phone.stream_sid, "stream-error", StreamError=fault.what)
            return
        self.outcome.streams += 1
        self._stream_event(stream, phone.stream_sid, "stream-started")
        leg.begin()
        self.carrier.grid.join(leg.beat)
        try:
            await self._news.wait()
        finally:
            self.carrier.grid.leave(leg.beat)
            leg.end()
        if leg.failure is not None:
            raise leg.failure
        self.outcome.errors += leg.why_lost(url)
        self._stream_event(stream, phone.stream_sid, "stream-stopped")

    def _stream_event(self, stream: Verb, sid: str, event: str, **more: str) -> None:
        url = stream.attributes.get("statusCallback", "")
        name = stream.attributes.get("name", sid)
        if url:
            self.report(urljoin(self._url, url), StreamSid=sid, StreamName=name, StreamEvent=event, **more)
