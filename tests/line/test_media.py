"""The line towards the caller, over a socket that may stall or break."""

import asyncio
import json

import pytest

from app.audio import Clip
from app.errors import CallerError
from app.line import media
from app.line.media import MediaLine


class Socket:
    """Keeps what was sent. `fault`: "stall", "break" or nothing."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.sent: list[str] = []
        self.closed: list[int] = []

    async def send(self, text: str) -> None:
        await self._suffer()
        self.sent.append(text)

    async def close(self, code: int) -> None:
        await self._suffer()
        self.closed.append(code)

    async def _suffer(self) -> None:
        if self.fault == "stall":
            await asyncio.Event().wait()
        if self.fault == "break":
            raise ConnectionResetError("gone")


def line(socket: Socket) -> MediaLine:
    return MediaLine("MZ1", socket.send, socket.close)


async def test_sound_is_followed_by_its_mark() -> None:
    socket = Socket()
    await line(socket).play(Clip("/v8="), 17)
    sound, mark = map(json.loads, socket.sent)
    assert sound["media"] == {"payload": "/v8="}
    assert mark["mark"] == {"name": "17"}


async def test_no_sound_is_a_mark_alone() -> None:
    socket = Socket()
    await line(socket).play(Clip(""), 17)
    assert [json.loads(text)["event"] for text in socket.sent] == ["mark"]


async def test_clear_is_one_text() -> None:
    socket = Socket()
    await line(socket).clear()
    assert [json.loads(text) for text in socket.sent] == [{"event": "clear", "streamSid": "MZ1"}]


async def test_closing_twice_is_closing_once_and_nothing_is_sent_after_it() -> None:
    socket = Socket()
    it = line(socket)
    await it.close()
    await it.close()
    assert socket.closed == [1000]
    with pytest.raises(CallerError, match="closed"):
        await it.clear()


async def test_a_socket_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "SEND_SECONDS", 0.01)
    it = line(Socket("stall"))
    with pytest.raises(CallerError, match="took nothing"):
        await it.play(Clip("/v8="), 1)
    with pytest.raises(CallerError, match="took nothing"):
        await it.close()


async def test_a_broken_socket_is_the_callers_fault() -> None:
    with pytest.raises(CallerError, match="gone"):
        await line(Socket("break")).clear()


async def test_cancelling_is_not_a_fault_of_the_line() -> None:
    async with asyncio.TaskGroup() as call:
        playing = call.create_task(line(Socket("stall")).clear())
        await asyncio.sleep(0)
        playing.cancel()
    assert playing.cancelled()
