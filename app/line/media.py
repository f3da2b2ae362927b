"""The line of one call: what is played, marked and cleared, over a socket that somebody else holds."""

import asyncio
from collections.abc import Awaitable, Callable

from app.audio import Clip
from app.errors import CallerError
from app.line import media_wire as wire

# A socket that takes nothing for so long is dead, though nobody has told us. Twilio itself never makes us wait.
SEND_SECONDS = 5.0


class MediaLine:
    """`send` puts one text frame on the socket, `close` ends it."""

    def __init__(
        self, stream_sid: str, send: Callable[[str], Awaitable[None]], close: Callable[[], Awaitable[None]]
    ) -> None:
        if not stream_sid.isalnum():
            raise CallerError(f"{stream_sid[:60]!r} is no name of a stream: Twilio's are letters and digits")
        self._sid = stream_sid
        self._send = send
        self._close = close

    async def play(self, clip: Clip, mark: int) -> None:
        await self._out(wire.media(self._sid, clip))
        await self._out(wire.mark(self._sid, str(mark)))

    async def clear(self) -> None:
        await self._out(wire.clear(self._sid))

    async def close(self) -> None:
        await self._in_time(self._close())

    async def _out(self, text: str) -> None:
        await self._in_time(self._send(text))

    async def _in_time(self, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await work
        except TimeoutError:
            raise CallerError(f"the media socket took nothing for {SEND_SECONDS:g} s") from None
