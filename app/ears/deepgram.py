"""Deepgram as ears: keeps one socket open for as long as the call lives, and loses nothing when it has to open another.

What the messages mean is decided in `deepgram_wire`. Here is only when to connect, to send, to doubt and to let go.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from app.audio import FRAME_BYTES, RATE, silence, to_linear
from app.call.agent import Agent
from app.call.events import Connected, EarsBack, EarsLost, Event, Metered, Troubled
from app.ears import deepgram_wire as wire
from app.ears.detector import Detector
from app.ears.recent import Recent
from app.ears.transport import Transport
from app.errors import VendorError
from app.socket import Socket, over_http, over_websocket

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]

TEND = 0.25  # seconds between two looks at a socket: half of the shortest wait below
KEEP_ALIVE_AFTER = 4.0  # Deepgram hangs up after 10 s without a word, and asks to be reminded every 3 to 5
SILENCE_AFTER = 0.5  # Flux stands still without sound, so a turn that is over would never end
MUTE_AFTER = 3.0  # words come 0.1 to 0.5 s after they are spoken, at the 99th percentile 1.5
MUTE = f"nothing came for {MUTE_AFTER:g} s while the caller spoke"
MUTE_VOICE = 0.5  # seconds of voice without an answer; a cough is shorter, and gets none
STUCK = 2 * RATE  # bytes: when so much waits to be sent, the rest stays in our own memory, where it can be counted
REPLAY_PIECE = RATE // 5  # samples a message; Deepgram recommends 20 to 250 ms
QUIET_PIECE = 5 * FRAME_BYTES  # while nobody speaks: a fifth of the messages, and no word waits in them
HUSH = 1.5 * RATE  # samples: by then a vendor knows that the voice has ended, and until then every frame counts
FIRST_DELAY, LONGEST_DELAY = 0.1, 3.0  # between attempts to connect; the caller is waiting
REFUSED_DELAY = 10.0  # a wrong key does not mend itself, but somebody may mend it during the call
STEADY = 5.0  # a socket that lived so long was no part of a series of failures


def deepgram_client(
    key: str, url: str = "https://api.deepgram.com", requests: httpx.AsyncClient | None = None
) -> AsyncDeepgramClient:
    """The SDK's client with our transport under its sockets; one for the process.

    `url` may be http, https, ws or wss. `requests` are connections for its HTTP half, to be closed by their owner.
    """
    sockets, plain = over_websocket(url), over_http(url)
    where = DeepgramClientEnvironment(base=plain, production=sockets, agent=sockets, agent_rest=plain)
    return AsyncDeepgramClient(api_key=key, environment=where, httpx_client=requests, transport_factory=Transport)


@dataclass(slots=True)
class _Link:
    """One socket, and how far it has got."""

    socket: Socket
    sent_to: int  # the position in the call's sound up to which this socket has been sent it
    sent_at: float
    opened_at: float = 0.0
    unanswered_since: float | None = None  # the first voice after the vendor's last message
    unanswered: int = 0  # samples of voice since then


class DeepgramEars:
    """The ears of one call. `hear` and `settle` never wait; `run` lives as long as the call."""

    def __init__(
        self,
        client: AsyncDeepgramClient,
        agent: Agent,
        report: Report,
        later: Later,
        *,
        encoding: str = "mulaw",
        detector: Detector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._turns = agent.hears_turns
        self._model = wire.model(agent)
        self._parameters = wire.parameters(agent, encoding)
        self._linear = encoding == "linear16"
        self._report = report
        self._later = later
        self._clock = clock
        self._detector = detector if detector is not None else Detector()
        self._hearing = wire.hearing_for(agent)
        self._recent = Recent()
        self._voice_end = -HUSH  # the position in the call's sound at which somebody was last heard to speak
        self._link: _Link | None = None
        self._frame_at = clock()
        self._lost: VendorError | None = None  # why, from `EarsLost` to `EarsBack`

    # --- what the switchboard calls -------------------------------------------------------------------------------

    def hear(self, frame: bytes) -> None:
        """Take 20 ms of the caller. What cannot be sent now is kept, and sent as soon as it can be."""
        event = self._detector.frame(frame)
        if event is not None:
            self._report(event)
        self._frame_at = self._clock()
        self._recent.add(frame)
        if self._detector.speaking:
            self._voice_end = self._recent.end
        link = self._link
        if link is None:
            return
        if self._detector.speaking:
            if link.unanswered_since is None:
                link.unanswered_since = self._frame_at
            link.unanswered += len(frame)
        if self._recent.end - self._voice_end < HUSH or self._recent.end - link.sent_to >= QUIET_PIECE:
            self._send(link)

    def settle(self) -> None:
        """Ask for final words now. Flux has no such request: there the end of the turn settles them."""
        link = self._link
        if link is not None and not self._turns:
            self._send(link)
            link.socket.send(wire.FINALIZE)

    async def run(self) -> None:
        """Hear until cancelled. The vendor's failures are reported and mended, never raised."""
        failures = 0
        while True:
            began = self._clock()
            try:
                await self._listen()
            except VendorError as trouble:
                self._lose(trouble)
                failures = 1 if self._clock() - began > STEADY else failures + 1
                await asyncio.sleep(delay(trouble, failures) * random.uniform(0.5, 1.0))

    # --- one socket -----------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Live through one socket, from the handshake to its end, which is always a VendorError."""
        warm = self._recent.end == 0
        listen: Any = self._client.listen.v2 if self._turns else self._client.listen.v1
        async with listen.connect(**self._parameters):
            transport = Transport.latest()
            link = self._link_by(transport.socket)
            seconds = await transport.open()
            link.opened_at = self._clock()
            try:
                self._link = link
                self._report(Connected("deepgram", seconds, warm))
                if self._lost is not None and self._lost.what != MUTE:
                    self._back()
                self._send(link)
                await self._attend(link)
            finally:
                self._link = None
                # Deepgram bills how long the socket stood; the sound that went through it is up to 17 % less.
                lived = Decimal(str(round(self._clock() - link.opened_at, 3)))
                self._report(Metered("deepgram", self._model, "second", format(lived, "f")))
                link.socket.leave(wire.CLOSE_STREAM)
                self._later(link.socket.gone())

    def _link_by(self, socket: Socket) -> _Link:
        """A link that begins where the settled words end. It may hear before `open` has returned."""
        start = max(round(self._hearing.settled_until * RATE), self._recent.start)
        self._hearing.resume(start / RATE)
        socket.heard = self._heard
        return _Link(socket, sent_to=start, sent_at=self._clock())

    async def _attend(self, link: _Link) -> None:
        while True:
            try:
                async with asyncio.timeout(TEND):
                    parting = await link.socket.ended()
            except TimeoutError:
                self._tend(link)
            else:
                raise VendorError("deepgram", str(parting))

    def _tend(self, link: _Link) -> None:
        """What falls due while nothing happens."""
        now = self._clock()
        since = link.unanswered_since
        if since is not None and now - since > MUTE_AFTER and link.unanswered > MUTE_VOICE * RATE:
            raise VendorError("deepgram", MUTE)
        if self._turns and now - self._frame_at > SILENCE_AFTER:
            self._recent.add(silence(now - self._frame_at))
            self._frame_at = now
        elif not self._turns and now - link.sent_at > KEEP_ALIVE_AFTER:
            link.socket.send(wire.KEEP_ALIVE)
            link.sent_at = now
        self._send(link)

    # --- sound out, messages in -----------------------------------------------------------------------------------

    def _send(self, link: _Link) -> None:
        """Send whatever this socket has not been sent, unless it is stuck."""
        if link.socket.waiting > STUCK:
            return
        missed = self._recent.start - link.sent_to
        if missed > 0:
            link.sent_to += missed
            self._hearing.skip(missed / RATE)
            self._report(Troubled("ears", "sound was lost on its way to Deepgram", {"seconds": missed / RATE}))
        sound = self._recent.since(link.sent_to)
        for start in range(0, len(sound), REPLAY_PIECE):
            piece = sound[start : start + REPLAY_PIECE]
            link.socket.send(to_linear(piece) if self._linear else piece)
        if sound:
            link.sent_to += len(sound)
            link.sent_at = self._frame_at

    def _heard(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            return
        if self._link is not None:
            self._link.unanswered_since, self._link.unanswered = None, 0
        try:
            read = json.loads(message)
        except ValueError:
            self._report(Troubled("ears", "Deepgram sent what is no JSON", {"message": message[:200]}))
            return
        if isinstance(read, dict):
            for event in self._hearing.take(read):
                self._voice_end = self._recent.end  # a voice too soft for our own detector is one all the same
                self._report(event)
        if self._lost is not None:
            self._back()

    # --- away and back --------------------------------------------------------------------------------------------

    def _lose(self, trouble: VendorError) -> None:
        if self._lost is None:
            self._report(EarsLost(str(trouble)))
        elif self._lost.what != trouble.what:
            self._report(Troubled("ears", str(trouble)))
        self._lost = trouble

    def _back(self) -> None:
        self._lost = None
        self._report(EarsBack())


def delay(trouble: VendorError, failures: int) -> float:
    """How long to wait before the next attempt, after so many failures in a row."""
    if not trouble.again:
        return REFUSED_DELAY
    return min(FIRST_DELAY * 2.0 ** (min(failures, 10) - 1), LONGEST_DELAY)
