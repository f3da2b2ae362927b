"""The transport under Deepgram's own SDK: its session works through it, in the ways that the SDK documents."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from deepgram import AsyncDeepgramClient
from websockets.asyncio.server import ServerConnection, serve

from app.ears.deepgram import deepgram_client
from app.ears.transport import Transport
from app.errors import VendorError

METADATA = '{"type":"Metadata","request_id":"r","duration":0.0,"channels":1}'


@asynccontextmanager
async def client(handle: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[AsyncDeepgramClient]:
    async with asyncio.timeout(5), serve(handle, "127.0.0.1", 0) as listening:
        yield deepgram_client("key", f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}")


async def answer_with_metadata(connection: ServerConnection) -> None:
    assert connection.request is not None
    assert connection.request.path == "/v1/listen?model=nova-3"
    assert connection.request.headers["Authorization"] == "Token key"
    async for _ in connection:
        await connection.send(METADATA)
        await connection.close()


async def test_the_sdk_sends_and_reads_through_it() -> None:
    async with client(answer_with_metadata) as sdk, sdk.listen.v1.connect(model="nova-3") as session:
        await session.send_media(b"\xff" * 160)
        messages = [message async for message in session]
        assert [message.type for message in messages] == ["Metadata"]


async def test_one_message_can_be_waited_for_and_a_closed_socket_gives_none() -> None:
    async with client(answer_with_metadata) as sdk, sdk.listen.v1.connect(model="nova-3") as session:
        await session.send_keep_alive()
        assert (await session.recv()).type == "Metadata"
        with pytest.raises(VendorError, match="closed with 1000"):
            await session.recv()


async def test_the_reader_learns_of_a_failure() -> None:
    async def fail(connection: ServerConnection) -> None:
        await connection.close(1011, "NET-0000")

    async with client(fail) as sdk, sdk.listen.v1.connect(model="nova-3") as session:
        with pytest.raises(VendorError, match="1011 NET-0000"):
            assert [message async for message in session] == []


async def test_messages_that_nobody_reads_end_the_socket_and_not_the_memory() -> None:
    async def flood(connection: ServerConnection) -> None:
        for _ in range(100):
            await connection.send(METADATA)
        await connection.wait_closed()

    async with client(flood) as sdk, sdk.listen.v1.connect(model="nova-3"):
        transport = Transport.latest()
        await transport.open()
        with pytest.raises(VendorError, match="nobody has read"):
            await transport.socket.ended()


async def test_leaving_the_session_hangs_up_at_once() -> None:
    async def linger(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with client(linger) as sdk:
        async with sdk.listen.v1.connect(model="nova-3"):
            transport = Transport.latest()
            await transport.open()
        assert (await transport.socket.ended()).code == 1006
