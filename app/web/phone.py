"""Twilio's webhooks: a call rings, a stream has ended, a call's state has changed. Each must be signed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from quart import Blueprint, Response, request

from app.call.actions import HangUp, Transfer
from app.errors import CallerError
from app.line import twiml
from app.line.signature import Signatures
from app.switchboard.exchange import TROUBLE, Admitted, Exchange, Refused
from app.switchboard.ports import CallFacts
from app.web.media import MEDIA_PATH

log = logging.getLogger(__name__)

_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the carrier reaches us: over HTTP, and for its sockets."""

    public: str
    sockets: str


class PhoneDoors:
    """The three webhooks. What they answer is TwiML; what is wrong with a request is a sentence."""

    def __init__(self, exchange: Exchange, signatures: Signatures, addresses: Addresses) -> None:
        self._exchange = exchange
        self._signatures = signatures
        self._addresses = addresses

    def blueprint(self) -> Blueprint:
        doors = Blueprint("phone", __name__, url_prefix="/twilio")
        doors.before_request(self.only_twilio)
        doors.add_url_rule("/voice", view_func=self.voice, methods=["POST"])
        doors.add_url_rule("/next", view_func=self.following, methods=["POST"])
        doors.add_url_rule("/status", view_func=self.status, methods=["POST"])
        return doors

    async def only_twilio(self) -> Response | None:
        form = await request.form
        path = request.full_path if request.query_string else request.path
        try:
            self._signatures.check_webhook(path, form, request.headers.get("X-Twilio-Signature"))
        except CallerError as error:
            log.warning("a webhook at %s was refused: %s", request.path, error)
            return Response(f"Refused: {error}.\n", 403, content_type="text/plain")
        return None

    async def voice(self) -> Response:
        """A call rings."""
        form = await request.form
        sid, called, caller = (form.get(name, "") for name in ("CallSid", "To", "From"))
        if not sid or not called:
            return Response("A voice webhook needs the fields CallSid and To.\n", 400, content_type="text/plain")
        inbound = form.get("Direction", "inbound") == "inbound"
        ours, theirs = (called, caller) if inbound else (caller, called)
        answer = await self._exchange.ring(CallFacts(sid, "inbound" if inbound else "outbound", ours, theirs))
        if isinstance(answer, Refused):
            log.warning("call %s was refused: %s", sid, answer.reason)
            return _xml(twiml.apologise(answer.words))
        return self._stream(answer, twiml.connect)

    async def following(self) -> Response:
        """A stream has ended: what now?"""
        form = await request.form
        if form.get("DialCallStatus") or form.get("CallStatus", "") in _OVER:
            return _xml(twiml.hang_up())
        wish = await self._exchange.follow(form.get("CallSid", ""))
        match wish:
            case Admitted():
                return self._stream(wish, twiml.resume)
            case Transfer(to=number):
                return _xml(twiml.dial(number, action=f"{self._addresses.public}/twilio/next"))
            case HangUp(fault="platform" | "vendor"):
                return _xml(twiml.apologise(TROUBLE))
            case _:
                return _xml(twiml.hang_up())

    async def status(self) -> Response:
        """A call's or a stream's state has changed. A failed stream is explained here and nowhere else."""
        form = await request.form
        if form.get("StreamError"):
            log.warning("call %s: the stream failed: %s", form.get("CallSid"), form["StreamError"])
        return Response(status=204)

    def _stream(self, admitted: Admitted, document: Callable[..., str]) -> Response:
        return _xml(
            document(
                self._addresses.sockets + MEDIA_PATH,
                admitted.token,
                action=f"{self._addresses.public}/twilio/next",
                status=f"{self._addresses.public}/twilio/status",
                apology=TROUBLE,
            )
        )


def _xml(document: str) -> Response:
    return Response(document, content_type="text/xml")
