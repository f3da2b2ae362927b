"""One stream between a socket and the caller's ear: passes messages on both ways, and the beat."""

import asyncio
from collections.abc import Callable

from ops.lab.caller import Caller
from ops.lab.phone import Fault, Phone
from ops.lab.socket import Socket

BROKEN, SERVER_CLOSED = 31903, 31921


class Leg:
    """Whatever ends it, or asks for its end, sets `news`."""

    def __init__(self, phone: Phone, caller: Caller, clock: Callable[[], float], news: asyncio.Event) -> None:
        self.socket: Socket
        self.failure: Exception | None = None  # a mistake of ours, which must not be lost in a callback
        self._phone = phone
        self._caller = caller
        self._clock = clock
        self._news = news
        self._open = False
        self._lost = False

    def begin(self) -> None:
        now = self._clock()
        self._send(self._phone.open(now))
        self._caller.lift(self._phone, now)
        self._open = True
        if self._lost:
            self._news.set()

    def end(self) -> None:
        self._open = False
        self._caller.lower(self._clock())
        if not self._lost:
            self._send([self._phone.stop()])
            self.socket.close()

    def beat(self, due: float) -> None:
        try:
            self._send(self._caller.beat(due))
        except Exception as failure:
            self._fail(failure)
        if self._caller.leaving:
            self._news.set()

    def receive(self, message: str | bytes) -> None:
        if self._open:
            try:
                self._send(self._caller.receive(message, self._clock()))
            except Exception as failure:
                self._fail(failure)

    def lost(self) -> None:
        self._lost = True
        if self._open:
            self._news.set()

    def why_lost(self, url: str) -> list[Fault]:
        if not self._lost or self._caller.leaving:
            return []
        if self.socket.code == 1006:
            return [Fault(BROKEN, f"{url}: the connection broke")]
        reason = f" {self.socket.reason}".rstrip()
        return [Fault(SERVER_CLOSED, f"{url}: the server closed it with {self.socket.code}{reason}")]

    def _send(self, messages: list[str]) -> None:
        for message in messages:
            self.socket.send(message)

    def _fail(self, failure: Exception) -> None:
        self.failure = failure
        self._news.set()
