"""The processes that recognise, shared by all calls of ours: started once, and again when one of them dies."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, Self

import app
from app.ears.offline_wire import Kind, Letter, Unpacking
from app.errors import VendorError

VENDOR = "offline"
READY_SECONDS = 40.0  # its models are read in one to two, by the older release in ten; and machines are busy
CLOSE_SECONDS = 2.0
STUCK_BYTES = 1 << 20  # two minutes of sound that it has not read

Answer = Callable[[Letter], None]


class Process(Protocol):
    """Somewhere to send letters to, with the answers for each utterance coming back to whoever began it."""

    calls: int  # that have it as their ears

    def begin(self, line: str, answer: Answer) -> int: ...
    def send(self, kind: Kind, utterance: int, body: bytes = b"") -> None: ...
    async def died(self) -> str: ...


class Worker(asyncio.SubprocessProtocol):
    """One process and its pipes."""

    def __init__(self) -> None:
        self.calls = 0  # that have it as their ears
        self._unpacking = Unpacking()
        self._transport: Any = None
        self._input: Any = None
        self._complaint = b""
        self._ready = asyncio.Event()
        self._exited = asyncio.Event()
        self._answers: dict[int, Answer] = {}
        self._utterances = 0

    @classmethod
    async def start(cls, vocabulary: bytes) -> Self:
        """Returns when it can listen. Raises VendorError."""
        loop = asyncio.get_running_loop()
        here = str(Path(app.__file__).parents[1])
        _, worker = await loop.subprocess_exec(
            cls,
            sys.executable,
            "-m",
            "app.ears.offline_worker",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))},
            start_new_session=True,  # a Ctrl-C is for us: calls end in their own time, and need their ears for it
        )
        worker.send(Kind.VOCABULARY, 0, vocabulary)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await worker._ready.wait()
        except TimeoutError:
            await worker.close()
            raise VendorError(VENDOR, f"the ears were not ready within {READY_SECONDS:g} s") from None
        if worker.dead:
            await worker.close()
            raise VendorError(VENDOR, worker.complaint, again=False)
        return worker

    @property
    def dead(self) -> bool:
        return self._exited.is_set()

    @property
    def complaint(self) -> str:
        """The last line that it wrote before it died."""
        lines = self._complaint.decode(errors="replace").strip().splitlines()
        return f"the ears' process ended{': ' + lines[-1][:200] if lines else ''}"

    def begin(self, line: str, answer: Answer) -> int:
        """An utterance begins on a line that sounds like this; gives its number, which is this process's own."""
        self._utterances += 1
        self._answers[self._utterances] = answer
        self.send(Kind.BEGIN, self._utterances, line.encode())
        return self._utterances

    def send(self, kind: Kind, utterance: int, body: bytes = b"") -> None:
        if kind is Kind.FORGET:
            self._answers.pop(utterance, None)
        if self.dead or self._input is None:
            return
        if self._input.get_write_buffer_size() > STUCK_BYTES:
            self.kill()
            return
        self._input.write(Letter(kind, utterance, body).packed())

    async def died(self) -> str:
        await self._exited.wait()
        return self.complaint

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._transport.kill()

    async def close(self) -> None:
        """It ends with its input."""
        self._input.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._exited.wait()
        except TimeoutError:
            self.kill()
            await self._exited.wait()
        self._transport.close()

    # --- called by the loop ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._input = self._transport.get_pipe_transport(0)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            self._complaint = (self._complaint + data)[-2000:]
            return
        for letter in self._unpacking.add(data):
            if letter.kind is Kind.READY:
                self._ready.set()
                continue
            last = letter.kind is Kind.SETTLED
            answer = self._answers.pop(letter.utterance, None) if last else self._answers.get(letter.utterance)
            if answer is not None:
                answer(letter)

    def process_exited(self) -> None:
        self._exited.set()
        self._ready.set()


class Recognisers:
    """A few workers; each call stays with the one that has the fewest when it begins."""

    def __init__(self, grammar: str, examples: Sequence[str], workers: int = 1) -> None:
        self._vocabulary = json.dumps({"grammar": grammar, "examples": list(examples)}).encode()
        self._workers: list[Worker | None] = [None] * workers
        self._starting = asyncio.Lock()

    @classmethod
    async def open(cls, grammar: str, examples: Sequence[str], *, workers: int = 1) -> Self:
        """Returns when all of them can listen. Raises VendorError."""
        recognisers = cls(grammar, examples, workers)
        for place in range(workers):
            await recognisers._alive(place)
        return recognisers

    async def worker(self) -> Worker:
        """One that lives, started if need be. Raises VendorError."""
        place = min(range(len(self._workers)), key=lambda n: 0 if (w := self._workers[n]) is None else w.calls)
        return await self._alive(place)

    async def close(self) -> None:
        for worker in self._workers:
            if worker is not None:
                await worker.close()

    async def _alive(self, place: int) -> Worker:
        async with self._starting:
            worker = self._workers[place]
            if worker is None or worker.dead:
                if worker is not None:
                    await worker.close()
                self._workers[place] = None
                worker = self._workers[place] = await Worker.start(self._vocabulary)
            return worker
