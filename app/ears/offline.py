"""Ears without a vendor: pocketsphinx in a process of its own, behind our own voice detector.

They understand one grammar and nothing else, and say when they have not understood.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

from app.audio import RATE
from app.call.agent import Agent
from app.call.events import Connected, EarsBack, EarsLost, Event, Metered
from app.ears.detector import Detector
from app.ears.offline_recognisers import VENDOR, Process
from app.ears.offline_utterances import Utterances
from app.ears.offline_wire import Kind, Letter
from app.errors import VendorError

PRODUCT = "pocketsphinx"
GIVEN_AT_ONCE = RATE // 10  # samples: ten letters a second are enough for words to come while they are spoken
AGAIN_AFTER = 1.0  # seconds before a process that would not start is tried again
HOPELESS_AFTER = 30.0  # a package that is not installed may be, by somebody, while we serve

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]


class Workers(Protocol):
    """Where a process that recognises is had from."""

    async def worker(self) -> Process: ...


class OfflineEars:
    """The ears of one call. `hear` and `settle` never wait; `run` lives as long as the call."""

    def __init__(
        self, workers: Workers, agent: Agent, report: Report, later: Later, *, detector: Detector | None = None
    ) -> None:
        self._workers = workers
        self._report = report
        self._utterances = Utterances(self, report, detector if detector is not None else Detector())
        self._worker: Process | None = None
        self._numbers: dict[int, int] = {}  # ours -> the process's
        self._to_give = bytearray()
        self._line = ""  # what this caller's line sounds like

    def hear(self, frame: bytes) -> None:
        """Take 20 ms of the caller."""
        self._utterances.hear(frame)

    def settle(self) -> None:
        """Ask for final words now."""
        self._utterances.settle()

    async def run(self) -> None:
        """Hear until cancelled. A process that dies is replaced, and told again what it had not answered."""
        lost = False
        try:
            while True:
                try:
                    await self._listen(lost)
                except VendorError as trouble:
                    if not lost:
                        self._report(EarsLost(str(trouble)))
                    lost = True
                    await asyncio.sleep(AGAIN_AFTER if trouble.again else HOPELESS_AFTER)
        finally:
            seconds = format(Decimal(self._utterances.heard) / RATE, "f")
            self._report(Metered(VENDOR, PRODUCT, "second", seconds))

    async def _listen(self, lost: bool) -> None:
        """Live with one process until it dies, which is a VendorError."""
        began = asyncio.get_running_loop().time()
        worker = await self._workers.worker()
        worker.calls += 1
        self._worker = worker
        try:
            self._report(Connected(VENDOR, asyncio.get_running_loop().time() - began, self._utterances.heard == 0))
            self._utterances.again()
            if lost:
                self._report(EarsBack())
            raise VendorError(VENDOR, await worker.died())
        finally:
            worker.calls -= 1
            self._worker = None
            for number in list(self._numbers):
                self._forget(worker, number)

    # --- what the utterances ask for ------------------------------------------------------------------------------

    def begin(self, utterance: int) -> None:
        self._to_give.clear()
        if self._worker is not None:
            self._numbers[utterance] = self._worker.begin(self._line, lambda letter: self._answered(utterance, letter))

    def add(self, utterance: int, sound: bytes) -> None:
        self._to_give += sound
        if len(self._to_give) >= GIVEN_AT_ONCE:
            self._give(utterance)

    def finish(self, utterance: int) -> None:
        self._give(utterance)
        if self._worker is not None and utterance in self._numbers:
            self._worker.send(Kind.FINISH, self._numbers[utterance])

    def forget(self, utterance: int) -> None:
        if self._worker is not None:
            self._forget(self._worker, utterance)

    # --- the process ----------------------------------------------------------------------------------------------

    def _give(self, utterance: int) -> None:
        if self._worker is not None and utterance in self._numbers and self._to_give:
            self._worker.send(Kind.SOUND, self._numbers[utterance], bytes(self._to_give))
        self._to_give.clear()

    def _forget(self, worker: Process, utterance: int) -> None:
        if (number := self._numbers.pop(utterance, None)) is not None:
            worker.send(Kind.FORGET, number)

    def _answered(self, utterance: int, letter: Letter) -> None:
        if letter.kind is Kind.WORDS:
            self._utterances.words(utterance, letter.body.decode())
            return
        settled = json.loads(letter.body)
        self._numbers.pop(utterance, None)
        self._line = settled["line"]
        self._utterances.settled(utterance, settled["text"])
