"""A way to a server that breaks: the first media socket that goes through it is cut off, and none after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_PIECE = 65536


class Way:
    """`port` is where it leads now; `breaks`, how long the first media socket lasts, or None if it may last."""

    def __init__(self, port: int, breaks: float | None) -> None:
        self.url = ""
        self.port = port
        self._breaks = breaks

    async def carry(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, from its first bytes to its end."""
        there, out = await asyncio.open_connection("127.0.0.1", self.port)
        first = await here.read(_PIECE)
        out.write(first)
        lasts = None
        if b"upgrade: websocket" in first.lower():
            lasts, self._breaks = self._breaks, None
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
async def brittle_way(port: int, breaks: float | None = None) -> AsyncIterator[Way]:
    """A way to this port of the loopback, which may break, and may be led elsewhere."""
    way = Way(port, breaks)
    server = await asyncio.start_server(way.carry, "127.0.0.1", 0)
    way.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield way
