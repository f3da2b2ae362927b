"""ElevenLabs' socket for one call: opened before it is needed, and opened again whenever it goes.

What the messages mean is decided in `elevenlabs_wire`. What cannot be spoken here any more goes back as a `Rest` to
whoever knows another way.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.call.events import Connected, Event, Troubled
from app.errors import VendorError
from app.mouth.elevenlabs_wire import Contexts, Rest, address
from app.socket import Socket, over_websocket

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]

TEND = 0.25  # seconds between two looks: the shortest wait in the wire is four times as long
PING_AFTER = 20.0  # what lies between forgets an idle connection after 30 s and more
FIRST_DELAY, LONGEST_DELAY = 0.1, 3.0
REFUSED_DELAY = 10.0  # a wrong key does not mend itself, but somebody may mend it during the call
STEADY = 5.0  # a socket that lived so long was no part of a series of failures


class ElevenLabsSocket:
    """One voice over one socket at a time. `speak` and `stop` never wait; `run` lives as long as the call."""

    def __init__(
        self,
        key: str,
        url: str,
        voice: str,
        model: str,
        report: Report,
        later: Later,
        rest: Callable[[Rest], None],
        *,
        language: str = "",
        settings: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.up = asyncio.Event()
        self.hopeful = True  # False once an attempt to connect has failed, until one succeeds
        self._headers = {"xi-api-key": key}
        self._address = address(over_websocket(url), voice, model, language)
        self._model = model
        self._settings = settings
        self._report = report
        self._later = later
        self._rest = rest
        self._clock = clock
        self._socket: Socket | None = None
        self._contexts = Contexts(model, settings)
        self._asked = False
        self._pinged_at = clock()

    # --- orders ---------------------------------------------------------------------------------------------------

    def speak(self, question: int, text: str, last: bool, *, sound: float = 0.0) -> None:
        """The next piece of an utterance; only while `up` is set."""
        self._asked = True
        self._tell(self._contexts.speak(question, text, last, self._clock(), sound=sound))

    def stop(self, question: int) -> None:
        self._contexts.stop(question, self._clock())
        self._tell([])

    def await_order(self) -> None:
        """Somebody wants to speak and must wait for us: a connection that stands from now on was not warm."""
        self._asked = True

    async def run(self) -> None:
        """Keep a socket open until cancelled. The vendor's failures are reported and mended, never raised."""
        failures = 0
        while True:
            began = self._clock()
            try:
                await self._serve()
            except VendorError as trouble:
                failures = 0 if self._clock() - began > STEADY else failures
                self.hopeful = trouble.again and failures == 0
                self._report(Troubled("mouth", str(trouble)))
                for rest in self._contexts.lost():
                    self._rest(rest)
                await asyncio.sleep(delay(trouble, failures) * random.uniform(0.5, 1.0))
                failures += 1

    # --- one socket -----------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Live through one socket, from the handshake to its end, which is always a VendorError."""
        self._contexts = Contexts(self._model, self._settings)
        socket = Socket("elevenlabs", self._address, self._headers, self._heard)
        seconds = await socket.open()
        try:
            self._socket = socket
            self.hopeful = True
            self._report(Connected("elevenlabs", seconds, warm=not self._asked))
            self.up.set()
            await self._attend(socket)
        finally:
            self.up.clear()
            self._socket = None
            socket.leave()
            self._later(socket.gone())

    async def _attend(self, socket: Socket) -> None:
        while True:
            try:
                async with asyncio.timeout(TEND):
                    parting = await socket.ended()
            except TimeoutError:
                self._tend(socket)
            else:
                why = self._contexts.broken or str(parting)
                raise VendorError("elevenlabs", why, again=not self._contexts.hopeless)

    def _tend(self, socket: Socket) -> None:
        now = self._clock()
        self._tell(self._contexts.tick(now))
        if now - self._pinged_at > PING_AFTER:
            self._pinged_at = now
            socket.ping()

    # --- messages -------------------------------------------------------------------------------------------------

    def _heard(self, message: str | bytes) -> None:
        try:
            read = json.loads(message)
        except ValueError:
            self._report(Troubled("mouth", "ElevenLabs sent what is no JSON", {"message": str(message[:200])}))
            return
        if isinstance(read, dict):
            self._tell(self._contexts.take(read, self._clock()))

    def _tell(self, events: list[Event]) -> None:
        """Send what has piled up, and only then report: the vendor is to work while we think."""
        socket = self._socket
        for message in self._contexts.to_send():
            if socket is not None:
                socket.send(message)
        if self._contexts.broken is not None and socket is not None:
            self.up.clear()
            socket.abort()
        for event in events:
            self._report(event)


def delay(trouble: VendorError, failures: int) -> float:
    """How long to wait before the next attempt. The first comes at once: somebody may be in the middle of a word."""
    if not trouble.again:
        return REFUSED_DELAY
    return min(FIRST_DELAY * 2.0 ** (min(failures, 10) - 1), LONGEST_DELAY) if failures else 0.0
