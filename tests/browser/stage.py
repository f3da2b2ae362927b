"""The softphone on its stage: the real server on a real port, the lab's mind and voice, and ears that know by heart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Thread
from typing import Any

import uvicorn

from app.call.agent import Agent
from app.line.signature import Signatures
from app.mind.briefing import facts_line
from app.mind.claude import ClaudeMind, open_client
from app.mouth.voices import Voices
from app.store.live import LocalLive
from app.switchboard.exchange import Exchange
from app.switchboard.ports import CallFacts, Hire, Later, Report, Senses
from app.tools.catalogue import offered
from app.tools.desk import Desk
from app.tools.http import HttpTools
from app.tools.http import open_client as open_http
from app.web.server import build
from ops.lab.vendors import vendors
from tests.browser.by_heart import ByHeart
from tests.servers import free_port
from tests.switchboard.puppets import ListTrace

NUMBER = "+15005550001"
AGENT = Agent(
    "reception", "Hello, this is the clinic. How can I help?", "You answer the phone of a clinic.", work_ahead="off"
)


class PaperDirectory:
    """One agent, two numbers."""

    async def answering(self, number: str) -> tuple[Agent, int] | None:
        return (AGENT, 1) if number in (NUMBER, NUMBER[:-1] + "2") else None

    async def version_of(self, name: str, version: int) -> Agent | None:
        return AGENT

    async def numbers(self) -> list[tuple[str, str]]:
        return [(NUMBER, AGENT.name), (NUMBER[:-1] + "2", AGENT.name)]


@dataclass
class Stage:
    url: str
    traces: list[ListTrace] = field(default_factory=list)
    ears: list[ByHeart] = field(default_factory=list)


@asynccontextmanager
async def stage(sentences: Sequence[str] = ()) -> AsyncIterator[Stage]:
    """A server of which a browser of this machine may ask its page, until the end of the block.

    It has a thread of its own, so that nobody who looks at the browser holds up a call.
    """
    shown = Stage(f"http://127.0.0.1:{free_port()}")
    async with vendors() as lab:
        house = _House(shown, lab.url, sentences)
        thread = Thread(target=lambda: asyncio.run(house.run()), name="softphone's server")
        thread.start()
        try:
            if not await asyncio.to_thread(house.ready.wait, 20.0):
                raise RuntimeError("the server did not start within 20 s")
            yield shown
        finally:
            house.close()
            await asyncio.to_thread(thread.join, 20.0)


class _House:
    """The server with everything behind it: what the composition root builds, with other ears."""

    def __init__(self, shown: Stage, vendor: str, sentences: Sequence[str]) -> None:
        self._shown = shown
        self._vendor = vendor
        self._sentences = sentences
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self.ready = Event()

    def close(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._over.set)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            claude = open_client("none", self._vendor)
            stack.push_async_callback(claude.close)
            voices = Voices.open("none", self._vendor)
            stack.push_async_callback(voices.close)
            http = open_http()
            stack.push_async_callback(http.aclose)
            await voices.render(AGENT)
            tools = HttpTools(http, {}, allow_private=False)

            def hire(agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
                told = facts_line(now=datetime.now(), direction=facts.direction, party=facts.party, number=facts.number)
                self._shown.ears.append(ears := ByHeart(report, self._sentences))
                mind = ClaudeMind(claude, agent, told, report, own_tools=offered(agent))
                desk = Desk(agent, report, http=tools, notes={})
                return Senses(ears, mind, voices.mouth(agent, report, later), desk)

            await self._serve(hire)

    async def _serve(self, hire: Hire) -> None:
        directory = PaperDirectory()
        exchange = Exchange(directory, hire, LocalLive(), self._open_trace, most_calls=4)
        doors = build(exchange, Signatures("secret", self._shown.url), self._shown.url, directory.numbers)
        config = uvicorn.Config(
            doors,
            port=int(self._shown.url.rpartition(":")[2]),
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=2,
        )
        server = _Server(config, self.ready)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(exchange.run())
            serving = tasks.create_task(server.serve())
            await self._over.wait()
            await exchange.drain(0.1)
            server.should_exit = True
            await serving
            exchange.stop()

    def _open_trace(self, sid: str) -> ListTrace:
        self._shown.traces.append(ListTrace())
        return self._shown.traces[-1]


class _Server(uvicorn.Server):
    """Says when it is up, and leaves the signals to whoever runs the tests."""

    def __init__(self, config: uvicorn.Config, ready: Event) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._ready.set()


async def until(true: Callable[[], bool | Awaitable[bool]], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = true()
            if (await found) if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.02)
