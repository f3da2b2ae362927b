"""A vendor on the loopback that answers requests, as far as a mouth needs one: it records, streams and breaks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from app.audio import Clip
from ops.lab.speech import say, words_of

PATIENCE = 10.0


@dataclass
class Asked:
    """One request as the vendor saw it."""

    target: str
    headers: dict[str, str]
    body: dict[str, Any]
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class HttpVendor:
    """Answers requests with these parts. `pause_after` parts it waits for `go`; `cut_after` parts it hangs up."""

    parts: list[bytes] = field(default_factory=list)
    status: int = 200
    pause_after: int | None = None
    cut_after: int | None = None
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    clients: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients += 1
        try:
            while (request := await self._read(reader)) is not None:
                self.asked.append(request)
                self.arrived.set()
                await self._answer(request, reader, writer)
        except ConnectionError:
            pass  # the client has seen enough
        finally:
            writer.close()
            self.clients -= 1
            self.left.set()

    async def _read(self, reader: asyncio.StreamReader) -> Asked | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Asked(first.split()[1], headers, json.loads(body))

    async def _answer(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {self.status} X\r\nTransfer-Encoding: chunked\r\n".encode())
        writer.write(b"Content-Type: application/json\r\n\r\n")
        for number, part in enumerate(self.parts):
            if number == self.pause_after:
                await self._wait(asked, reader)
            if number == self.cut_after:
                raise ConnectionResetError
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _wait(self, asked: Asked, reader: asyncio.StreamReader) -> None:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(reader.read())
            going = tasks.create_task(self.go.wait())
            await asyncio.wait([watching, going], return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                asked.hung_up.set()
            watching.cancel()
            going.cancel()
        if asked.hung_up.is_set():
            raise ConnectionResetError


@asynccontextmanager
async def on_loopback(vendor: HttpVendor) -> AsyncIterator[HttpVendor]:
    """The vendor at work. It is left when its clients have hung up."""
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    vendor.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(PATIENCE):
        try:
            yield vendor
        finally:
            server.close()
            while vendor.clients:
                vendor.left.clear()
                await vendor.left.wait()


def elevenlabs_parts(text: str, *, restart: bool = False) -> list[bytes]:
    """A text as stream/with-timestamps sends it: a word a line, times going on or beginning at 0 in each."""
    sound = say(text, voice="agent")
    places = words_of(text)
    starts = [round(word.start * 8000) for word in places] + [len(sound)]
    lines = []
    for word, (begin, end) in zip(places, pairwise(starts), strict=True):
        letters = f"{word.text} "
        base = 0.0 if restart else begin / 8000
        each = (end - begin) / 8000 / len(letters)
        alignment = {
            "characters": list(letters),
            "character_start_times_seconds": [base + n * each for n in range(len(letters))],
            "character_end_times_seconds": [base + (n + 1) * each for n in range(len(letters))],
        }
        line = {"audio_base64": Clip.of(sound[begin:end]).base64, "alignment": alignment}
        lines.append(json.dumps(line).encode() + b"\n")
    return lines


def aura_parts(text: str) -> list[bytes]:
    sound = say(text, voice="agent")
    return [sound[start : start + 2000] for start in range(0, len(sound), 2000)]
