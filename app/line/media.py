"""The line of one call towards the caller: sound, marks and clears over a media socket that somebody else holds.

It decides nothing and keeps no sound: the carrier has the buffer. A peer that takes nothing for some seconds is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from app.audio import Clip
from app.errors import CallerError
from app.line.media_wire import Letters

SEND_SECONDS = 5.0  # a live carrier takes a frame at once; after this the kernel's buffers are full of old sound
NORMAL_CLOSE = 1000  # what the carrier takes for "the stream is over, go on with the next instruction"

Send = Callable[[str], Awaitable[None]]
SendAtOnce = Callable[[Sequence[str]], bool]
Close = Callable[[int], Awaitable[None]]


def _waits(texts: Sequence[str]) -> bool:
    return False


class MediaLine:
    """Sends over any socket that has `send(text)` and `close(code)`. Raises CallerError when that is of no use.

    `send_at_once` takes all texts without waiting, or none of them: the rule, as a live carrier is never behind.
    """

    def __init__(self, stream_sid: str, send: Send, close: Close, send_at_once: SendAtOnce = _waits) -> None:
        self._letters = Letters(stream_sid)
        self._send = send
        self._send_at_once = send_at_once
        self._close = close
        self._closed = False

    async def play(self, clip: Clip, mark: int) -> None:
        """Sound, and behind it a mark that comes back when it has been played."""
        sound = (self._letters.media(clip),) if clip.base64 else ()
        await self._deliver(*sound, self._letters.mark(str(mark)))

    async def clear(self) -> None:
        """Throw away what the caller has not heard. Every mark that is still out comes back at once."""
        await self._deliver(self._letters.clear)

    async def close(self) -> None:
        """End the stream; the carrier goes on with what it was told to do next. Closing twice is closing once."""
        if self._closed:
            return
        self._closed = True
        await _in_time(self._close(NORMAL_CLOSE))

    async def _deliver(self, *texts: str) -> None:
        if self._closed:
            raise CallerError("the line is closed")
        if not self._send_at_once(texts):
            for text in texts:
                await _in_time(self._send(text))


async def _in_time(sending: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await sending
    except TimeoutError as error:
        raise CallerError(f"the line took nothing for {SEND_SECONDS:g} seconds") from error
    except Exception as error:  # the socket is foreign, and each kind breaks with errors of its own
        raise CallerError(f"the line broke: {error!r}") from error
