"""HTTP tools against a real server on loopback; everything private is refused unless it is allowed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from app.call.agent import HttpTool
from app.errors import VendorError
from app.tools.http import LONGEST_BODY, HttpTools, filled, is_public, open_client, shortened

TOOL = HttpTool("find_slot", "Find a free time.", "https://example.com/slots", timeout=2)
OK = "HTTP/1.1 200 OK\r\n"


class Shop:
    """Answers every request with `answer` and keeps what it was sent."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.received: list[str] = []
        self.url = ""
        self.idle = asyncio.Event()
        self.idle.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.idle.clear()
        with suppress(ConnectionError):
            await self._answer(reader, writer)
            writer.close()
            await writer.wait_closed()
        self.idle.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [int(line.split(":")[1]) for line in head.lower().split("\r\n") if line.startswith("content-length")]
        self.received.append(head + (await reader.readexactly(sum(lengths))).decode())
        if self.answer == "silence":
            await reader.read(1)
        writer.write(self.answer.encode("latin-1"))


@asynccontextmanager
async def shop(answer: str, *, host: str = "localhost") -> AsyncIterator[tuple[Shop, HttpTools]]:
    it = Shop(answer)
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.url = f"http://{host}:{server.sockets[0].getsockname()[1]}"
    async with open_client() as client:
        yield it, HttpTools(client, {"CRM": "s3cret"}, allow_private=True)
    server.close()
    await asyncio.wait_for(it.idle.wait(), 2)


async def test_arguments_fill_the_address_and_the_rest_is_the_body() -> None:
    async with shop(f"{OK}content-type: text/plain\r\n\r\n Two slots. \n") as (it, http):
        tool = replace(TOOL, url=f"{it.url}/days/{{day}}/slots", headers={"authorization": "Bearer secret:CRM"})
        assert await http.run(tool, {"day": "mon/day ä", "people": 2}) == "Two slots."
    (sent,) = it.received
    assert sent.startswith("POST /days/mon%2Fday%20%C3%A4/slots HTTP/1.1\r\n")
    assert f"host: {it.url.removeprefix('http://')}\r\n" in sent.lower()
    assert "authorization: Bearer s3cret\r\n" in sent.replace("Authorization", "authorization")
    assert sent.endswith('{"people":2}')


async def test_a_get_puts_the_rest_into_the_query() -> None:
    async with shop(f"{OK}\r\nfine") as (it, http):
        await http.run(replace(TOOL, url=f"{it.url}/slots", method="get"), {"day": "monday", "people": 2})
    assert it.received[0].startswith("GET /slots?day=monday&people=2 HTTP/1.1\r\n")


async def test_no_cookie_goes_from_one_call_to_another() -> None:
    async with shop(f"{OK}set-cookie: session=caller1; Path=/\r\n\r\nfine") as (it, http):
        for _ in range(2):
            await http.run(replace(TOOL, url=it.url), {})
    assert "cookie" not in it.received[1].lower()


@pytest.mark.parametrize(
    ("answer", "said", "again"),
    [
        ("HTTP/1.1 500 Oh\r\n\r\nThe disk is full.", "refused with 500: The disk is full.", True),
        ("HTTP/1.1 404 No\r\n\r\n", "refused with 404", False),
        ("HTTP/1.1 429 No\r\n\r\n", "refused with 429", True),
        ("HTTP/1.1 302 Go\r\nlocation: http://169.254.169.254/\r\n\r\n", "redirect", False),
        (f"{OK}content-encoding: gzip\r\n\r\nxx", "encoding", False),
        (f"{OK}\r\n{'x' * (LONGEST_BODY + 1)}", "more than", False),
        ("nonsense\r\n\r\n", "could not be reached", True),
    ],
)
async def test_what_helps_nobody_is_a_vendor_error(answer: str, said: str, again: bool) -> None:
    async with shop(answer) as (it, http):
        with pytest.raises(VendorError, match=said) as caught:
            await http.run(replace(TOOL, url=it.url), {})
    assert caught.value.again is again
    assert len(it.received) == 1


async def test_an_unknown_charset_is_read_as_well_as_can_be() -> None:
    async with shop(f"{OK}content-type: text/plain; charset=klingon\r\n\r\nfine") as (it, http):
        assert await http.run(replace(TOOL, url=it.url), {}) == "fine"


async def test_a_silent_address_is_given_up() -> None:
    async with shop("silence") as (it, http):
        with pytest.raises(VendorError, match=r"no answer within 0\.05 seconds"):
            await http.run(replace(TOOL, url=it.url, timeout=0.05), {})


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:9/",
        "http://127.0.0.1:9/",
        "http://2130706433:9/",
        "http://[::1]:9/",
        "http://[::ffff:10.0.0.1]:9/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0:9/",
        "http://192.168.1.1/",
    ],
)
async def test_private_addresses_are_refused_in_every_disguise(url: str) -> None:
    async with open_client() as client:
        with pytest.raises(VendorError, match="private"):
            await HttpTools(client, {}).run(replace(TOOL, url=url), {})


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:0001::", False),
        ("64:ff9b::7f00:1", False),
        ("224.0.0.1", False),
        ("fd00::1", False),
    ],
)
def test_public_is_the_open_internet_alone(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_secret_that_is_not_there_is_named_but_never_shown() -> None:
    async with open_client() as client:
        with pytest.raises(VendorError, match="no secret named BANK"):
            await HttpTools(client, {"CRM": "s3cret"}).run(replace(TOOL, headers={"x": "secret:BANK"}), {})


@pytest.mark.parametrize(
    ("url", "arguments", "said"),
    [
        ("https://example.com/{day}", {}, "needs day"),
        ("https://example.com/{day}", {"day": ["x"]}, "needs day"),
        ("https://example.com/{day}", {"day": ".."}, "cannot be asked"),
        ("https://example.com/{day}", {"day": " "}, "cannot be asked"),
        ("https://{day}.example.com/", {"day": "x"}, "fixed host"),
        ("ftp://example.com/", {}, "fixed host"),
    ],
)
def test_an_address_that_cannot_be_filled_is_a_failure(url: str, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(VendorError, match=said):
        filled(replace(TOOL, url=url), arguments)


def test_shortened_text_says_that_it_is() -> None:
    assert shortened("a" * 4000) == "a" * 4000
    assert shortened("a" * 4001).endswith("a ... (cut)")
