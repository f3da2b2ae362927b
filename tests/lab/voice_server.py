"""A voice agent's server on loopback: webhooks answered by documents, a media socket behind which a `Talker` talks.

Signatures are checked with the company's own package, which shares no line with the lab.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from twilio.request_validator import RequestValidator

from tests.lab.talker import CLINIC, Talker

ACCOUNT, TOKEN = "AC" + "0" * 32, "a token"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass
class Asked:
    """A webhook that was asked, with what, and whether the signature was right."""

    path: str
    fields: dict[str, str]
    signed: bool


@dataclass
class VoiceServer:
    """`documents`: path -> what is answered, with {ws} and {http} for this server's own address."""

    documents: dict[str, str]
    make: Callable[[], Talker] = lambda: Talker(CLINIC, greeting="The clinic.", gap=0.2)
    content_type: str = "text/xml"
    public: str = ""  # the origin that signatures are made for, if it is not the real one
    on_message: Callable[[Talker, Send], Awaitable[None]] | None = None
    http: str = ""
    asked: list[Asked] = field(default_factory=list)
    talkers: list[Talker] = field(default_factory=list)
    sockets_signed: list[bool] = field(default_factory=list)
    refuse_sockets: bool = False
    called: asyncio.Event = field(default_factory=asyncio.Event)  # somebody is on a media socket

    @property
    def ws(self) -> str:
        return self.http.replace("http", "ws")

    def of(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._webhook(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._media(scope, receive, send)

    async def _webhook(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        url = (self.public or self.http) + scope["path"]
        self.asked.append(Asked(scope["path"], fields, self._signed(scope, url, fields)))
        document = self.documents.get(scope["path"])
        status = 404 if document is None else 200
        text = (
            (document or "").replace("{ws}", self.public.replace("http", "ws") or self.ws).replace("{http}", self.http)
        )
        headers = [(b"content-type", self.content_type.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    async def _media(self, scope: Scope, receive: Receive, send: Send) -> None:
        url = (self.public.replace("http", "ws") or self.ws) + scope["path"]
        self.sockets_signed.append(self._signed(scope, url, {}))
        await receive()
        if self.refuse_sockets:
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        talker = self.make()
        self.talkers.append(talker)
        self.called.set()
        while (message := await receive())["type"] == "websocket.receive":
            for reply in talker.receive(message["text"]):
                await send({"type": "websocket.send", "text": reply})
            if self.on_message is not None:
                await self.on_message(talker, send)
            if talker.closed:
                await send({"type": "websocket.close", "code": 1000})
                return

    def _signed(self, scope: Scope, url: str, fields: Mapping[str, str]) -> bool:
        signature = dict(scope["headers"]).get(b"x-twilio-signature", b"").decode()
        return bool(RequestValidator(TOKEN).validate(url, fields, signature))


class _Announced(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def serving(server: VoiceServer) -> AsyncIterator[VoiceServer]:
    """The server, up and reachable at `server.http`."""
    listener = socket.create_server(("127.0.0.1", 0))
    server.http = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        server,
        log_level="error",
        lifespan="off",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    running = _Announced(config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(running.serve(sockets=[listener]))
        try:
            await running.up.wait()
            yield server
        finally:
            running.should_exit = True
