"""ElevenLabs' socket on the loopback, small and strict, and the rest of a call as a mouth sees it."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from app.audio import Clip
from app.call.events import Event, Voiced
from ops.lab.speech import say

PATIENCE = 10.0


class News:
    """A list whose growth can be waited for."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._grown = asyncio.Event()

    def add(self, item: Any) -> None:
        self.items.append(item)
        self._grown.set()

    async def until(self, enough: Callable[[list[Any]], bool]) -> list[Any]:
        while not enough(self.items):
            self._grown.clear()
            await self._grown.wait()
        return self.items

    async def first(self, kind: type, count: int = 1) -> Any:
        await self.until(lambda items: sum(isinstance(item, kind) for item in items) >= count)
        return self.of(kind)[count - 1]

    def of(self, kind: type) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]


class Visit:
    """One socket as the vendor sees it."""

    def __init__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connection = connection
        address = urlsplit(connection.request.path)
        self.path, self.query = address.path, parse_qs(address.query)
        self.key = connection.request.headers["xi-api-key"]
        self.messages: list[dict[str, Any]] = []
        self.open: set[str] = set()

    def text(self, context: str) -> str:
        texts = [message.get("text", "") for message in self.messages if message["context_id"] == context]
        return "".join(texts).strip()

    async def voice(self, context: str, text: str) -> None:
        """Sound of a text, with its letters spread over it."""
        sound = say(text, voice="agent")
        each = len(sound) // 8 // len(text)
        alignment = {
            "chars": list(text),
            "charStartTimesMs": [n * each for n in range(len(text))],
            "charDurationsMs": [each] * len(text),
        }
        await self.say(contextId=context, audio=Clip.of(sound).base64, isFinal=None, alignment=alignment)

    async def final(self, context: str) -> None:
        await self.say(contextId=context, isFinal=True)

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))


class ElevenLabs:
    """The vendor. `answers` is called with every text that arrives; `refusals` are the first handshakes' statuses."""

    def __init__(self, *refusals: int) -> None:
        self.refusals = deque(refusals)
        self.speaks = False
        self.visits = News()
        self.received = News()
        self.url = ""

    def decide(self, connection: ServerConnection, request: Request) -> Response | None:
        status = self.refusals.popleft() if self.refusals else None
        return connection.respond(HTTPStatus(status), "no") if status else None

    async def visit(self, connection: ServerConnection) -> None:
        visit = Visit(connection)
        self.visits.add(visit)
        with suppress(ConnectionClosed):
            async for message in connection:
                await self._take(visit, json.loads(message))

    async def _take(self, visit: Visit, message: dict[str, Any]) -> None:
        context = message["context_id"]
        assert set(message) <= {"context_id", "text", "flush", "close_context", "voice_settings"}
        if context not in visit.open:
            assert message.get("text") == " ", "a context is opened by a space"
            visit.open.add(context)
        visit.messages.append(message)
        self.received.add(message)
        if self.speaks and message.get("text", "").strip():
            await visit.voice(context, message["text"])
        if self.speaks and message.get("close_context"):
            await visit.final(context)
        if message.get("close_context"):
            visit.open.discard(context)

    async def visited(self, count: int = 1) -> Visit:
        visits = await self.visits.until(lambda visits: len(visits) >= count)
        visit: Visit = visits[count - 1]
        return visit

    async def was_told(self, **wanted: Any) -> dict[str, Any]:
        def found(items: list[Any]) -> list[Any]:
            return [item for item in items if wanted.items() <= item.items()]

        message: dict[str, Any] = found(await self.received.until(lambda items: bool(found(items))))[0]
        return message


class Call:
    """The rest of the call."""

    def __init__(self) -> None:
        self.events = News()
        self.goodbyes: list[Awaitable[None]] = []
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def report(self, event: Event) -> None:
        self.events.add(event)

    def later(self, goodbye: Awaitable[None]) -> None:
        self.goodbyes.append(goodbye)

    def words(self, question: int) -> str:
        voiced = [event for event in self.events.of(Voiced) if event.question == question]
        return " ".join(word.text for event in voiced for word in event.words)


@asynccontextmanager
async def elevenlabs(*refusals: int) -> AsyncIterator[ElevenLabs]:
    vendor = ElevenLabs(*refusals)
    serving = serve(vendor.visit, "127.0.0.1", 0, process_request=vendor.decide, compression=None, close_timeout=0.1)
    async with asyncio.timeout(PATIENCE), serving as server:
        vendor.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield vendor


@asynccontextmanager
async def working(call: Call, run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """A sense at work; it ends by cancellation, as in a call."""

    async def work() -> None:
        await run()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work())
        yield
        task.cancel()
    for goodbye in call.goodbyes:
        await goodbye
