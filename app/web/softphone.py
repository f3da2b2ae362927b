"""The softphone: a page that is a telephone, and the socket behind it, on which the same conversation is held.

Whoever sits at this machine may call; nobody else. The page and its files are Quart's; the socket is a bare ASGI
application in front of it, as the media socket is, because fifty frames a second pass through it.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence, Set
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from quart import Blueprint, Response, render_template, request

from app.audio import Clip
from app.call.actions import Action, Transfer
from app.call.events import Digit, Event, LineClosed, Played
from app.call.outcome import Outcome
from app.errors import CallerError
from app.switchboard.conversation import Conversation
from app.switchboard.exchange import Admitted, Exchange, Refused
from app.switchboard.ports import CallFacts
from app.web import softphone_wire as wire
from app.web.media import Asgi, Message, Receive, Scope, Send
from app.web.softphone_telling import Telling

log = logging.getLogger(__name__)

SOCKET_PATH = "/phone/socket"
CALLER = "browser"  # what stands in a call's record where a caller's number would

_WISH_SECONDS = 10.0  # a page says what it wants as soon as its socket is open
_SEND_SECONDS = 5.0  # a page that takes nothing for so long is gone, whatever its socket says
_LETTERS = 500  # waiting to be read; a page that reads on has never more than a handful
_NORMAL, _POLICY = 1000, 1008

_LOST = "The call could not go on where its line broke. Please call again."

# What a proxy adds. Behind one, everybody seems to sit at this machine.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})

# Only our own files, no other host, nobody's frame; the page draws with style properties, never with style attributes.
_POLICIES = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Numbers = Callable[[], Awaitable[Sequence[tuple[str, str]]]]
"""Every number of ours that is answered, with the name of its agent."""


def softphone(numbers: Numbers, *, on_loopback: bool) -> Blueprint:
    """The page and its files. `on_loopback`: nobody but this machine's people can reach us, as far as we were told."""
    doors = Blueprint(
        "softphone",
        __name__,
        url_prefix="/phone",
        template_folder="templates",
        static_folder="static/softphone",
        static_url_path="/files",
    )

    @doors.before_request
    async def only_from_here() -> Response | None:
        names = {name.lower() for name, _ in request.headers}
        if why := not_from_here(request.remote_addr or "", request.host, names, on_loopback=on_loopback):
            log.warning("the softphone was refused to %s: %s", request.remote_addr, why)
            return Response(f"The softphone stays closed here: {why}.\n", 403, content_type="text/plain")
        return None

    @doors.after_request
    async def with_policies(response: Response) -> Response:
        response.headers.update(_POLICIES)
        return response

    @doors.get("")
    async def page() -> str:
        return await render_template("softphone.html", numbers=await numbers())

    return doors


def not_from_here(client: str, host: str, names: Set[str], *, on_loopback: bool) -> str:
    """Why this visitor may not use the softphone; nothing if they sit at this machine.

    The host is looked at as well as the client: a foreign name that leads to this machine makes foreign pages ours.
    `names` are those of the request's headers, in small letters.
    """
    if not on_loopback:
        return "this server is open to the network (PUBLIC_URL), and the softphone is for people at its own machine"
    if not is_loopback(client):
        return "it is for people at the server's own machine"
    if _FORWARDED & names:
        return "a proxy stands between us, so nobody can say who is calling"
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return f"{host} is not a name of this machine; use localhost"
    return ""


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class SoftphoneDoor:
    """The socket. Everything that does not knock at it goes on to `behind`."""

    def __init__(self, behind: Asgi, exchange: Exchange, *, on_loopback: bool) -> None:
        self._behind = behind
        self._exchange = exchange
        self._on_loopback = on_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or scope["path"] != SOCKET_PATH:
            await self._behind(scope, receive, send)
            return
        await receive()  # websocket.connect
        if why := self._not_welcome(scope):
            log.warning("a softphone's socket was refused: %s", why)
            await send({"type": "websocket.close", "code": _POLICY})  # before accept: the handshake gets a 403
            return
        await send({"type": "websocket.accept"})
        await self._answer(_Socket(receive, send))

    def _not_welcome(self, scope: Scope) -> str:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        client, host = (scope.get("client") or ("", 0))[0], headers.get("host", "")
        if why := not_from_here(client, host, headers.keys(), on_loopback=self._on_loopback):
            return why
        origin = urlsplit(headers.get("origin", ""))
        if origin.scheme not in ("http", "https") or origin.netloc != host:
            return f"it was opened by a page of {headers.get('origin', 'nobody')}, not by ours"
        return ""

    async def _answer(self, socket: "_Socket") -> None:
        try:
            wish = wire.wish(await socket.first_text())
            sid, answer = await self._ring(wish)
            conversation = await self._exchange.connect(answer.token) if isinstance(answer, Admitted) else None
            if conversation is None:
                refusal = answer if isinstance(answer, Refused) else Refused("its token was used up", _LOST)
                await socket.send(wire.refused(refusal.words, refusal.reason))
                await socket.close(_NORMAL)
                return
            again = isinstance(wish, wire.Resume)
            await socket.send(wire.ringing(sid, conversation.agent.name, again=again))
            await _Handset(conversation, socket).talk()
        except CallerError as error:
            log.warning("a softphone was hung up on: %s", error)
            with suppress(CallerError):
                await socket.close(_POLICY)

    async def _ring(self, wish: wire.Ring | wire.Resume) -> tuple[str, Admitted | Refused]:
        if isinstance(wish, wire.Ring):
            sid = f"BR{secrets.token_hex(16)}"
            return sid, await self._exchange.ring(CallFacts(sid, "inbound", wish.number, CALLER))
        following = await self._exchange.follow(wish.sid)
        if isinstance(following, Admitted):
            return wish.sid, following
        why = f"put through to {following.to}" if isinstance(following, Transfer) else following.reason
        return wish.sid, Refused(why, _LOST)


class _Socket:
    """A socket that was accepted. Every failure of it is a CallerError."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.open = True

    async def first_text(self) -> str:
        try:
            async with asyncio.timeout(_WISH_SECONDS):
                message = await self.next()
        except TimeoutError:
            raise CallerError(f"the page did not say within {_WISH_SECONDS:g} s what it wants") from None
        if message is None or not message.get("text"):
            raise CallerError("the page did not begin with what it wants")
        return str(message["text"])

    async def next(self) -> Message | None:
        """The next message; None: there will be none."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.open = False
            return None
        return message

    async def send(self, data: str | bytes) -> None:
        if not self.open:
            raise CallerError("the browser has gone")
        await self._in_time({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})

    async def close(self, code: int) -> None:
        if self.open:
            self.open = False
            await self._in_time({"type": "websocket.close", "code": code})

    async def _in_time(self, message: Message) -> None:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._send(message)
        except TimeoutError:
            raise CallerError(f"the browser took nothing for {_SEND_SECONDS:g} s") from None
        except Exception as error:  # each server's socket breaks with errors of its own
            raise CallerError(f"the browser's socket broke: {error!r}") from error


class _Handset:
    """A browser with the receiver off the hook: the line of one conversation, and a page that shows how it goes."""

    def __init__(self, conversation: Conversation, socket: _Socket) -> None:
        self._conversation = conversation
        self._socket = socket
        self._telling = Telling()
        self._letters: asyncio.Queue[str] = asyncio.Queue(_LETTERS)
        self._hung_up = False  # by the page
        self._closed = False  # by the conversation

    async def talk(self) -> None:
        """Until the socket is closed, by whomever. Raises CallerError when the page talks nonsense."""
        conversation = self._conversation
        conversation.watch(self._watch)
        conversation.attach(self)
        fault: CallerError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._tell())
                try:
                    await self._listen()
                except CallerError as error:
                    fault = error
                finally:
                    telling.cancel()
        finally:
            if not (self._hung_up or self._closed):
                conversation.report(LineClosed("carrier"))
        if fault is not None:
            raise fault

    async def _listen(self) -> None:
        conversation, hear = self._conversation, self._conversation.hear
        while (message := await self._socket.next()) is not None:
            match wire.frame(message.get("bytes") or b""):
                case wire.Heard(frame=frame):
                    hear(frame)
                case wire.MarkBack(mark=mark):
                    conversation.report(Played(mark))
                case wire.Key(key=key):
                    conversation.report(Digit(key))
                case wire.HungUp():
                    self._hung_up = True
                    conversation.report(LineClosed("caller"))

    # --- the page sees ----------------------------------------------------------------------------------------------

    def _watch(self, now: float, thing: Event | Action) -> None:
        for told in self._telling.add(now, thing):
            if not self._letters.full():  # a page that does not read loses what it would have shown, not the call
                self._letters.put_nowait(wire.letter(told))

    async def _tell(self) -> None:
        with suppress(CallerError):  # the line's own sends say the same to the conversation
            while True:
                await self._socket.send(await self._letters.get())

    # --- the line ---------------------------------------------------------------------------------------------------

    async def play(self, clip: Clip, mark: int) -> None:
        if clip.base64:
            await self._socket.send(wire.sound(clip))
        await self._socket.send(wire.mark(mark))

    async def clear(self) -> None:
        await self._socket.send(wire.clear())

    async def close(self) -> None:
        """The conversation is over: the page gets what it has not been told yet, and the reason."""
        self._closed = True
        outcome = self._conversation.outcome or Outcome("an error of ours", "platform")
        with suppress(asyncio.QueueEmpty):
            while self._socket.open:
                await self._socket.send(self._letters.get_nowait())
        if self._socket.open:
            await self._socket.send(wire.ended(outcome))
        await self._socket.close(_NORMAL)
