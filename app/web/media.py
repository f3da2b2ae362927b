"""The media socket, as a bare ASGI application in front of the Quart app.

Fifty frames a second and call pass here: Quart's queue and context for each of them would cost more than all the rest
of a call. Everything that is not the media socket goes on to Quart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from typing import Any

from app.call.events import Digit, LineClosed, Played, Troubled
from app.errors import CallerError
from app.line import media_wire as wire
from app.line.media import MediaLine
from app.line.signature import Signatures
from app.switchboard.conversation import Conversation
from app.switchboard.exchange import Exchange
from app.web.quick_socket import listen, say_at_once

log = logging.getLogger(__name__)

MEDIA_PATH = "/twilio/media/"
_START_SECONDS = 10.0  # `start` follows `connected` at once
_POLICY = 1008
_NORMAL = 1000

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class MediaDoor:
    def __init__(self, behind: Asgi, exchange: Exchange, signatures: Signatures, *, on_loopback: bool) -> None:
        self._behind = behind
        self._exchange = exchange
        self._signatures = signatures
        self._on_loopback = on_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"].startswith(MEDIA_PATH):
            await self._media(scope, receive, send)
        else:
            await self._behind(scope, receive, send)

    async def _media(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        token = scope["path"].removeprefix(MEDIA_PATH)
        try:
            conversation = await self._conversation(token, _header(scope, b"x-twilio-signature"))
        except CallerError as error:
            log.warning("a media socket was refused: %s", error)
            await send({"type": "websocket.close", "code": _POLICY})  # before accept: the handshake gets a 403
            return
        await send({"type": "websocket.accept"})
        stream = _Stream(conversation, token, scope, receive, send)
        try:
            await stream.run()
        except CallerError as error:
            log.warning("call %s: %s", conversation.facts.sid, error)
            conversation.report(LineClosed("carrier"))
            await stream.close(_POLICY)

    async def _conversation(self, token: str, signature: str) -> Conversation:
        """Whose stream this is. On loopback there is no Twilio: a tool that cannot sign has the token as its proof."""
        if signature or not self._on_loopback:
            self._signatures.check_handshake(MEDIA_PATH + token, signature)
        conversation = await self._exchange.connect(token)
        if conversation is None:
            raise CallerError("its token is unknown, used up or too old")
        return conversation


class _Stream:
    """One accepted socket, from `connected` to its end."""

    def __init__(self, conversation: Conversation, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._conversation = conversation
        self._token = token
        self._receive = receive
        self._send = send
        self._wire = wire.MediaWire()
        self._cut = wire.Frames().cut
        self._fault: CallerError | None = None
        self._stopped = False
        self._open = True
        self._let_go = False  # the end was told already, or is our own

    async def run(self) -> None:
        conversation = self._conversation
        try:
            async with asyncio.timeout(_START_SECONDS):
                start = await self._start()
        except TimeoutError:
            raise CallerError(f"the media socket sent no start message within {_START_SECONDS:g} s") from None
        if start is None:
            conversation.report(LineClosed("carrier"))
            return
        self._check(start)
        conversation.attach(MediaLine(start.stream_sid, self._say, self.close, say_at_once(self._scope)))
        await self._listen()

    async def _start(self) -> wire.Start | None:
        """The first messages: `connected`, then `start`. None: the socket is gone already."""
        while (text := await self._text()) is not None:
            message = self._wire.receive(text)
            if isinstance(message, wire.Start):
                return message
        return None

    def _check(self, start: wire.Start) -> None:
        """The address alone could be a copy: the token stands in the parameters too, and belongs to this call."""
        if start.parameters.get("token", self._token) != self._token:
            raise CallerError("the token in the start message is not the one in the address")
        if start.call_sid != self._conversation.facts.sid:
            raise CallerError(f"the stream is of call {start.call_sid}, its token of {self._conversation.facts.sid}")

    async def _listen(self) -> None:
        if listen(self._scope, self._take):
            await self._text()  # nothing but the end
        else:
            while (text := await self._text()) is not None and self._take(text):
                pass
        self._tell_oddities()
        if self._fault is not None:
            raise self._fault
        if self._stopped:
            self._conversation.report(LineClosed("caller"))
        elif not self._let_go:
            self._conversation.report(LineClosed("carrier"))

    def _take(self, text: str | bytes) -> bool:
        """One message; False when it was the last that this stream may send."""
        try:
            message = self._wire.receive(text)
        except CallerError as fault:
            self._fault = fault
            return False
        conversation = self._conversation
        if isinstance(message, wire.Media):
            for frame in self._cut(message.payload):
                conversation.hear(frame)
        elif isinstance(message, wire.MarkBack):
            if message.name.isdecimal():
                conversation.report(Played(int(message.name)))
        elif isinstance(message, wire.Key):
            conversation.report(Digit(message.digit))
        self._stopped = isinstance(message, wire.Stop)
        return not self._stopped

    def _tell_oddities(self) -> None:
        odd = {name: count for name, count in asdict(self._wire.oddities).items() if count}
        if odd:
            self._conversation.report(Troubled("line", "the stream was not as it should be", odd))

    async def _text(self) -> str | bytes | None:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._open = False
            return None
        return message.get("text") or message.get("bytes") or ""

    async def _say(self, text: str) -> None:
        if self._open:
            await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int = _NORMAL) -> None:
        if self._open:
            self._open, self._let_go = False, True
            await self._send({"type": "websocket.close", "code": code})


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
