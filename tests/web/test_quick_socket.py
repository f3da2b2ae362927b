"""Uvicorn's websocket with a listener right behind the network: every message once, in its order, and then the end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from app.web.quick_socket import EXTENSION, QuickSocket, framed, listen, say_at_once, whole_texts

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
    assert not say_at_once(scope)(["a text"])


async def test_texts_are_sent_at_once_and_none_to_a_socket_that_is_gone() -> None:
    said: list[bool] = []
    gone = asyncio.Event()

    async def visit(scope: Message, receive: Callable[[], Awaitable[Message]]) -> None:
        say = say_at_once(scope)
        said.append(say(["one", "two" * 60, "three" * 40_000]))
        assert (await receive())["type"] == "websocket.disconnect"
        said.append(say(["too late"]))
        gone.set()

    async with serving(visit) as url:
        async with connect(url, compression=None) as client:
            assert [await client.recv() for _ in range(3)] == ["one", "two" * 60, "three" * 40_000]
        await gone.wait()
    assert said == [True, False]


async def test_who_does_not_read_is_not_sent_to_at_once_for_ever() -> None:
    said: list[bool] = []
    behind = asyncio.Event()

    async def visit(scope: Message, receive: Callable[[], Awaitable[Message]]) -> None:
        say = say_at_once(scope)
        while len(said) < 1000 and all(said):  # far more than the kernel's buffers and ours hold
            said.append(say(["sound" * 20_000]))
        behind.set()

    async with serving(visit) as url:
        host, _, port = url.removeprefix("ws://").rstrip("/").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}".encode())
        await behind.wait()
        writer.close()
    assert said[0]
    assert not said[-1]


def sent(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=True)


@given(st.lists(st.text(min_size=2, max_size=200), min_size=1, max_size=4))
def test_whole_texts_are_read_as_the_library_would(texts: list[str]) -> None:
    assert whole_texts(b"".join(map(sent, texts))) == texts


@given(st.text(min_size=2, max_size=200), st.integers(min_value=1))
def test_a_piece_of_a_frame_is_left_to_the_library(text: str, cut: int) -> None:
    whole = sent(text)
    assert whole_texts(whole[: cut % len(whole)] or b"?") is None
    assert whole_texts(sent("before") + whole[: cut % len(whole)]) in (None, ["before"])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(Frame(Opcode.BINARY, b"sound").serialize(mask=True), id="binary"),
        pytest.param(Frame(Opcode.PING, b"still there?").serialize(mask=True), id="ping"),
        pytest.param(Frame(Opcode.CLOSE, b"\x03\xe8goodbye").serialize(mask=True), id="close"),
        pytest.param(Frame(Opcode.TEXT, b"begun", fin=False).serialize(mask=True), id="begun"),
        pytest.param(b"\xc1" + Frame(Opcode.TEXT, b"compressed").serialize(mask=True)[1:], id="compressed"),
        pytest.param(Frame(Opcode.TEXT, b"no mask").serialize(mask=False), id="no mask"),
        pytest.param(Frame(Opcode.TEXT, b"\xff\xfe is not UTF-8").serialize(mask=True), id="no UTF-8"),
        pytest.param(Frame(Opcode.TEXT, b"long" * 20_000).serialize(mask=True), id="long"),
    ],
)
def test_what_is_no_plain_text_is_left_to_the_library(frame: bytes) -> None:
    assert whole_texts(frame) is None


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_a_frame_of_ours_is_what_the_library_would_write(length: int) -> None:
    assert framed("x" * length) == Frame(Opcode.TEXT, b"x" * length).serialize(mask=False)
