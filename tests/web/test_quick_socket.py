"""Uvicorn's websocket with a listener right behind the network: every message once, in its order, and then the end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect

from app.web.quick_socket import EXTENSION, QuickSocket, listen

Message = MutableMapping[str, Any]
Visit = Callable[[Message, Callable[[], Awaitable[Message]]], Awaitable[None]]


class Server(uvicorn.Server):
    up: asyncio.Event

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def serving(visit: Visit) -> AsyncIterator[str]:
    """A server that accepts every socket and leaves the rest to `visit`."""

    async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await visit(scope, receive)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, ws=QuickSocket, ws_ping_interval=None, lifespan="off", log_config=None)
        server = Server(config)
        server.up = asyncio.Event()
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await server.up.wait()
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
            server.should_exit = True


async def test_messages_come_once_and_in_order_also_those_that_came_before_the_listener() -> None:
    heard: list[str | bytes] = []
    begin, ended = asyncio.Event(), asyncio.Event()

    def take(message: str | bytes) -> bool:
        heard.append(message)
        return True

    async def visit(scope: Message, receive: Callable[[], Awaitable[Message]]) -> None:
        heard.append((await receive())["text"])
        await begin.wait()
        assert listen(scope, take)
        assert (await receive())["type"] == "websocket.disconnect"
        ended.set()

    async with serving(visit) as url:
        async with connect(url, compression=None) as client:
            for number in range(5):
                await client.send(str(number))
            await client.ping()
            begin.set()
            await client.send([b"5", b"6"])  # in two fragments
            await client.send("7")
        await ended.wait()
    assert heard == ["0", "1", "2", "3", "4", b"56", "7"]


async def test_who_wants_no_more_is_woken_and_reads_the_rest_as_usual() -> None:
    heard: list[str | bytes] = []
    rest: asyncio.Queue[Any] = asyncio.Queue()

    def take(message: str | bytes) -> bool:
        heard.append(message)
        return message != "enough"

    async def visit(scope: Message, receive: Callable[[], Awaitable[Message]]) -> None:
        assert listen(scope, take)
        while (message := await receive())["type"] == "websocket.receive":
            rest.put_nowait(message["text"])

    async with serving(visit) as url, connect(url, compression=None) as client:
        for text in ("one", "enough", "more"):
            await client.send(text)
        assert [await rest.get(), await rest.get()] == ["", "more"]
    assert heard == ["one", "enough"]


@pytest.mark.parametrize("scope", [{}, {"extensions": {}}, {"extensions": {"other": {}}}])
def test_another_server_cannot_and_says_so(scope: dict[str, Any]) -> None:
    assert EXTENSION not in scope.get("extensions", {})
    assert not listen(scope, lambda message: True)
