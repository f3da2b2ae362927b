"""A websocket towards a vendor, as lean as a call needs it: sending never waits, and letting go takes no time.

The protocol is that of `websockets`, without its queues and tasks: a message is handed on within the same pass of the
event loop that read it from the network. Whoever owns a socket decides when to open another.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from os import urandom
from typing import cast
from urllib.parse import urlsplit, urlunsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import SEND_EOF, State
from websockets.uri import parse_uri

from app.errors import VendorError

try:
    from websockets.speedups import apply_mask
except ImportError:  # where the package came without its compiled part
    from websockets.utils import apply_mask

OPEN_WITHIN = 4.0  # a handshake over TLS takes three round trips; a caller has lost patience by then anyway
_TEXT, _BINARY, _MASKED = 0x81, 0x82, 0x80  # whole messages; a client masks what it sends
GONE_WITHIN = 1.0  # vendors answer a goodbye at once or never

# Ours alone, and never at DEBUG: there the library would write our keys into the log.
_wire = logging.getLogger("app.socket.wire")
_wire.setLevel(logging.INFO)

Heard = Callable[[str | bytes], None]


class RefusedError(VendorError):
    """The vendor answered the handshake with an HTTP status, and usually says why."""

    def __init__(self, vendor: str, status: int, why: str) -> None:
        again = status not in (400, 401, 402, 403, 404)
        super().__init__(vendor, f"refused with status {status}{f': {why}' if why else ''}", again=again)
        self.status = status


@dataclass(frozen=True, slots=True)
class Parting:
    """How a socket ended: the close code and reason of whoever said goodbye first; 1006 when nobody did."""

    code: int
    reason: str

    def __str__(self) -> str:
        return f"the socket closed with {self.code}{f' {self.reason}' if self.reason else ''}"


class Socket(asyncio.Protocol):
    """One connection, opened once. Messages go to `heard`, which never waits; an error in it ends the socket."""

    def __init__(self, vendor: str, url: str, headers: Mapping[str, str], heard: Heard) -> None:
        self.heard = heard
        self.lost: Callable[[], None] | None = None  # called once, when it is over
        self.leaving = False
        self._vendor = vendor
        self._url = url
        self._headers = headers
        self._protocol = ClientProtocol(parse_uri(url), max_size=None, logger=_wire)
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] | None = None
        self._over = asyncio.Event()
        self._fault: Exception | None = None
        self._parts: list[bytes] = []
        self._is_text = False

    # --- what the owner does --------------------------------------------------------------------------------------

    async def open(self, within: float = OPEN_WITHIN) -> float:
        """Shake hands; gives the seconds that it took. Raises VendorError, RefusedError where the vendor says no."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._opened = loop.create_future()
        try:
            async with asyncio.timeout(within):
                await self._connect(loop)
                await self._opened
        except TimeoutError:
            self.abort()
            raise VendorError(self._vendor, f"no connection within {within:g} s") from None
        except OSError as error:
            self.abort()
            raise VendorError(self._vendor, f"cannot be reached: {error}") from error
        except BaseException:
            self.abort()
            raise
        return loop.time() - began

    @property
    def is_open(self) -> bool:
        return self._protocol.state is State.OPEN and not self.leaving

    @property
    def waiting(self) -> int:
        """Bytes that the network has not taken yet: it, or the vendor, is slower than we are."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def send(self, message: str | bytes) -> None:
        """Send a text or a binary message. To a socket that is not open nothing is sent: `ended` says why."""
        if not self.is_open:
            return
        assert self._transport is not None
        # Nothing waits inside the protocol, so what it would write is written here: a third of what sending takes.
        if isinstance(message, str):
            self._transport.write(_frame(_TEXT, message.encode()))
        else:
            self._transport.write(_frame(_BINARY, message))

    def ping(self) -> None:
        """Keep whatever lies between us and the vendor from forgetting an idle connection."""
        if self.is_open:
            self._protocol.send_ping(b"")
            self._write()

    async def ended(self) -> Parting:
        """Wait for the end. Raises what `heard` raised, if that ended it."""
        await self._over.wait()
        if self._fault is not None:
            raise self._fault
        goodbye = self._protocol.close_rcvd or self._protocol.close_sent
        return Parting(goodbye.code, goodbye.reason) if goodbye is not None else Parting(1006, "")

    def leave(self, last_words: str = "") -> None:
        """Say goodbye without waiting for the answer; see `gone`. Nothing that still comes is heard."""
        if last_words:
            self.send(last_words)
        if self.is_open:
            self._protocol.send_close(1000)
            self._write()
        self.leaving = True

    async def gone(self, within: float = GONE_WITHIN) -> None:
        """Give the vendor a moment to answer the goodbye, then hang up."""
        try:
            async with asyncio.timeout(within):
                await self._over.wait()
        except TimeoutError:
            pass  # the answer changes nothing
        finally:
            self.abort()

    def abort(self) -> None:
        """Hang up."""
        self.leaving = True
        if self._transport is not None:
            self._transport.abort()

    # --- what the network does ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        if self.leaving:
            self._transport.abort()
            return
        request = self._protocol.connect()
        request.headers.update(self._headers)
        self._protocol.send_request(request)
        self._write()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._read()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(VendorError(self._vendor, "hung up during the handshake"))
        self._over.set()
        if self.lost is not None:
            self.lost()

    # --- between the two ------------------------------------------------------------------------------------------

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        where = self._protocol.uri
        secure = _trusted() if where.secure else None
        await loop.create_connection(lambda: self, where.host, where.port, ssl=secure)

    def _read(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._answered(event)
            elif isinstance(event, Frame):
                self._take(event)
        self._write()
        if self._protocol.close_expected() and self._transport is not None:
            self._transport.close()

    def _answered(self, response: Response) -> None:
        assert self._opened is not None
        if self._opened.done():
            return
        refusal = self._protocol.handshake_exc
        if refusal is None:
            self._opened.set_result(None)
        elif isinstance(refusal, InvalidStatus):
            self._opened.set_exception(RefusedError(self._vendor, response.status_code, _reason(response)))
        else:
            self._opened.set_exception(VendorError(self._vendor, f"answered the handshake wrongly: {refusal}"))

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) or self.leaving:
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        if not frame.fin or self._parts:
            self._parts.append(bytes(frame.data))
        if frame.fin:
            message = b"".join(self._parts) if self._parts else bytes(frame.data)
            self._parts = []
            self._hand_on(message)

    def _hand_on(self, message: bytes) -> None:
        try:
            self.heard(message.decode(errors="replace") if self._is_text else message)
        except Exception as fault:  # raised again from `ended`, in the task that owns this socket
            self._fault = fault
            self.abort()

    def _write(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data is not SEND_EOF:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()


def _frame(kind: int, payload: bytes) -> bytes:
    """A client's frame of a whole message."""
    length, mask = len(payload), urandom(4)
    if length < 126:
        head = bytes((kind, _MASKED | length))
    elif length < 65536:
        head = bytes((kind, _MASKED | 126)) + length.to_bytes(2)
    else:
        head = bytes((kind, _MASKED | 127)) + length.to_bytes(8)
    return head + mask + apply_mask(payload, mask)


def over_websocket(url: str) -> str:
    """The address of a vendor's sockets, however its address was written."""
    parts = urlsplit(url.rstrip("/"))
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme in ("https", "wss") else "ws"))


def over_http(url: str) -> str:
    """The address of a vendor's requests, however its address was written."""
    parts = urlsplit(url.rstrip("/"))
    return urlunsplit(parts._replace(scheme="https" if parts.scheme in ("https", "wss") else "http"))


@cache
def _trusted() -> ssl.SSLContext:
    """Reading all certificates takes 20 ms: once is enough."""
    return ssl.create_default_context()


def _reason(response: Response) -> str:
    """Deepgram says why in a header of its own, others in the body."""
    said = response.headers.get("dg-error") or bytes(response.body or b"")[:300].decode(errors="replace")
    return " ".join(said.split())
