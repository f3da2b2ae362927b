"""All vendors behind one port: `python -m ops.lab vendors --port 9100`, or `async with vendors() as lab` in a test.

/v1/listen /v2/listen            Deepgram
/v1/messages[/count_tokens]      Anthropic
/v1/text-to-speech/…             ElevenLabs
/api.twilio.com/2010-04-01/…     Twilio
/lab/faults /lab/counts /lab/requests /lab/stamps /lab/reset      the lab itself
"""

import argparse
import asyncio
import gc
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import uvicorn

from ops.lab.anthropic import Anthropic
from ops.lab.brain import CLINIC, Rule
from ops.lab.deepgram import Deepgram
from ops.lab.door import Abort, Gone, Receive, Request, Scope, Send, Socket, Talk, clock
from ops.lab.elevenlabs import ElevenLabs
from ops.lab.profile import PROFILES, Fault, Faults, Profile
from ops.lab.speech import say
from ops.lab.stamps import Stamps
from ops.lab.twilio_rest import Calls, TwilioRest

_LISTENS = ("/v1/listen", "/v2/listen")


class Vendors:
    """The ASGI application: finds the vendor that an address belongs to."""

    def __init__(
        self, profile: Profile, rules: Sequence[Rule], seed: int, calls: Calls, abort: Abort, stamps: Stamps
    ) -> None:
        self._abort = abort
        self._stamps = stamps
        self._faults = Faults()
        self._deepgram = Deepgram(profile, self._faults, seed, stamps)
        self._anthropic = Anthropic(profile, self._faults, seed, stamps, rules)
        self._elevenlabs = ElevenLabs(profile, self._faults, seed, stamps)
        self._twilio = TwilioRest(calls, self._faults, seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(Socket(scope, receive, send, self._abort))
        elif scope["type"] == "http":
            # Nobody waits for the answer any more, and nobody needs to know.
            with suppress(Gone):
                await self._request(Request(scope, receive, send, self._abort))

    async def _socket(self, visitor: Socket) -> None:
        if visitor.path in _LISTENS:
            await self._deepgram.listen(visitor)
        elif self._elevenlabs.owns(visitor.path) and visitor.path.endswith("stream-input"):
            await self._elevenlabs.stream_input(visitor)
        else:
            await visitor.refuse(404, {"error": f"no vendor has a socket at {visitor.path}"})

    async def _request(self, request: Request) -> None:
        path = request.path
        if path.startswith("/lab/"):
            await self._lab(request)
        elif (request.method, path) == ("POST", "/v1/messages"):
            await self._anthropic.messages(request)
        elif (request.method, path) == ("POST", "/v1/messages/count_tokens"):
            await self._anthropic.count_tokens(request)
        elif request.method == "POST" and self._elevenlabs.owns(path) and not path.endswith("stream-input"):
            await self._elevenlabs.convert(request)
        elif self._twilio.owns(path):
            await self._twilio.serve(request)
        else:
            await request.answer(404, {"error": f"no vendor has {request.method} {path}"})

    async def _lab(self, request: Request) -> None:
        """The lab's own addresses."""
        asked = (request.method, request.path)
        if asked == ("GET", "/lab/counts"):
            await request.answer(200, self._counts())
        elif asked == ("GET", "/lab/requests"):
            await request.answer(200, list(self._anthropic.requests))
        elif asked == ("GET", "/lab/stamps"):
            await request.answer(200, self._stamps.taken())
        elif asked == ("POST", "/lab/reset"):
            self._reset()
            await request.answer(200, {})
        elif asked == ("POST", "/lab/faults"):
            given = await request.json()
            try:
                faults = [Fault.read(each) for each in (given if isinstance(given, list) else [given])]
            except (AttributeError, TypeError, ValueError) as wrong:
                return await request.answer(400, {"error": str(wrong)})
            for fault in faults:
                self._set(fault)
            await request.answer(200, [asdict(fault) for fault in faults])
        else:
            await request.answer(404, {"error": f"the lab has no {request.method} {request.path}"})

    def _set(self, fault: Fault) -> None:
        if not fault.live:
            return self._faults.add(fault)
        talks: dict[str, set[Talk]] = {"deepgram": self._deepgram.talks, "elevenlabs": self._elevenlabs.talks}
        for talk in list(talks.get(fault.vendor, ()))[: fault.times]:
            talk.strike(fault)

    def _counts(self) -> dict[str, Any]:
        return {
            "deepgram": self._deepgram.counts(clock()),
            "anthropic": self._anthropic.counts(),
            "elevenlabs": self._elevenlabs.counts(),
            "twilio": self._twilio.counts(clock()),
        }

    def _reset(self) -> None:
        self._faults.clear()
        for vendor in (self._deepgram, self._anthropic, self._elevenlabs, self._twilio):
            vendor.reset()


class Lab:
    """A running lab, here or in another process, asked over its own addresses; an answer takes a few milliseconds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ws_url = url.replace("http", "ws", 1)

    def faults(self, *faults: Mapping[str, Any], **fault: Any) -> None:
        """Let things go wrong: `faults(vendor="deepgram", kind="drop", after=2.0)`. See `Fault`."""
        self._ask("/lab/faults", [*faults, *([fault] if fault else [])])

    def counts(self) -> dict[str, Any]:
        """What each vendor has seen, and what it would bill."""
        counts: dict[str, Any] = self._ask("/lab/counts")
        return counts

    def requests(self) -> list[Any]:
        """The last 200 bodies that Anthropic was sent, oldest first."""
        requests: list[Any] = self._ask("/lab/requests")
        return requests

    def stamps(self) -> list[dict[str, Any]]:
        """What passed since the last time, message by message, if the lab was started with stamps."""
        stamps: list[dict[str, Any]] = self._ask("/lab/stamps")
        return stamps

    def reset(self) -> None:
        """No faults, no counts, no requests, nothing cached."""
        self._ask("/lab/reset", {})

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(HttpRequest(self.url + path, data), timeout=10) as answer:
            return json.load(answer)


class _Server(uvicorn.Server):
    """uvicorn with the vendors inside, and a way to break a connection off."""

    def __init__(self, profile: Profile, rules: Sequence[Rule], seed: int, calls: Calls, stamps: bool) -> None:
        config = uvicorn.Config(
            Vendors(profile, rules, seed, calls, self._break_off, Stamps(on=stamps)),
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            timeout_keep_alive=300,  # as long as the vendors keep an idle connection, or longer
            timeout_graceful_shutdown=1,
            lifespan="off",
            access_log=False,
            log_level="warning",
        )
        super().__init__(config)
        self.ready: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    def _break_off(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == scope["client"] and connection.transport is not None:
                connection.transport.abort()


@asynccontextmanager
async def vendors(
    profile: Profile | str = "reference",
    script: Sequence[Rule | Mapping[str, Any]] = (),
    *,
    seed: int = 0,
    calls: Calls | None = None,
    stamps: bool = False,
) -> AsyncIterator[Lab]:
    """All vendors on a free port of this machine, in a thread of their own, so that no test can hold them up."""
    rules = [rule if isinstance(rule, Rule) else Rule.read(rule) for rule in script]
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    server = _Server(chosen, rules, seed, calls or Calls(), stamps)
    with _listening(0) as listening:
        started = threading.Event()
        server.ready = started.set
        thread = threading.Thread(target=server.run, args=([listening],), name="lab vendors", daemon=True)
        thread.start()
        if not await asyncio.to_thread(started.wait, 10):
            raise RuntimeError("the lab's vendors did not start within 10 s")
        try:
            yield Lab(f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            await asyncio.to_thread(thread.join, 10)


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(1024)
    return listening


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser("vendors", description="The vendors' wires, on one port of this machine.")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="reference")
    parser.add_argument("--script", type=Path, help="a JSON file: rules for what the mind says, before the clinic's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stamps", action="store_true", help="note when each message passed, for a bench")
    given = parser.parse_args(arguments)
    rules = [Rule.read(each) for each in json.loads(given.script.read_text())] if given.script else []
    server = _Server(PROFILES[given.profile], rules, given.seed, Calls(), given.stamps)
    with _listening(given.port) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def ready() -> None:
            be_punctual(rules)
            print(f"vendors ready at {address}, profile {given.profile}", flush=True)

        server.ready = ready
        server.run([listening])


def be_punctual(rules: Sequence[Rule]) -> None:
    """Have done what would make all vendors late at once, which reads like a fault of whoever is measured.

    A word takes 10 ms to be made, and is kept; the collector of cycles takes 30 ms to see that there are none.
    """
    for rule in (*rules, *CLINIC):
        say(f"{rule.say} {rule.otherwise}", voice="agent")
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
