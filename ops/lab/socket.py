"""A lean websocket for the telephone company: websockets' protocol on a transport, no compression, no tasks."""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

try:
    from websockets.speedups import apply_mask
except ImportError:  # the package was built without its extension in C
    from websockets.utils import apply_mask

GRACE = 1.0  # seconds that a server has to answer a close before the line is cut
STUCK = 1 << 20  # bytes that a server has not read: about a minute of frames


class Refused(Exception):
    """No socket. `status` is what the server answered instead of 101, or 0 when it did not answer at all."""

    def __init__(self, what: str, status: int = 0) -> None:
        super().__init__(what)
        self.status = status


class Socket(asyncio.Protocol):
    """One connection. `code` is how it was closed: 1006 when nobody said goodbye."""

    def __init__(
        self,
        protocol: ClientProtocol,
        headers: Mapping[str, str],
        on_message: Callable[[str | bytes], None],
        on_closed: Callable[[], None],
    ) -> None:
        self.code = 1006
        self.reason = ""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._protocol = protocol
        self._headers = headers
        self._on_message = on_message
        self._on_closed = on_closed
        self._fragments: list[bytes] = []
        self._fragments_are_text = True
        self._transport: asyncio.Transport

    # --- what the company does with it ----------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """A text message; none when the socket is closing. Framed here, which takes a fifth of websockets' time."""
        if self._protocol.state is not State.OPEN:
            return
        payload = text.encode()
        mask = random.randbytes(4)
        if len(payload) < 126:
            head = bytes((0x81, 0x80 | len(payload)))
        elif len(payload) < 65536:
            head = b"\x81\xfe" + len(payload).to_bytes(2)
        else:
            head = b"\x81\xff" + len(payload).to_bytes(8)
        self._transport.write(head + mask + apply_mask(payload, mask))
        if self._transport.get_write_buffer_size() > STUCK:
            self._transport.abort()

    def close(self) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._flush()
        asyncio.get_running_loop().call_later(GRACE, self._transport.abort)

    # --- what the event loop does with it -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        request = self._protocol.connect()
        for name, value in self._headers.items():
            if name in request.headers:
                del request.headers[name]
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Response):
                self._answered(event)

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def connection_lost(self, error: Exception | None) -> None:
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
        if not self.opened.done():
            self.opened.set_exception(Refused("the server broke the connection off"))
        self._over()

    def _over(self) -> None:
        """Told once, at the close or at the break, whichever comes first."""
        on_closed, self._on_closed = self._on_closed, lambda: None
        on_closed()

    def _answered(self, response: Response) -> None:
        if self._protocol.handshake_exc is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(Refused(f"the server answered {response.status_code}", response.status_code))

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            if said := self._protocol.close_rcvd:
                self.code, self.reason = int(said.code), said.reason
            asyncio.get_running_loop().call_later(GRACE, self._transport.abort)
            self._over()
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is not Opcode.CONT:
                self._fragments_are_text = frame.opcode is Opcode.TEXT
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self._on_message(message.decode("utf-8", "replace") if self._fragments_are_text else message)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()  # said and answered: nothing more to come


async def dial(
    url: str,
    *,
    headers: Mapping[str, str],
    on_message: Callable[[str | bytes], None],
    on_closed: Callable[[], None],
    within: float,
) -> Socket:
    """An open socket, or Refused."""
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    protocol = ClientProtocol(parse_uri(url), max_size=None)
    socket: Socket | None = None
    try:
        async with asyncio.timeout(within):
            _, socket = await asyncio.get_running_loop().create_connection(
                lambda: Socket(protocol, headers, on_message, on_closed),
                parts.hostname or "",
                parts.port or (443 if secure else 80),
                ssl=ssl.create_default_context() if secure else None,
            )
            await socket.opened
            return socket
    except TimeoutError:
        if socket is not None:
            socket.close()
        raise Refused(f"the server did not answer within {within:g} s") from None
    except OSError as unreachable:
        raise Refused(str(unreachable)) from None
