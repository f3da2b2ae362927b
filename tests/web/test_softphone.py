"""The softphone's page and socket: who may come in, a call from ring to end, and what a broken line leaves behind."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import pytest
from quart import Quart

from app.audio import FRAME_BYTES
from app.call.events import Digit, SpeechEnded
from app.web import softphone_wire as wire
from app.web.media import Asgi
from app.web.softphone import SOCKET_PATH, SoftphoneDoor, not_from_here, softphone
from tests import virtual_time
from tests.web.house import CLINIC, House, house

HOST = "localhost:8000"
CALL = json.dumps({"is": "call", "number": "+15005550001"})
RESUMED = CLINIC.phrases.resumed


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "behind"})


class Page:
    """A page of ours with its socket: it plays at once what it is sent, and sends every mark back."""

    def __init__(self, behind: House, **changed: str) -> None:
        headers = {"host": HOST, "origin": f"http://{HOST}", **changed}
        self.scope = {
            "type": "websocket",
            "path": SOCKET_PATH,
            "client": ("127.0.0.1", 40000),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        self.door = SoftphoneDoor(nobody, behind.exchange, on_loopback=True)
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.told: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.code: int | None = None
        self.accepted = False
        self.plays = True
        self.inbox.put_nowait({"type": "websocket.connect"})

    def say(self, data: str | bytes) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data})

    def vanish(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] == "websocket.close":
            self.code = message["code"]
            self.vanish()
        elif "text" in message:
            self.told.append(json.loads(message["text"]))
        else:
            self.frames.append(message["bytes"])
            if message["bytes"][0] == wire.MARK and self.plays:
                self.say(message["bytes"])

    async def open(self) -> None:
        await self.door(self.scope, self.inbox.get, self.send)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [told for told in self.told if told["is"] == kind]

    def sounds(self) -> list[bytes]:
        return [frame[2:] for frame in self.frames if frame[0] == wire.SOUND]


Story = Callable[[House, Page], Awaitable[None]]


def tell(story: Story, *, wish: str = CALL, **options: Any) -> Page:
    """The story, with a page that has just opened its socket; afterwards everybody goes home."""

    async def main() -> Page:
        async with house(**options) as behind:
            page = Page(behind)
            page.say(wish)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(page.open())
                await asyncio.sleep(1)
                await story(behind, page)
                await asyncio.sleep(1)
                page.vanish()
                await asyncio.sleep(1)
        return page

    return virtual_time.run(main())


async def nothing(behind: House, page: Page) -> None:
    return None


# --- who may come in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "phone.localhost:80"])
def test_people_at_this_machine_are_welcome(host: str) -> None:
    assert not_from_here("127.0.0.1", host, {"host", "accept"}, on_loopback=True) == ""


@pytest.mark.parametrize(
    ("client", "host", "names", "on_loopback"),
    [
        ("192.0.2.7", "localhost", set(), True),
        ("", "localhost", set(), True),
        ("127.0.0.1", "evil.example.com", set(), True),  # a foreign name that leads here
        ("127.0.0.1", "localhost.example.com", set(), True),
        ("127.0.0.1", "", set(), True),
        ("127.0.0.1", "localhost", {"x-forwarded-for"}, True),
        ("127.0.0.1", "localhost", {"via"}, True),
        ("127.0.0.1", "localhost", set(), False),  # the network reaches us, perhaps through a silent proxy
    ],
)
def test_everybody_else_is_refused(client: str, host: str, names: set[str], on_loopback: bool) -> None:
    assert not_from_here(client, host, names, on_loopback=on_loopback)


@pytest.mark.parametrize("origin", ["http://evil.example.com", "https://localhost", "null", "", "ftp://localhost:8000"])
def test_a_foreign_page_gets_no_socket(origin: str) -> None:
    async def main() -> Page:
        async with house() as behind:
            page = Page(behind, origin=origin)
            await page.open()
            assert behind.exchange.conversations == []
            return page

    page = virtual_time.run(main())
    assert not page.accepted
    assert page.code == 1008


def test_other_addresses_are_somebody_elses_business() -> None:
    async def main() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async with house() as behind:
            page = Page(behind)
            await page.door({**page.scope, "path": "/twilio/media/x"}, page.inbox.get, send)
            await page.door({**page.scope, "type": "http"}, page.inbox.get, send)
        return sent

    assert virtual_time.run(main()) == [{"type": "behind"}, {"type": "behind"}]


# --- the page ---------------------------------------------------------------------------------------------------------


TWO = [("+15005550001", "reception"), ("+15005550002", "<night>")]


async def get(
    path: str, client: str = "127.0.0.1", host: str = HOST, ours: Sequence[tuple[str, str]] = TWO
) -> tuple[int, dict[str, str], str]:
    """The answer of the page's door to a request from there."""

    async def numbers() -> Sequence[tuple[str, str]]:
        return ours

    app = Quart("doors", static_folder=None)
    app.register_blueprint(softphone(numbers, on_loopback=True))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", host.encode())],
        "client": (client, 40000),
        "server": ("127.0.0.1", 8000),
        "extensions": {},
    }
    sent: list[Any] = []
    asked = asyncio.Queue[dict[str, Any]]()
    asked.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            asked.put_nowait({"type": "http.disconnect"})  # as servers do; some releases of Quart wait for it

    with suppress(asyncio.CancelledError):
        await cast(Asgi, app)(scope, asked.get, send)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]).decode()


async def test_the_page_offers_every_number_with_its_agent() -> None:
    status, headers, text = await get("/phone")
    assert status == 200
    assert '<option value="+15005550001">reception · +15005550001</option>' in text
    assert "&lt;night&gt;" in text
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_with_one_number_there_is_nothing_to_choose_and_with_none_nobody_to_call() -> None:
    _, _, one = await get("/phone", ours=TWO[:1])
    assert '<input type="hidden" id="number" value="+15005550001">' in one
    assert "<select" not in one
    _, _, none = await get("/phone", ours=[])
    assert "No number is answered here yet." in none
    assert 'class="call" disabled' in none


async def test_the_page_stays_closed_to_the_network_and_says_why() -> None:
    status, _, text = await get("/phone", client="192.0.2.7")
    assert (status, text) == (403, "The softphone stays closed here: it is for people at the server's own machine.\n")
    status, _, text = await get("/phone", host="evil.example.com")
    assert (status, "use localhost" in text) == (403, True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("phone.js", "javascript"), ("worklet.js", "javascript"), ("softphone.css", "css"), ("icon.svg", "svg")],
)
async def test_the_pages_files_are_served_as_what_they_are(name: str, kind: str) -> None:
    status, headers, _ = await get(f"/phone/files/{name}")
    assert (status, kind in headers["content-type"]) == (200, True)
    assert headers["x-content-type-options"] == "nosniff"


# --- a call -----------------------------------------------------------------------------------------------------------


def test_a_call_rings_is_greeted_and_goes_round() -> None:
    async def story(behind: House, page: Page) -> None:
        sid = page.of_kind("ringing")[0]["sid"]
        behind.exchange.conversations[0].report(SpeechEnded("When are you open?"))
        await asyncio.sleep(2)
        assert [row["heard"] for row in page.of_kind("line")] == [
            "Hello, this is the clinic.",
            "When are you open?",
            "From nine to five.",
        ]
        assert behind.troupe.minds[sid].asked

    page = tell(story, answers=("From nine to five.",))
    assert page.told[0]["agent"] == "reception"
    assert page.told[0]["again"] is False
    assert page.of_kind("turn")[-1]["gap"] is not None
    assert len(page.sounds()[0]) > FRAME_BYTES


def test_the_ears_hear_frames_and_silence_while_muted() -> None:
    async def story(behind: House, page: Page) -> None:
        page.say(bytes((wire.SOUND, 0)) + b"\x20" * FRAME_BYTES)
        page.say(bytes((wire.SOUND, wire.MUTED)))
        await asyncio.sleep(0.1)
        [ears] = behind.troupe.ears.values()
        assert ears.frames == [b"\x20" * FRAME_BYTES, b"\xff" * FRAME_BYTES]

    tell(story)


def test_keys_reach_the_conversation() -> None:
    async def story(behind: House, page: Page) -> None:
        happened: list[object] = []
        behind.exchange.conversations[0].watch(lambda now, thing: happened.append(thing))
        for key in "12#":
            page.say(bytes((wire.KEY, 0)) + key.encode())
        await asyncio.sleep(1)
        assert [thing.key for thing in happened if isinstance(thing, Digit)] == ["1", "2", "#"]

    tell(story)


def test_talking_over_the_agent_clears_what_the_page_has_not_played() -> None:
    async def story(behind: House, page: Page) -> None:
        assert bytes((wire.CLEAR, 0)) not in page.frames
        page.say(bytes((wire.KEY, 0)) + b"1")  # a key interrupts as a word does
        await asyncio.sleep(0.1)
        assert bytes((wire.CLEAR, 0)) in page.frames

    async def main() -> Page:
        async with house() as behind:
            page = Page(behind)
            page.plays = False  # its marks stay out, so what it was sent has not been heard
            page.say(CALL)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(page.open())
                await asyncio.sleep(0.3)
                await story(behind, page)
                page.vanish()
                await asyncio.sleep(1)
        return page

    assert virtual_time.run(main()).of_kind("line")[0]["cut"]


def test_who_hangs_up_is_told_what_was_heard_and_why_it_ended() -> None:
    async def story(behind: House, page: Page) -> None:
        page.say(bytes((wire.HANG_UP, 0)))
        await asyncio.sleep(0.5)
        assert behind.exchange.conversations == []

    page = tell(story)
    assert page.told[-1] == {"is": "ended", "reason": "caller hung up", "fault": "caller"}
    assert page.code == 1000


def test_a_number_that_nobody_answers_is_refused_in_words() -> None:
    page = tell(nothing, wish='{"is":"call","number":"+15005550999"}')
    assert page.told == [
        {
            "is": "refused",
            "words": "This number is not in service. Goodbye.",
            "reason": "no agent answers +15005550999",
        }
    ]
    assert page.code == 1000


@pytest.mark.parametrize("nonsense", [b"\x63\x00", "more text", b""])
def test_a_page_that_talks_nonsense_is_hung_up_on(nonsense: str | bytes) -> None:
    async def story(behind: House, page: Page) -> None:
        page.say(nonsense)
        await asyncio.sleep(0.5)
        assert behind.exchange.conversations == []
        assert '"carrier"' in behind.happened("LineClosed")[0]

    assert tell(story).code == 1008


def test_a_page_that_wants_nothing_is_hung_up_on() -> None:
    async def main() -> Page:
        async with house() as behind:
            page = Page(behind)
            await page.open()
            return page

    assert virtual_time.run(main()).code == 1008


# --- a line that breaks -----------------------------------------------------------------------------------------------


def test_a_page_that_is_loaded_anew_goes_on_with_the_conversation() -> None:
    async def story(behind: House, page: Page) -> None:
        behind.exchange.conversations[0].report(SpeechEnded("I am Ada."))
        await asyncio.sleep(2)
        page.vanish()
        await asyncio.sleep(0.5)
        assert behind.exchange.conversations == []
        anew = Page(behind)
        anew.say(json.dumps({"is": "resume", "sid": page.told[0]["sid"]}))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(anew.open())
            await asyncio.sleep(4)
            [conversation] = behind.exchange.conversations
            conversation.report(SpeechEnded("What is my name?"))
            await asyncio.sleep(2)
            anew.vanish()
        assert anew.told[0] == {**page.told[0], "again": True}
        assert anew.of_kind("line")[0]["text"] == RESUMED
        asked = behind.troupe.minds[page.told[0]["sid"]].asked[-1]
        assert "I am Ada." in str(asked.messages)

    tell(story, answers=("Hello Ada.",))


def test_a_call_that_nobody_knows_cannot_go_on() -> None:
    page = tell(nothing, wish=json.dumps({"is": "resume", "sid": "BR" + "0" * 32}))
    assert page.told[0]["is"] == "refused"
    assert "call again" in page.told[0]["words"]


def test_a_page_that_takes_nothing_any_more_ends_the_call() -> None:
    async def main() -> list[str]:
        async with house() as behind:
            page = Page(behind)
            page.say(CALL)

            async def stuck(message: Any) -> None:
                if message.get("bytes"):
                    await asyncio.Event().wait()
                await Page.send(page, message)

            page.send = stuck  # type: ignore[method-assign]
            async with asyncio.TaskGroup() as tasks:
                opened = tasks.create_task(page.open())
                await asyncio.sleep(30)
                assert behind.exchange.conversations == []
                opened.cancel()
            return behind.happened("LineClosed")

    assert '"carrier"' in virtual_time.run(main())[0]
