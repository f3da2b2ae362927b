"""Our websocket against the server of the `websockets` library, and against peers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from app.errors import VendorError
from app.socket import RefusedError, Socket, over_http, over_websocket

Handle = Callable[[ServerConnection], Awaitable[None]]
PATIENCE = 5.0


@asynccontextmanager
async def server(handle: Handle, refuse: int | None = None) -> AsyncIterator[str]:
    def decide(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(HTTPStatus(refuse), "no such key") if refuse else None

    serving = serve(handle, "127.0.0.1", 0, process_request=decide, close_timeout=0.1)
    async with asyncio.timeout(PATIENCE), serving as listening:
        yield f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/path?query=1"


@asynccontextmanager
async def deaf_peer() -> AsyncIterator[str]:
    """Takes connections and never says a word."""
    done = asyncio.Event()

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    listening = await asyncio.start_server(ignore, "127.0.0.1", 0)
    async with asyncio.timeout(PATIENCE), listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        done.set()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


class Box:
    """Keeps what a socket hands on."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[str | bytes] = asyncio.Queue()

    def socket(self, url: str) -> Socket:
        return Socket("acme", url, {"x-key": "secret"}, self.messages.put_nowait)


async def test_texts_and_bytes_arrive_as_they_were_sent() -> None:
    box = Box()
    async with server(echo) as url:
        socket = box.socket(url)
        assert await socket.open() > 0
        socket.send("grüezi")
        socket.send(b"\xff\x00")
        assert [await box.messages.get(), await box.messages.get()] == ["grüezi", b"\xff\x00"]
        socket.abort()


async def test_the_handshake_carries_our_headers_and_offers_no_compression() -> None:
    seen: asyncio.Queue[Request] = asyncio.Queue()

    async def look(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.put_nowait(connection.request)

    async with server(look) as url:
        socket = Box().socket(url)
        await socket.open()
        request = await seen.get()
        assert (request.path, request.headers["x-key"]) == ("/path?query=1", "secret")
        assert "Sec-WebSocket-Extensions" not in request.headers
        assert str(await socket.ended()) == "the socket closed with 1000"


async def test_a_message_in_fragments_is_handed_on_whole() -> None:
    async def fragments(connection: ServerConnection) -> None:
        await connection.send(["one ", "two ", "three"])
        await connection.wait_closed()

    box = Box()
    async with server(fragments) as url:
        socket = box.socket(url)
        await socket.open()
        assert await box.messages.get() == "one two three"
        socket.abort()


async def test_a_refusal_says_the_status_and_the_vendors_reason() -> None:
    async with server(echo, refuse=401) as url:
        with pytest.raises(RefusedError, match="acme: refused with status 401: no such key") as refused:
            await Box().socket(url).open()
        assert (refused.value.status, refused.value.again) == (401, False)


async def test_a_refusal_for_want_of_room_may_be_tried_again() -> None:
    async with server(echo, refuse=429) as url:
        with pytest.raises(RefusedError) as refused:
            await Box().socket(url).open()
        assert refused.value.again


async def test_nobody_there_is_the_vendors_failure() -> None:
    async with deaf_peer() as url:
        port = url
    with pytest.raises(VendorError, match="acme: cannot be reached"):
        await Box().socket(port).open()


async def test_a_peer_that_never_answers_the_handshake_is_given_up() -> None:
    async with deaf_peer() as url:
        with pytest.raises(VendorError, match=r"no connection within 0\.05 s"):
            await Box().socket(url).open(within=0.05)


async def test_a_peer_that_hangs_up_during_the_handshake_is_the_vendors_failure() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
        with pytest.raises(VendorError, match="handshake"):
            await Box().socket(f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/").open()


async def test_the_end_tells_the_vendors_code_and_reason() -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(1011, "NET-0001")

    async with server(close) as url:
        socket = Box().socket(url)
        await socket.open()
        parting = await socket.ended()
        assert (parting.code, str(parting)) == (1011, "the socket closed with 1011 NET-0001")


async def test_a_connection_cut_without_a_goodbye_is_told_as_such() -> None:
    async def cut(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with server(cut) as url:
        socket = Box().socket(url)
        await socket.open()
        assert (await socket.ended()).code == 1006
        socket.send("into the void")
        assert not socket.is_open


async def test_last_words_are_sent_before_the_goodbye_and_nothing_is_heard_after_it() -> None:
    received: asyncio.Queue[str | bytes] = asyncio.Queue()

    async def answer(connection: ServerConnection) -> None:
        async for message in connection:
            received.put_nowait(message)
            await connection.send("too late")

    box = Box()
    async with server(answer) as url:
        socket = box.socket(url)
        await socket.open()
        socket.leave("thank you")
        await socket.gone()
        assert await received.get() == "thank you"
        assert box.messages.empty()


async def test_a_peer_that_does_not_answer_a_goodbye_is_hung_up_on() -> None:
    asleep = asyncio.Event()

    async def sleep(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await asleep.wait()

    async with server(sleep) as url:
        socket = Box().socket(url)
        await socket.open()
        socket.leave()
        await socket.gone(within=0.05)
        assert (await socket.ended()).code in (1000, 1006)
        asleep.set()


async def test_an_error_in_whoever_listens_comes_out_where_the_owner_waits() -> None:
    def refuse(message: str | bytes) -> None:
        raise LookupError(message)

    async with server(echo) as url:
        socket = Socket("acme", url, {}, refuse)
        await socket.open()
        socket.send("hello")
        with pytest.raises(LookupError, match="hello"):
            await socket.ended()


async def test_a_cancelled_handshake_leaves_no_connection_behind() -> None:
    async with deaf_peer() as url:
        socket = Box().socket(url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await socket.open()
        assert (await socket.ended()).code == 1006


async def test_a_ping_is_answered_and_disturbs_nobody() -> None:
    pinged, box = asyncio.Event(), Box()

    class Watching(ServerConnection):
        def data_received(self, data: bytes) -> None:
            if data[:1] == b"\x89":
                pinged.set()
            super().data_received(data)

    async with serve(echo, "127.0.0.1", 0, create_connection=Watching) as listening:
        socket = box.socket(f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/")
        await socket.open()
        socket.ping()
        await pinged.wait()
        socket.send("hello")
        assert await box.messages.get() == "hello", "and nobody was told of the answer, which came before it"
        assert socket.is_open
        socket.abort()


def test_addresses_are_understood_however_they_are_written() -> None:
    assert over_websocket("https://api.acme.com/") == "wss://api.acme.com"
    assert over_websocket("http://127.0.0.1:9") == over_websocket("ws://127.0.0.1:9") == "ws://127.0.0.1:9"
    assert over_http("wss://api.acme.com") == "https://api.acme.com"
    assert over_http("ws://127.0.0.1:9") == "http://127.0.0.1:9"
