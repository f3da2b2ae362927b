"""The doors of the lab: what ASGI hands in, as sockets and requests that a vendor can talk through.

`Talk` keeps one open socket: what comes in goes to a pure machine, what the machine owes goes out when it is due,
and a fault strikes in its time. Nothing here knows which vendor it is.
"""

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from ops.lab.profile import Fault
from ops.lab.stamps import Watch

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Abort = Callable[[Scope], None]
Headers = Iterable[tuple[str, str]]

CREDENTIAL_REFUSED = "wrong"  # any other key is good; this one lets a test see what a vendor says to a bad one


class Gone(Exception):
    """The other side has left."""


def clock() -> float:
    return asyncio.get_running_loop().time()


class Visit:
    """What sockets and requests have in common: who knocks, with which address and which headers."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, abort: Abort) -> None:
        self.path: str = scope["path"]
        self.query: list[tuple[str, str]] = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._scope = scope
        self._receive = receive
        self._send = send
        self._abort = abort

    def asked(self, name: str, default: str = "") -> str:
        """The last value of a parameter of the address."""
        return dict(self.query).get(name, default)

    def token(self, *schemes: str) -> str | None:
        """The credential of the Authorization header, when its scheme is one of these."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() in schemes else None

    def basic(self) -> tuple[str, str]:
        """Name and password of basic authentication; both empty when there is none."""
        try:
            name, _, password = b64decode(self.token("basic") or "", validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return name, password

    def drop(self) -> None:
        """Break the connection, without a goodbye."""
        self._abort(self._scope)


class Socket(Visit):
    """A WebSocket, from its handshake on."""

    async def accept(self) -> None:
        assert (await self._receive())["type"] == "websocket.connect"
        await self._send({"type": "websocket.accept"})

    async def refuse(self, status: int, body: Any, headers: Headers = ()) -> None:
        """Answer the handshake with an error instead of a socket."""
        start = {"status": status, "headers": _raw([("content-type", "application/json"), *headers])}
        await self._send({"type": "websocket.http.response.start", **start})
        await self._send({"type": "websocket.http.response.body", "body": json.dumps(body).encode()})

    async def receive(self) -> str | bytes | None:
        """The next message; None when the other side has left."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text: str | None = message.get("text")
        return text if text is not None else message["bytes"]

    async def send(self, message: Any) -> None:
        try:
            await self._send({"type": "websocket.send", "text": json.dumps(message, ensure_ascii=False)})
        except OSError:
            raise Gone from None

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            raise Gone from None


class Request(Visit):
    """One HTTP request and the answer to it."""

    @property
    def method(self) -> str:
        method: str = self._scope["method"]
        return method

    async def body(self) -> bytes:
        parts = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)

    async def json(self) -> Any:
        """The body; None when it is not JSON."""
        try:
            return json.loads(await self.body() or b"null")
        except ValueError:
            return None

    async def answer(self, status: int, body: Any, headers: Headers = ()) -> None:
        await self.begin(status, "application/json", headers)
        await self.put(json.dumps(body).encode(), more=False)

    async def begin(self, status: int, content_type: str, headers: Headers = ()) -> None:
        raw = _raw([("content-type", content_type), *headers])
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def put(self, part: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": part, "more_body": more})

    async def left(self) -> None:
        """Returns when the other side has broken off."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Patience:
    """Waits for moments of one answer, and notices within them that the other side has left."""

    def __init__(self, request: Request, group: asyncio.TaskGroup) -> None:
        self._gone = asyncio.Event()
        self._watch = group.create_task(self._look(request))

    async def until(self, moment: float) -> None:
        """Wait for a moment of the loop's clock. Raises `Gone` as soon as nobody waits for the answer any more."""
        wait = moment - clock()
        if self._gone.is_set():
            raise Gone
        if wait <= 0:
            return
        try:
            async with asyncio.timeout(wait):
                await self._gone.wait()
        except TimeoutError:
            return
        raise Gone

    def over(self) -> None:
        self._watch.cancel()

    async def _look(self, request: Request) -> None:
        await request.left()
        self._gone.set()


class Machine(Protocol):
    """A pure model of one socket's other side."""

    closing: tuple[int, str] | None

    def take(self, message: str | bytes, now: float) -> None: ...
    def poll(self, now: float) -> list[dict[str, Any]]: ...
    def deadline(self) -> float | None: ...


class Talk:
    """One accepted socket and its machine, until either side closes."""

    def __init__(self, socket: Socket, machine: Machine, fault: Fault | None, watch: Watch | None = None) -> None:
        self._socket = socket
        self._machine = machine
        self._watch = watch
        self._changed = asyncio.Event()
        self._awaited: float | None = None  # the moment that the telling side sleeps to; None is for ever
        self._mute = False
        self._fault: Fault | None = None
        self._strikes_at = 0.0
        if fault is not None:
            self.strike(fault)

    def strike(self, fault: Fault) -> None:
        """Let a fault happen, so many seconds from now."""
        if fault.kind in ("mute", "drop", "close"):
            self._fault = fault
            self._strikes_at = clock() + fault.after
            self._changed.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell())
            while (message := await self._socket.receive()) is not None:
                self._machine.take(message, clock())
                if self._watch is not None:
                    self._watch.heard(message)
                due = self._machine.deadline()
                if due is not None and (self._awaited is None or due < self._awaited):
                    self._changed.set()
            telling.cancel()

    async def _tell(self) -> None:
        closing = None
        try:
            while closing is None:
                await self._wait()
                now = clock()
                if self._fault is not None and now >= self._strikes_at and await self._happen(self._fault):
                    return
                if self._mute:
                    continue
                messages = self._machine.poll(now)
                closing = self._machine.closing  # if it is set while these are sent, the next poll may owe more
                for message in messages:
                    if self._watch is not None:
                        self._watch.told(message)
                    await self._socket.send(message)
            await self._socket.close(*closing)
        except Gone:
            return  # the listening side notices too, and ends the talk

    async def _wait(self) -> None:
        self._changed.clear()
        moments = [] if self._mute else [self._machine.deadline()]
        if self._fault is not None:
            moments.append(self._strikes_at)
        self._awaited = min((moment for moment in moments if moment is not None), default=None)
        if self._awaited is None:
            await self._changed.wait()
        elif (wait := self._awaited - clock()) > 0:
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _happen(self, fault: Fault) -> bool:
        """Whether the socket is over by this."""
        self._fault = None
        if fault.kind == "mute":
            self._mute = True
            return False
        if fault.kind == "drop":
            self._socket.drop()
        else:
            await self._socket.close(fault.code, fault.reason)
        return True


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
