"""A relay before the server: counts every byte of the softphone's socket, and cuts it when it is asked to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Relay:
    """`url` is the same server by way of the relay; `up` and `down` are bytes, the handshake among them."""

    url: str = ""
    up: int = 0
    down: int = 0
    lines: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """The socket is gone, without a word to either side."""
        for line in self.lines:
            line.transport.abort()
        self.lines.clear()

    def add_up(self, count: int) -> None:
        self.up += count

    def add_down(self, count: int) -> None:
        self.down += count


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[Relay]:
    counted = Relay()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server, from_us = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        first = await reader.read(65536)
        ours = first.startswith(b"GET /phone/socket")
        if ours:
            counted.lines += [writer, from_us]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_carry(first, reader, from_us, counted.add_up if ours else _ignore))
            tasks.create_task(_carry(b"", to_server, writer, counted.add_down if ours else _ignore))

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    async with server:
        counted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield counted


async def _carry(
    first: bytes, source: asyncio.StreamReader, target: asyncio.StreamWriter, count: Callable[[int], None]
) -> None:
    with suppress(OSError):  # cut, or closed by the other side
        chunk = first or await source.read(65536)
        while chunk:
            count(len(chunk))
            target.write(chunk)
            await target.drain()
            chunk = await source.read(65536)
    target.close()


def _ignore(count: int) -> None:
    return None
