"""A way to a server that breaks: the first media socket that goes through it is cut off, and nothing after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_PIECE = 65536


class _Way:
    def __init__(self, port: int, breaks: float) -> None:
        self._port = port
        self._breaks = breaks
        self._broken = False

    async def carry(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, from its first bytes to its end."""
        there, out = await asyncio.open_connection("127.0.0.1", self._port)
        first = await here.read(_PIECE)
        out.write(first)
        lasts = None
        if b"upgrade: websocket" in first.lower() and not self._broken:
            self._broken, lasts = True, self._breaks
        try:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(lasts), asyncio.TaskGroup() as both:
                    both.create_task(_pour(here, out))
                    both.create_task(_pour(there, back))
        except* ConnectionError:
            pass  # either side may leave as it likes
        finally:
            for writer in (out, back):
                writer.transport.abort()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        sink.write(piece)
        await sink.drain()
    sink.close()


@asynccontextmanager
async def brittle_way(port: int, breaks: float) -> AsyncIterator[str]:
    """An address that leads to this port of the loopback, until `breaks` seconds after a media socket has come."""
    server = await asyncio.start_server(_Way(port, breaks).carry, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
