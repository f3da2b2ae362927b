"""The socket that Deepgram's SDK is given in place of its own, through its `transport_factory`.

Its own one closes in up to 40 s, offers compression that costs time and saves nothing, and cannot be sent to without
waiting. The SDK still makes the address, the query and the authorisation; it hides the transport it was given, so
`latest` hands it to whoever has just connected. The factory is one for the process: the SDK patches itself with it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar

from app.errors import VendorError
from app.socket import Socket

_latest: ContextVar["Transport"] = ContextVar("deepgram_transport")
_UNREAD = 32  # messages; the SDK's own transport stops reading at as many


class Transport:
    """A socket in the shape that the SDK documents. Whoever sets `socket.heard` takes the messages from the SDK."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.socket = Socket("deepgram", url, headers, self._keep)
        self.socket.lost = self._wake
        self._is_opened = False
        self._unread: deque[str | bytes] = deque()
        self._news = asyncio.Event()
        self._is_over = False
        _latest.set(self)

    @classmethod
    def latest(cls) -> "Transport":
        """The transport that the SDK's last `connect` within this task has made."""
        return _latest.get()

    async def open(self) -> float:
        """Shake hands, once; gives the seconds that it took."""
        if self._is_opened:
            return 0.0
        self._is_opened = True
        return await self.socket.open()

    async def send(self, message: str | bytes) -> None:
        await self.open()
        self.socket.send(message)

    async def recv(self) -> str | bytes:
        """The next message; VendorError when there will be none."""
        if not await self._more():
            raise VendorError("deepgram", str(await self.socket.ended()))
        return self._unread.popleft()

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while await self._more():
            yield self._unread.popleft()
        parting = await self.socket.ended()
        if parting.code != 1000:
            raise VendorError("deepgram", str(parting))

    async def close(self) -> None:
        """Called by the SDK when its `connect` is left: hang up, unless a goodbye is under way already."""
        if not self.socket.leaving:
            self.socket.abort()

    async def _more(self) -> bool:
        await self.open()
        while not self._unread and not self._is_over:
            self._news.clear()
            await self._news.wait()
        return bool(self._unread)

    def _keep(self, message: str | bytes) -> None:
        if len(self._unread) >= _UNREAD:
            raise VendorError("deepgram", f"nobody has read its last {_UNREAD} messages")
        self._unread.append(message)
        self._news.set()

    def _wake(self) -> None:
        self._is_over = True
        self._news.set()
