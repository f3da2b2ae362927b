"""Deepgram's adapter against a small, strict Deepgram on the loopback, which breaks when it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from app.audio import FRAME_BYTES, RATE, silence, to_linear
from app.call.agent import Agent
from app.call.events import (
    Connected,
    EarsBack,
    EarsLost,
    Event,
    Metered,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Troubled,
    WordsHeard,
)
from app.ears.deepgram import HUSH, QUIET_PIECE, DeepgramEars, deepgram_client, delay
from app.ears.detector import PAUSE
from app.errors import VendorError
from ops.lab.speech import say

NOVA = Agent("desk", "Hello.", "Be kind.")
FLUX = Agent("desk", "Hello.", "Be kind.", ears="flux", work_ahead="off")
FRAME = silence(0.02)
PATIENCE = 10.0


class News:
    """A list whose growth can be waited for."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._grown = asyncio.Event()

    def add(self, item: Any) -> None:
        self.items.append(item)
        self._grown.set()

    async def until(self, enough: Callable[[list[Any]], bool]) -> list[Any]:
        while not enough(self.items):
            self._grown.clear()
            await self._grown.wait()
        return self.items

    async def first(self, kind: type, count: int = 1) -> Any:
        await self.until(lambda items: sum(isinstance(item, kind) for item in items) >= count)
        return self.of(kind)[count - 1]

    def of(self, kind: type) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]


class Visit:
    """One socket as the vendor sees it: what it was asked for, and all that it was sent."""

    def __init__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connection = connection
        address = urlsplit(connection.request.path)
        self.path, self.query = address.path, parse_qs(address.query)
        self.authorization = connection.request.headers["Authorization"]
        self.texts: list[str] = []
        self.sound = bytearray()
        self.pieces: list[int] = []

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def result(self, text: str, start: float, each: float = 0.5, **marks: Any) -> None:
        words = [
            {"word": word, "start": start + n * each, "end": start + (n + 1) * each, "confidence": 0.9}
            for n, word in enumerate(text.split())
        ]
        alternatives = [{"transcript": text, "confidence": 0.9, "words": words}]
        whole = {"type": "Results", "start": start, "duration": len(words) * each, "is_final": True} | marks
        await self.say(**whole, channel={"alternatives": alternatives})


class Deepgram:
    """The vendor. `refusals` are the statuses of the first handshakes."""

    def __init__(self, *refusals: int) -> None:
        self.refusals = list(refusals)
        self.visits = News()
        self.received = News()
        self.url = ""

    def decide(self, connection: ServerConnection, request: Request) -> Response | None:
        status = self.refusals.pop(0) if self.refusals else None
        return connection.respond(HTTPStatus(status), "INVALID_AUTH") if status else None

    async def visit(self, connection: ServerConnection) -> None:
        visit = Visit(connection)
        self.visits.add(visit)
        with suppress(ConnectionClosed):
            async for message in connection:
                if isinstance(message, str):
                    assert json.loads(message)["type"] in ("KeepAlive", "Finalize", "CloseStream")
                    visit.texts.append(message)
                else:
                    visit.sound += message
                    visit.pieces.append(len(message))
                self.received.add(message)

    async def visited(self, count: int = 1) -> Visit:
        visits = await self.visits.until(lambda visits: len(visits) >= count)
        visit: Visit = visits[count - 1]
        return visit

    async def has_heard(self, visit: Visit, octets: int) -> bytearray:
        await self.received.until(lambda _: len(visit.sound) >= octets)
        return visit.sound


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Call:
    """The rest of the call, as the ears see it."""

    def __init__(self) -> None:
        self.events = News()
        self.goodbyes: list[Awaitable[None]] = []
        self.clock = Clock()

    def report(self, event: Event) -> None:
        self.events.add(event)

    def later(self, goodbye: Awaitable[None]) -> None:
        self.goodbyes.append(goodbye)

    def ears(self, vendor: Deepgram, agent: Agent = NOVA, **choices: Any) -> DeepgramEars:
        client = deepgram_client("key", vendor.url)
        return DeepgramEars(client, agent, self.report, self.later, clock=self.clock, **choices)


@asynccontextmanager
async def deepgram(*refusals: int) -> AsyncIterator[Deepgram]:
    vendor = Deepgram(*refusals)
    listening = serve(vendor.visit, "127.0.0.1", 0, process_request=vendor.decide, compression=None, close_timeout=0.1)
    async with asyncio.timeout(PATIENCE), listening as server:
        vendor.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield vendor


@asynccontextmanager
async def hearing(call: Call, ears: DeepgramEars) -> AsyncIterator[None]:
    """The ears at work; they end by cancellation, as in a call."""
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(ears.run())
        yield
        work.cancel()
    for goodbye in call.goodbyes:
        await goodbye


def frames(sound: bytes) -> Iterator[bytes]:
    for start in range(0, len(sound) - FRAME_BYTES + 1, FRAME_BYTES):
        yield sound[start : start + FRAME_BYTES]


async def test_sound_goes_up_and_words_come_down() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        visit = await vendor.visited()
        assert (visit.path, visit.query["model"], visit.query["encoding"]) == ("/v1/listen", ["nova-3"], ["mulaw"])
        assert visit.query["interim_results"] == ["true"]
        assert visit.authorization == "Token key"
        await call.events.first(Connected)
        ears.hear(FRAME)
        assert await vendor.has_heard(visit, FRAME_BYTES) == FRAME
        await visit.result("yes please", 0.0, speech_final=True)
        assert (await call.events.first(SpeechEnded)).text == "yes please"


async def test_a_connection_is_warm_when_it_stood_before_the_first_frame() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, call.ears(vendor)):
        connected = await call.events.first(Connected)
        assert (connected.vendor, connected.warm) == ("deepgram", True)
        assert connected.seconds > 0


async def test_what_is_said_before_the_socket_stands_is_heard_all_the_same() -> None:
    call = Call()
    async with deepgram() as vendor:
        ears = call.ears(vendor)
        spoken = say("hello there")[: 30 * FRAME_BYTES]
        for frame in frames(spoken):
            ears.hear(frame)
        async with hearing(call, ears):
            assert await vendor.has_heard(await vendor.visited(), len(spoken)) == spoken
            assert not (await call.events.first(Connected)).warm


async def test_the_local_detector_reports_without_waiting_for_the_vendor() -> None:
    call = Call()
    async with deepgram() as vendor:
        ears = call.ears(vendor)
        for frame in frames(silence(1.0) + say("yes") + silence(0.4)):
            ears.hear(frame)
    assert [type(event) for event in call.events.items] == [SpeechStarted, SpeechPaused]


async def test_flux_is_asked_on_its_own_path() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, call.ears(vendor, FLUX)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        assert (visit.path, visit.query["model"]) == ("/v2/listen", ["flux-general-en"])


async def test_quiet_is_sent_in_larger_pieces_and_a_voice_frame_by_frame_with_all_before_it() -> None:
    call = Call()
    quiet, voice, hush = silence(0.22), say("yes please"), silence(HUSH / RATE + 0.4)
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        for frame in frames(quiet + voice + hush):
            ears.hear(frame)
        await vendor.has_heard(visit, len(quiet + voice + hush) // FRAME_BYTES * FRAME_BYTES)
        assert visit.pieces[:2] == [QUIET_PIECE, QUIET_PIECE]
        assert QUIET_PIECE > visit.pieces[2] > 2 * FRAME_BYTES  # what was held when the voice began, and its onset
        spoken = visit.pieces[3 : visit.pieces.index(QUIET_PIECE, 3)]
        assert set(spoken) == {FRAME_BYTES}  # until nobody has spoken for so long that quiet is all that can follow
        assert 0 <= len(spoken) * FRAME_BYTES - len(voice) - HUSH < PAUSE * RATE


async def test_words_that_only_the_vendor_hears_are_a_voice_all_the_same() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        await visit.result("softly", 0.0, is_final=False)
        await call.events.first(WordsHeard)
        for _ in range(3):
            ears.hear(FRAME)
        await vendor.has_heard(visit, 3 * FRAME_BYTES)
        assert visit.pieces == [FRAME_BYTES] * 3


async def test_linear_sound_is_sent_where_it_is_asked_for() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor, encoding="linear16")):
        visit = await vendor.visited()
        await call.events.first(Connected)
        frame = say("yes")[:FRAME_BYTES]
        ears.hear(frame)
        assert await vendor.has_heard(visit, 2 * FRAME_BYTES) == to_linear(frame)
        assert visit.query["encoding"] == ["linear16"]


async def test_settling_sends_all_sound_and_asks_for_final_words() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        ears.hear(FRAME)
        ears.settle()
        await vendor.received.until(lambda items: len(items) == 2)
        assert (bytes(visit.sound), visit.texts) == (FRAME, ['{"type": "Finalize"}'])


async def test_flux_is_not_asked_to_settle() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor, FLUX)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        ears.settle()
        ears.hear(FRAME)
        await vendor.has_heard(visit, FRAME_BYTES)
        assert visit.texts == []


async def test_a_broken_socket_is_replaced_and_only_what_is_not_settled_is_replayed() -> None:
    call = Call()
    spoken = say("one two three four five six") + silence(0.1)
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        first = await vendor.visited()
        await call.events.first(Connected)
        for frame in frames(spoken):
            ears.hear(frame)
        await vendor.has_heard(first, len(spoken) // FRAME_BYTES * FRAME_BYTES)
        await first.result("one two", 0.0, each=0.25)
        await first.result("three", 0.5, is_final=False)
        await call.events.first(WordsHeard, 2)
        first.connection.transport.abort()
        await call.events.first(EarsLost)
        during = say("seven")[: 5 * FRAME_BYTES]
        for frame in frames(during):
            ears.hear(frame)
        second = await vendor.visited(2)
        replayed = (spoken[: len(spoken) // FRAME_BYTES * FRAME_BYTES] + during)[4000:]
        assert await vendor.has_heard(second, len(replayed)) == replayed
        await second.result("three four", 0.0, each=0.25, speech_final=True)
        assert (await call.events.first(SpeechEnded)).text == "one two three four"
        kinds = [type(event) for event in call.events.items if isinstance(event, EarsLost | EarsBack | Connected)]
        assert kinds == [Connected, EarsLost, Connected, EarsBack]


async def test_every_socket_is_metered_once_also_the_one_that_broke() -> None:
    call = Call()
    async with deepgram() as vendor:
        async with hearing(call, ears := call.ears(vendor)):
            first = await vendor.visited()
            await call.events.first(Connected)
            for _ in range(50):
                ears.hear(FRAME)
            await vendor.has_heard(first, 50 * FRAME_BYTES)
            call.clock.now += 1.25  # as long as the socket stood, whatever went through it
            await first.result("", 0.0, duration=1.0)
            await first.connection.close(1011, "NET-0000")
            await vendor.visited(2)
            await call.events.first(Connected, 2)
            call.clock.now += 0.5
        meters = call.events.of(Metered)
        assert [(meter.vendor, meter.product, meter.unit, meter.quantity) for meter in meters] == [
            ("deepgram", "nova-3", "second", "1.25"),
            ("deepgram", "nova-3", "second", "0.5"),
        ]


async def test_a_vendor_that_falls_silent_while_the_caller_speaks_is_left() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        await call.events.first(Connected)
        for frame in frames(silence(0.2) + say("is anybody there at all")):
            ears.hear(frame)
        call.clock.now += 3.5
        assert "nothing came for 3 s" in (await call.events.first(EarsLost)).why
        second = await vendor.visited(2)
        await call.events.first(Connected, 2)
        assert call.events.of(EarsBack) == []
        await second.say(type="SpeechStarted", timestamp=0.2)
        await call.events.first(EarsBack)


async def test_a_vendor_may_be_silent_while_nobody_speaks() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        for _ in range(200):
            ears.hear(FRAME)
        call.clock.now += 60.0
        await vendor.received.until(lambda _: bool(visit.texts))
        assert visit.texts[0] == '{"type": "KeepAlive"}'
        assert call.events.of(EarsLost) == []


async def test_flux_hears_silence_when_no_frames_come() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor, FLUX)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        ears.hear(FRAME)
        call.clock.now += 0.6
        await vendor.has_heard(visit, 4960)
        assert visit.sound == silence(0.62)
        assert visit.texts == []


async def test_a_refused_key_is_named_and_the_call_goes_on() -> None:
    call = Call()
    async with deepgram(401) as vendor, hearing(call, ears := call.ears(vendor)):
        assert (await call.events.first(EarsLost)).why == "deepgram: refused with status 401: INVALID_AUTH"
        ears.hear(FRAME)
        ears.settle()
        assert call.events.of(Metered) == []


def test_failures_are_waited_out_longer_and_longer_and_a_refusal_for_long() -> None:
    broken, refused = VendorError("deepgram", "broken"), VendorError("deepgram", "no such key", again=False)
    assert [delay(broken, failures) for failures in (1, 2, 3, 5, 6, 99)] == [0.1, 0.2, 0.4, 1.6, 3.0, 3.0]
    assert delay(refused, 1) == 10.0


async def test_a_vendor_without_room_is_tried_again_until_it_has_some() -> None:
    call = Call()
    async with deepgram(429, 503) as vendor, hearing(call, call.ears(vendor)):
        await call.events.first(Connected)
        kinds = [type(event) for event in call.events.items]
        assert kinds[:2] == [EarsLost, Troubled]
        await call.events.first(EarsBack)


async def test_a_slow_goodbye_does_not_hold_up_the_end_of_a_call() -> None:
    call = Call()
    async with deepgram() as vendor:
        ears = call.ears(vendor)
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(ears.run())
            visit = await vendor.visited()
            await call.events.first(Connected)
            visit.connection.transport.pause_reading()
            began = asyncio.get_running_loop().time()
            work.cancel()
        assert asyncio.get_running_loop().time() - began < 0.1
        assert len(call.goodbyes) == 1
        visit.connection.transport.resume_reading()
        await call.goodbyes[0]
        await vendor.received.until(lambda items: items == ['{"type": "CloseStream"}'])


async def test_sound_that_a_stuck_vendor_does_not_take_is_counted_as_lost() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, ears := call.ears(vendor)):
        visit = await vendor.visited()
        await call.events.first(Connected)
        visit.connection.transport.pause_reading()
        for _ in range(60_000):
            ears.hear(FRAME)
        visit.connection.transport.resume_reading()
        lost = await call.events.first(Troubled)
        assert lost.details["seconds"] > 0
        await vendor.received.until(lambda _: len(visit.sound) > FRAME_BYTES)


async def test_a_message_that_is_no_json_is_kept_for_the_trace() -> None:
    call = Call()
    async with deepgram() as vendor, hearing(call, call.ears(vendor)):
        visit = await vendor.visited()
        await visit.connection.send("<html>")
        await visit.connection.send(b"\x00")
        await visit.connection.send("[]")
        assert (await call.events.first(Troubled)).details == {"message": "<html>"}
        await visit.result("yes", 0.0, speech_final=True)
        await call.events.first(SpeechEnded)
