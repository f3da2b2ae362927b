"""Twilio's REST interface for calls: create, look up, change, record. A call itself is somebody else's work.

Who rings the numbers and follows the TwiML plugs in at `Calls`: it is told of every call that is created or changed,
and says what became of it. Nobody plugged in: calls stay queued, as they do when nobody's telephone rings.
"""

import asyncio
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from ops.lab.door import CREDENTIAL_REFUSED, Request, clock
from ops.lab.profile import Fault, Faults

_PATH = re.compile(
    r"(/api\.twilio\.com)?/2010-04-01/Accounts/(?P<account>\w+)/Calls(/(?P<sid>\w+))?(?P<recordings>/Recordings)?\.json"
)
_NUMBER = re.compile(r"\+[1-9]\d{6,14}|sip:\S+|client:\S+")
_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_PRICED_AFTER = 2.0  # seconds after its end until a call has its price
_PRICE_PER_MINUTE_USD = 0.014  # of every minute begun
_LONGEST_TWIML = 4000  # characters

Form = dict[str, list[str]]


@dataclass(slots=True)
class Call:
    """One call of the account, and everything that was asked of it."""

    sid: str
    account_sid: str
    form: Form
    created: datetime
    status: str = "queued"
    direction: str = "outbound-api"
    answered_by: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    ended_at: float | None = None  # on the clock of the lab
    duration: int | None = None  # seconds
    changes: list[Form] = field(default_factory=list)

    def asked(self, name: str, default: str = "") -> str:
        return _last(self.form, name) or default

    @property
    def over(self) -> bool:
        return self.status in _OVER

    def told(self, now: float) -> dict[str, Any]:
        """The resource as the vendor shows it: times in RFC 2822, numbers as text, the price a while after the end."""
        priced = self.ended_at is not None and now >= self.ended_at + _PRICED_AFTER and bool(self.duration)
        minutes = -(-(self.duration or 0) // 60)
        path = f"/2010-04-01/Accounts/{self.account_sid}/Calls/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "date_created": format_datetime(self.created),
            "date_updated": format_datetime(self.ended or self.created),
            "to": self.asked("To"),
            "from": self.asked("From"),
            "status": self.status,
            "direction": self.direction,
            "answered_by": self.answered_by,
            "start_time": format_datetime(self.started) if self.started else None,
            "end_time": format_datetime(self.ended) if self.ended else None,
            "duration": str(self.duration) if self.duration is not None else None,
            "price": f"-{minutes * _PRICE_PER_MINUTE_USD:.5f}" if priced else None,
            "price_unit": "USD",
            "queue_time": "0",
            "parent_call_sid": None,
            "phone_number_sid": None,
            "uri": f"{path}.json",
            "subresource_uris": {"recordings": f"{path}/Recordings.json"},
        }


def _nobody(call: Call) -> None:
    return


@dataclass(slots=True)
class Calls:
    """Every call of the account. `on_created` and `on_updated` run on the lab's loop and must not wait."""

    on_created: Callable[[Call], None] = _nobody
    on_updated: Callable[[Call], None] = _nobody
    by_sid: dict[str, Call] = field(default_factory=dict)

    def create(self, account_sid: str, form: Form, sid: str) -> Call:
        call = Call(sid, account_sid, form, datetime.now(UTC))
        self.by_sid[sid] = call
        self.on_created(call)
        return call

    def admit(self, sid: str, account_sid: str, *, to: str, from_: str) -> Call:
        """A call that came in from outside, so that it can be looked up and ended like any other."""
        call = Call(sid, account_sid, {"To": [to], "From": [from_]}, datetime.now(UTC), "ringing", "inbound")
        self.by_sid[sid] = call
        return call

    def move(self, sid: str, status: str, now: float, *, answered_by: str | None = None) -> Call:
        """What became of a call: ringing, in-progress, completed, busy, …; its length follows from the two times."""
        call = self.by_sid[sid]
        call.status = status
        call.answered_by = answered_by or call.answered_by
        moment = datetime.now(UTC)
        if status == "in-progress" and call.started is None:
            call.started = moment
        elif call.over and call.ended is None:
            call.ended, call.ended_at = moment, now
            call.duration = round((moment - call.started).total_seconds()) if call.started else 0
        return call


class Wrong(Exception):
    """What Twilio answers with an error, and its own number for it."""

    def __init__(self, status: int, code: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.code = code

    @property
    def body(self) -> dict[str, Any]:
        more_info = f"https://www.twilio.com/docs/errors/{self.code}"
        return {"code": self.code, "message": str(self), "more_info": more_info, "status": self.status}


class TwilioRest:
    """All of Twilio's REST interface that this lab has."""

    def __init__(self, calls: Calls, faults: Faults, seed: int) -> None:
        self.calls = calls
        self._faults = faults
        self._seed = seed
        self._numbers = itertools.count(1)
        self._asked: dict[str, int] = {}

    @staticmethod
    def owns(path: str) -> bool:
        return _PATH.fullmatch(path) is not None

    def counts(self, now: float) -> dict[str, Any]:
        return {"requests": dict(self._asked), "calls": [call.told(now) for call in self.calls.by_sid.values()]}

    def reset(self) -> None:
        self._asked.clear()
        self.calls.by_sid.clear()

    async def serve(self, request: Request) -> None:
        match = _PATH.fullmatch(request.path)
        assert match is not None
        fault = self._faults.next("twilio")
        form = _form((await request.body()).decode())
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.after)
        try:
            self._admit(request, match["account"], fault)
            status, body = self._do(request.method, match, form)
        except Wrong as wrong:
            self._note("refused")
            headers = [] if fault is None or fault.retry_after is None else [("retry-after", f"{fault.retry_after:g}")]
            return await request.answer(wrong.status, wrong.body, headers)
        await request.answer(status, body)

    def _admit(self, request: Request, account: str, fault: Fault | None) -> None:
        name, password = request.basic()
        if not password or password == CREDENTIAL_REFUSED or (name != account and not name.startswith("SK")):
            raise Wrong(401, 20003, "Authenticate")
        if fault is not None and fault.kind == "refuse":
            code, what = (20429, "Too Many Requests") if fault.status == 429 else (20500, "Internal Server Error")
            raise Wrong(fault.status, code, what)

    def _do(self, method: str, match: re.Match[str], form: Form) -> tuple[int, Any]:
        sid = match["sid"]
        if sid is None and method == "POST":
            return 201, self._create(match["account"], form).told(clock())
        call = self.calls.by_sid.get(sid) if sid else None
        if call is None or call.account_sid != match["account"]:
            path = match.string.removeprefix("/api.twilio.com")
            raise Wrong(404, 20404, f"The requested resource {path} was not found")
        if match["recordings"]:
            return 201, self._record(call, form)
        if method == "GET":
            self._note("read")
            return 200, call.told(clock())
        self._update(call, form)
        return 200, call.told(clock())

    def _create(self, account: str, form: Form) -> Call:
        for name, code in (("To", 21201), ("From", 21213)):
            if not _last(form, name):
                raise Wrong(400, code, f"No '{name}' number is specified")
        if not _NUMBER.fullmatch(form["To"][-1]):
            raise Wrong(400, 21211, f"Invalid 'To' Phone Number: {form['To'][-1]}")
        if not any(_last(form, name) for name in ("Url", "Twiml", "ApplicationSid")):
            raise Wrong(400, 21205, "Url parameter is required")
        _check_twiml(form)
        if _last(form, "MachineDetection") not in ("", "Enable", "DetectMessageEnd"):
            raise Wrong(400, 21261, "MachineDetection must be Enable or DetectMessageEnd")
        self._note("create")
        return self.calls.create(account, form, self._sid("CA"))

    def _update(self, call: Call, form: Form) -> None:
        status = _last(form, "Status")
        if call.over:
            raise Wrong(400, 21220, "Call is not in-progress. Cannot redirect.")
        if status and status not in ("completed", "canceled"):
            raise Wrong(400, 21218, f"Invalid Status: {status}")
        _check_twiml(form)
        call.changes.append(form)
        self._note("update")
        if status == "canceled" and call.status not in ("queued", "ringing"):
            raise Wrong(400, 21220, "Call is in progress and cannot be canceled.")
        if status:
            self.calls.move(call.sid, status, clock())
        self.calls.on_updated(call)

    def _record(self, call: Call, form: Form) -> dict[str, Any]:
        if call.status != "in-progress":
            raise Wrong(400, 21220, "Requested resource is not eligible for recording")
        self._note("record")
        channels = 2 if _last(form, "RecordingChannels") == "dual" else 1
        known = {"sid": self._sid("RE"), "account_sid": call.account_sid, "call_sid": call.sid}
        return {**known, "status": "in-progress", "channels": channels, "duration": None, "price": None}

    def _sid(self, prefix: str) -> str:
        return f"{prefix}{Random(f'{self._seed} twilio {next(self._numbers)}').getrandbits(128):032x}"

    def _note(self, what: str) -> None:
        self._asked[what] = self._asked.get(what, 0) + 1


def _form(text: str) -> Form:
    form: Form = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        form.setdefault(name, []).append(value)
    return form


def _last(form: Form, name: str) -> str:
    return form[name][-1] if form.get(name) else ""


def _check_twiml(form: Form) -> None:
    if len(_last(form, "Twiml")) > _LONGEST_TWIML:
        raise Wrong(400, 21605, f"Twiml exceeds {_LONGEST_TWIML} characters")
