"""The media socket over a real socket: who gets in, what breaks it, and what it takes without breaking."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.call.events import Digit, Played, SpeechEnded, ToolCall
from app.web import media
from ops.lab.phone import FRAME, Phone
from ops.lab.webhook import sign
from tests.web.house import PATIENCE, PUBLIC, TOKEN, House, media_door, until

QUIET = b"\xff" * FRAME


class Leg:
    """One end of a media stream: what the telephone company says, and what it is told."""

    def __init__(self, socket: ClientConnection, token: str, call_sid: str) -> None:
        self.socket = socket
        self.phone = Phone(stream_sid="MZ1", call_sid=call_sid, account_sid="AC1", parameters={"token": token})

    async def start(self) -> None:
        for text in self.phone.open(0.0):
            await self.socket.send(text)

    async def say(self, frames: int) -> None:
        for _ in range(frames):
            await self.socket.send(self.phone.frame(QUIET))

    async def told(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            message: dict[str, Any] = json.loads(await self.socket.recv())
            return message

    async def until_closed(self) -> int:
        """How the server closes it; whatever it says before is read."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006


@asynccontextmanager
async def leg(address: str, token: str, sid: str = "CA1", **headers: str) -> AsyncIterator[Leg]:
    async with connect(address + token, additional_headers=headers, compression=None, max_size=None) as socket:
        yield Leg(socket, token, sid)


async def refusal(address: str, token: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with leg(address, token, **headers):
            pass
    return refused.value.response.status_code


async def soon(house: House, kind: str) -> dict[str, Any]:
    """The first line of this kind in the trace, as soon as there is one."""
    lines = await until(lambda: house.happened(kind))
    first: dict[str, Any] = json.loads(lines[0])
    return first


# --- who gets in ----------------------------------------------------------------------------------------------------


async def test_a_socket_without_a_token_of_ours_is_refused() -> None:
    async with media_door() as (_, address):
        assert await refusal(address, "guessed") == 403
        assert await refusal(address, "") == 403


async def test_a_token_is_good_for_one_socket() -> None:
    async with media_door() as (house, address):
        token = await house.admitted()
        async with leg(address, token) as first:
            await first.start()
            assert await refusal(address, token) == 403
            assert (await first.told())["event"] == "media"


async def test_on_a_public_host_the_handshake_must_be_signed() -> None:
    async with media_door(public=True) as (house, address):
        token = await house.admitted()
        url = f"{PUBLIC.replace('https', 'wss')}/twilio/media/{token}"
        assert await refusal(address, token) == 403
        assert await refusal(address, token, **{"x-twilio-signature": sign("a stranger's", url, {})}) == 403
        async with leg(address, token, **{"x-twilio-signature": sign(TOKEN, url, {})}) as it:
            await it.start()
            assert (await it.told())["event"] == "media"


async def test_a_wrong_signature_is_refused_on_the_loopback_too() -> None:
    async with media_door() as (house, address):
        token = await house.admitted()
        assert await refusal(address, token, **{"x-twilio-signature": "wrong"}) == 403


@pytest.mark.parametrize("changed", [{"call_sid": "CA2"}, {"parameters": {"token": "another"}}])
async def test_a_stream_of_another_call_is_closed(changed: dict[str, Any]) -> None:
    async with media_door() as (house, address):
        token = await house.admitted()
        async with leg(address, token) as it:
            for name, value in changed.items():
                setattr(it.phone, name, value)
            await it.start()
            assert await it.until_closed() == 1008
        assert (await soon(house, "LineClosed"))["by"] == "carrier"


async def test_a_stream_that_does_not_start_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_START_SECONDS", 0.1)
    async with media_door() as (house, address):
        async with leg(address, await house.admitted()) as it:
            assert await it.until_closed() == 1008
        assert (await soon(house, "LineClosed"))["by"] == "carrier"


# --- a call ---------------------------------------------------------------------------------------------------------


async def test_the_greeting_is_the_first_thing_to_be_heard() -> None:
    async with media_door() as (house, address), leg(address, await house.admitted()) as it:
        await it.start()
        sound, mark = await it.told(), await it.told()
        assert (sound["event"], sound["streamSid"]) == ("media", "MZ1")
        assert (mark["event"], mark["mark"]) == ("mark", {"name": "1"})


async def test_sound_marks_and_keys_reach_the_call() -> None:
    async with media_door() as (house, address), leg(address, await house.admitted()) as it:
        happened: list[object] = []
        house.exchange.conversations[0].watch(lambda moment, thing: happened.append(thing))
        await it.start()
        await it.say(3)
        it.phone.receive(await it.socket.recv(), 0.0)
        mark = await it.socket.recv()
        for text in (*it.phone.receive(mark, now=3600.0), it.phone.press("7")):
            await it.socket.send(text)
        assert await until(
            lambda: {Played(1), Digit("7")} <= {one for one in happened if isinstance(one, Played | Digit)}
        )
        assert house.troupe.ears["CA1"].frames == [QUIET] * 3


async def test_the_agents_goodbye_closes_the_socket() -> None:
    async with media_door(answers=((ToolCall("t", "end_call", {}),),)) as (house, address):
        async with leg(address, await house.admitted()) as it:
            await it.start()
            await it.told()
            house.exchange.conversations[0].report(SpeechEnded("Goodbye."))
            minutes = itertools.count(60.0, 60.0)  # so that everything has been played before the next message comes
            async with asyncio.timeout(PATIENCE):
                async for text in it.socket:
                    for echo in it.phone.receive(text, now=next(minutes)):
                        await it.socket.send(echo)
            assert it.socket.close_code == 1000
        assert await soon(house, "HangUp")
        assert house.happened("LineClosed") == []


async def test_the_callers_goodbye_ends_the_call_and_what_comes_after_it_is_heard_by_nobody() -> None:
    async with media_door() as (house, address), leg(address, await house.admitted()) as it:
        await it.start()
        await it.say(1)
        await it.socket.send(it.phone.stop())
        await it.say(2)
        assert (await soon(house, "LineClosed"))["by"] == "caller"
        assert await it.until_closed() in (1000, 1006)
        assert len(house.troupe.ears["CA1"].frames) == 1


async def test_a_socket_that_breaks_is_the_carriers_fault() -> None:
    async with media_door() as (house, address):
        async with leg(address, await house.admitted()) as it:
            await it.start()
            await it.told()
            it.socket.transport.abort()
        assert (await soon(house, "LineClosed"))["by"] == "carrier"


# --- what breaks it, and what does not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x00\x01", 1008),
        ("{not json", 1008),
        ('["a", "list"]', 1008),
        ('{"event":"media"}', 1008),
        ("x" * 10_000_000, 1009),
    ],
    ids=["a binary frame", "broken JSON", "not an object", "a message without its fields", "a frame of 10 MB"],
)
async def test_what_no_telephone_company_sends_closes_the_socket_and_no_other(message: str | bytes, code: int) -> None:
    async with media_door() as (house, address):
        token, other = await house.admitted("CA1"), await house.admitted("CA2")
        async with leg(address, token) as it, leg(address, other, "CA2") as neighbour:
            await it.start()
            await neighbour.start()
            with suppress(ConnectionClosed):  # it may be refused before all of it is out
                await it.socket.send(message)
            assert await it.until_closed() == code
            assert (await soon(house, "LineClosed"))["by"] == "carrier"
            await neighbour.say(1)
            assert (await neighbour.told())["event"] == "media"
            assert await until(lambda: house.troupe.ears["CA2"].frames) == [QUIET]


async def test_ten_times_as_many_frames_as_there_are_disturb_nobody() -> None:
    async with media_door() as (house, address):
        flood, other = await house.admitted("CA1"), await house.admitted("CA2")
        async with leg(address, flood) as it, leg(address, other, "CA2") as neighbour:
            await it.start()

            async def pour() -> None:
                for _ in range(20):
                    await it.say(50)
                    await asyncio.sleep(0.1)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pour())
                await neighbour.start()
                assert (await neighbour.told())["event"] == "media"
                assert not house.troupe.ears["CA1"].cancelled
            assert await until(lambda: len(house.troupe.ears["CA1"].frames) == 1000)


async def test_a_second_start_is_counted_and_changes_nothing() -> None:
    async with media_door() as (house, address), leg(address, await house.admitted()) as it:
        await it.start()
        for text in it.phone.open(0.0)[1:]:
            await it.socket.send(text)
        await it.say(1)
        await it.socket.send(it.phone.stop())
        trouble = await soon(house, "Troubled")
        assert trouble["details"]["repeated_starts"] == 1
        assert len(house.troupe.ears["CA1"].frames) == 1
