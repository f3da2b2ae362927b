"""A house with real doors and puppets behind them: what knocks is real, what is decided behind it is on strings."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from xml.etree import ElementTree

from quart import Quart
from quart.typing import TestClientProtocol
from werkzeug.datastructures import Headers

from app.call.agent import Agent
from app.line.signature import Signatures
from app.main import _Server, _uvicorn
from app.settings import Settings
from app.store.live import LocalLive
from app.switchboard.exchange import Admitted, Exchange
from app.switchboard.ports import CallFacts
from app.web.health import health
from app.web.media import Asgi, MediaDoor
from app.web.phone import Addresses, PhoneDoors
from ops.lab.webhook import sign
from tests import virtual_time
from tests.switchboard.puppets import ListTrace, PuppetMind, Troupe

T = TypeVar("T")

CLINIC = Agent("reception", "Hello, this is the clinic.", "You answer the phone.", transfers={"desk": "+15005550009"})
PUBLIC = "https://phone.example.com"
TOKEN = "secret-of-the-account"
PATIENCE = 5.0  # real seconds; everything at these doors takes milliseconds


class OneNumber:
    """A directory with one number in it."""

    async def answering(self, number: str) -> tuple[Agent, int] | None:
        return (CLINIC, 3) if number == "+15005550001" else None

    async def version_of(self, name: str, version: int) -> Agent | None:
        return CLINIC if (name, version) == ("reception", 3) else None


def ringing(sid: str = "CA1", **changed: str) -> dict[str, str]:
    """The form of a call that rings."""
    form = {"CallSid": sid, "From": "+15005550002", "To": "+15005550001", "Direction": "inbound"}
    return {**form, "CallStatus": "ringing", **changed}


def signed(path: str, form: Mapping[str, str], token: str = TOKEN) -> Headers:
    return Headers({"X-Twilio-Signature": sign(token, PUBLIC + path, form)})


@dataclass
class Answer:
    status: int
    text: str

    @property
    def document(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.text)

    @property
    def verbs(self) -> list[str]:
        return [verb.tag for verb in self.document]

    @property
    def stream(self) -> str:
        return self.document.findall("Connect/Stream")[0].attrib["url"]

    @property
    def parameters(self) -> dict[str, str]:
        nouns = self.document.findall("Connect/Stream/Parameter")
        return {noun.attrib["name"]: noun.attrib["value"] for noun in nouns}


@dataclass
class House:
    """An exchange with puppets, and a client at its doors."""

    exchange: Exchange
    troupe: Troupe
    client: TestClientProtocol
    traces: list[ListTrace] = field(default_factory=list)

    async def knock(self, path: str, form: Mapping[str, str], headers: Headers | None = None) -> Answer:
        """A webhook, as Twilio signs it unless told otherwise."""
        headers = signed(path, form) if headers is None else headers
        response = await self.client.post(path, form=dict(form), headers=headers)
        return Answer(response.status_code, await response.get_data(as_text=True))

    async def admitted(self, sid: str = "CA1") -> str:
        """The token for the stream of a call that has rung."""
        answer = await self.exchange.ring(CallFacts(sid, "inbound", "+15005550001", "+15005550002"))
        assert isinstance(answer, Admitted)
        return answer.token

    def mind(self, sid: str = "CA1") -> PuppetMind:
        return self.troupe.minds[sid]

    def happened(self, kind: str, trace: int = 0) -> list[str]:
        return [line for line in self.traces[trace].lines if f'"is":"{kind}"' in line]


@asynccontextmanager
async def house(*, most_calls: int = 10, answers: tuple[Any, ...] = ()) -> AsyncIterator[House]:
    troupe, traces = Troupe(answers=answers), list[ListTrace]()

    def open_trace(sid: str) -> ListTrace:
        traces.append(ListTrace())
        return traces[-1]

    live = LocalLive(asyncio.get_running_loop().time)
    exchange = Exchange(OneNumber(), troupe.hire, live, open_trace, most_calls=most_calls)
    app = Quart("doors", static_folder=None)
    addresses = Addresses(PUBLIC, PUBLIC.replace("https", "wss"))
    app.register_blueprint(PhoneDoors(exchange, Signatures(TOKEN, PUBLIC), addresses).blueprint())
    app.register_blueprint(health(exchange))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(exchange.run())
        await exchange.ready.wait()
        try:
            yield House(exchange, troupe, app.test_client(), traces)
        finally:
            exchange.stop()


def visit(story: Callable[[House], Awaitable[None]], **options: Any) -> None:
    """The story at the doors of a house, in virtual time."""

    async def main() -> None:
        async with house(**options) as it:
            await story(it)

    virtual_time.run(main())


async def until(asked: Callable[[], T]) -> T:
    """What this says as soon as it says something."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if said := asked():
                return said
            await asyncio.sleep(0.005)


# --- over a real socket ---------------------------------------------------------------------------------------------


class _Announced(_Server):
    """Says when it is up."""

    def __init__(self, doors: Asgi, port: int) -> None:
        super().__init__(_uvicorn(doors, Settings.read({"PORT": str(port), "TWILIO_AUTH_TOKEN": TOKEN})))
        self.up = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    """Behind the media door there is nothing here."""
    raise AssertionError(f"nobody was to come to {scope['path']}")


@asynccontextmanager
async def media_door(*, public: bool = False, **options: Any) -> AsyncIterator[tuple[House, str]]:
    """The media socket as the server serves it; the address in front of its token. `public`: not on the loopback."""
    async with house(**options) as behind:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            origin = PUBLIC if public else f"http://127.0.0.1:{port}"
            door = MediaDoor(_nobody, behind.exchange, Signatures(TOKEN, origin), on_loopback=not public)
            server = _Announced(door, port)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(server.serve(sockets=[listener]))
                try:
                    await server.up.wait()
                    yield behind, f"ws://127.0.0.1:{port}/twilio/media/"
                finally:
                    server.should_exit = True
