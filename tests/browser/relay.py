"""Counts what really crosses the wire: a relay before the server, for every byte of the softphone's socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass
class Counted:
    """`url` is the same server by way of the relay; `up` and `down` are bytes, the handshake among them."""

    url: str = ""
    up: int = 0
    down: int = 0

    def add_up(self, count: int) -> None:
        self.up += count

    def add_down(self, count: int) -> None:
        self.down += count


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[Counted]:
    counted = Counted()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server, from_us = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        first = await reader.read(65536)
        ours = first.startswith(b"GET /phone/socket")
        with suppress(OSError):
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
    chunk = first or await source.read(65536)
    while chunk:
        count(len(chunk))
        target.write(chunk)
        await target.drain()
        chunk = await source.read(65536)
    target.close()


def _ignore(count: int) -> None:
    return None
