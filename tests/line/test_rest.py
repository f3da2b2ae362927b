"""Twilio's REST with the real package, against a server on loopback that answers as Twilio does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs

import pytest

from app.errors import VendorError
from app.line import rest
from app.line.rest import CallRecord, TwilioRest

ACCOUNT = "AC" + "0" * 32
Answer = tuple[int, dict[str, Any]]
CALL: dict[str, Any] = {
    "sid": "CA1",
    "status": "queued",
    "price": None,
    "price_unit": "USD",
    "duration": None,
    "answered_by": None,
}
SILENCE = 0


class Twilio:
    """Answers with the next of `answers`: a status and a body, or silence."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.received: list[tuple[str, dict[str, list[str]]]] = []
        self.open = 0
        self.idle = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await self._answer(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.open -= 1
        if not self.open:
            self.idle.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        assert headers["authorization"].startswith("basic ")
        form = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
        self.received.append((lines[0].removesuffix(" HTTP/1.1"), parse_qs(form)))
        status, answer = self.answers.pop(0)
        if status == SILENCE:
            await reader.readexactly(1)
        body = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n" % status)
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))


@asynccontextmanager
async def twilio(*answers: Answer, seconds: float = 2) -> AsyncIterator[tuple[Twilio, TwilioRest]]:
    it = Twilio(*answers)
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    account = TwilioRest(ACCOUNT, "token", base_url=f"http://127.0.0.1:{port}/", seconds=seconds)
    try:
        yield it, account
    finally:
        await account.close()
        server.close()
        await asyncio.wait_for(it.idle.wait(), 2)


def refusal(status: int, code: int) -> Answer:
    return status, {"status": status, "code": code, "message": "No."}


async def ring(account: TwilioRest, *, machine_url: str = "") -> str:
    return await account.create_call(
        "+15550100", "+15550199", url="https://a/voice", status_url="https://a/status", machine_url=machine_url
    )


async def test_a_call_is_created_with_everything_that_is_told_of_it() -> None:
    async with twilio((201, CALL)) as (it, account):
        assert await ring(account) == "CA1"
    ((line, form),) = it.received
    assert line == f"POST /api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    assert form["To"] == ["+15550100"]
    assert form["From"] == ["+15550199"]
    assert form["Url"] == ["https://a/voice"]
    assert form["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
    assert form["Timeout"] == ["30"]
    assert form["TimeLimit"] == ["1800"]
    assert "MachineDetection" not in form


async def test_machines_are_detected_while_the_call_goes_on() -> None:
    async with twilio((201, CALL)) as (it, account):
        await ring(account, machine_url="https://a/machine")
    ((_, form),) = it.received
    assert form["AsyncAmd"] == ["true"]
    assert form["AsyncAmdStatusCallback"] == ["https://a/machine"]


@pytest.mark.parametrize(("status", "again"), [(429, True), (400, False), (500, False), (503, False)])
async def test_a_call_is_never_placed_twice_by_itself(status: int, again: bool) -> None:
    async with twilio(refusal(status, 20429)) as (it, account):
        with pytest.raises(VendorError, match=f"{status}, code 20429: .*No") as caught:
            await ring(account)
    assert caught.value.again is again
    assert len(it.received) == 1


async def test_silence_is_given_up_and_leaves_open_whether_the_telephone_rings() -> None:
    async with twilio((SILENCE, {}), seconds=0.05) as (_, account):
        with pytest.raises(VendorError, match="no answer in time") as caught:
            await ring(account)
    assert not caught.value.again


async def test_hanging_up_completes_the_call() -> None:
    async with twilio((200, CALL)) as (it, account):
        await account.hang_up("CA1")
    ((line, form),) = it.received
    assert line.endswith("/Calls/CA1.json")
    assert form == {"Status": ["completed"]}


async def test_a_call_that_has_ended_is_hung_up_already() -> None:
    async with twilio(refusal(400, 21220), refusal(404, 20404)) as (it, account):
        await account.hang_up("CA1")
        await account.hang_up("CA1")
    assert len(it.received) == 2


async def test_hanging_up_that_fails_says_so() -> None:
    async with twilio(refusal(500, 20500)) as (_, account):
        with pytest.raises(VendorError) as caught:
            await account.hang_up("CA1")
    assert caught.value.again


async def test_a_live_call_takes_another_document_and_an_ended_one_does_not() -> None:
    async with twilio((200, CALL), refusal(400, 21220)) as (it, account):
        await account.update("CA1", "<Response/>")
        with pytest.raises(VendorError, match="has ended") as caught:
            await account.update("CA1", "<Response/>")
    assert it.received[0][1] == {"Twiml": ["<Response/>"]}
    assert not caught.value.again


async def test_the_price_is_exact_text_once_it_is_known() -> None:
    done = {**CALL, "status": "completed", "price": "-0.00850", "duration": "47", "answered_by": "human"}
    async with twilio((200, CALL), (200, done)) as (_, account):
        assert await account.fetch("CA1") == CallRecord("CA1", "queued", None, None, "USD", "")
        assert await account.fetch("CA1") == CallRecord("CA1", "completed", 47, "-0.00850", "USD", "human")


async def test_reading_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAUSES", (0.0, 0.0))
    async with twilio(refusal(429, 20429), refusal(503, 0), (200, CALL)) as (it, account):
        assert (await account.fetch("CA1")).status == "queued"
    assert len(it.received) == 3


async def test_reading_is_not_tried_for_ever_nor_when_it_is_hopeless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAUSES", (0.0, 0.0))
    async with twilio(*[refusal(503, 0)] * 3, refusal(404, 20404)) as (it, account):
        with pytest.raises(VendorError, match="503"):
            await account.fetch("CA1")
        with pytest.raises(VendorError, match="404"):
            await account.fetch("CA1")
    assert len(it.received) == 4


async def test_a_twilio_that_is_not_there_is_a_vendor_error() -> None:
    account = TwilioRest(ACCOUNT, "token", base_url="http://127.0.0.1:1")
    with pytest.raises(VendorError, match="twilio: "):
        await account.hang_up("CA1")
    await account.close()
