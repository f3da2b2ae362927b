"""Ears that are any server with OpenAI's transcriptions: each utterance, cut by our own detector, is one request.

Such servers hear whole recordings and no streams. While somebody speaks they are asked about what there is so far,
one request at a time, because without words on the way nobody could interrupt the agent.
"""

import asyncio
import io
import re
import warnings
import wave
from collections.abc import Awaitable, Callable
from decimal import Decimal

import httpx

from app.audio import RATE, to_linear
from app.call.agent import Agent
from app.call.events import EarsBack, EarsLost, Event, Metered
from app.ears.detector import Detector
from app.ears.offline_utterances import Utterances
from app.errors import VendorError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # as in app.audio
    from audioop import ratecv

VENDOR = "local"
MODEL = "whisper-1"  # the name that every such server takes, whatever it runs
SERVER_RATE = 16000  # whisper's own; some servers take no other
INTERIM_SECONDS = 0.7  # of new sound: the core waits one second for the words of an interruption
REQUEST_SECONDS = 6.0  # a small model on a small machine takes two for a long sentence; then the caller is asked again
TRIES = 2
_REMARKS = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪")  # [BLANK_AUDIO], (music): not what anybody said
_KEEP = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=300.0)

Report = Callable[[Event], None]
Later = Callable[[Awaitable[None]], None]


def open_requests(key: str = "") -> httpx.AsyncClient:
    """The connections that all calls of the process share; whoever opens them closes them."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(limits=_KEEP, timeout=REQUEST_SECONDS, headers=headers)


class BatchedEars:
    """The ears of one call. `hear` and `settle` never wait; `run` lives as long as the call."""

    def __init__(
        self,
        requests: httpx.AsyncClient,
        url: str,
        agent: Agent,
        report: Report,
        later: Later,
        *,
        model: str = MODEL,
        detector: Detector | None = None,
    ) -> None:
        self._requests = requests
        self._address = f"{url.rstrip('/').removesuffix('/v1')}/v1/audio/transcriptions"
        self._asked = {"model": model, "response_format": "json", "language": agent.language.split("-")[0]}
        self._model = model
        self._report = report
        self._utterances = Utterances(self, report, detector if detector is not None else Detector())
        self._sound: dict[int, bytearray] = {}
        self._asked_at: dict[int, int] = {}  # samples of an utterance at its last interim request
        self._interims: dict[int, asyncio.Task[None]] = {}
        self._finals: dict[int, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._lost = False

    def hear(self, frame: bytes) -> None:
        """Take 20 ms of the caller."""
        self._utterances.hear(frame)

    def settle(self) -> None:
        """Ask for final words now."""
        self._utterances.settle()

    async def run(self) -> None:
        """Hear until cancelled. The server's failures are reported, never raised."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._utterances.again()
                await asyncio.Event().wait()
        finally:
            self._group = None

    # --- what the utterances ask for ------------------------------------------------------------------------------

    def begin(self, utterance: int) -> None:
        self._sound[utterance] = bytearray()
        self._asked_at[utterance] = 0

    def add(self, utterance: int, sound: bytes) -> None:
        heard = self._sound[utterance]
        heard += sound
        due = len(heard) - self._asked_at[utterance] >= INTERIM_SECONDS * RATE and self._utterances.detector.speaking
        if due and utterance not in self._interims and self._group is not None:
            self._asked_at[utterance] = len(heard)
            self._interims[utterance] = self._group.create_task(self._look(utterance, bytes(heard)))

    def finish(self, utterance: int) -> None:
        self._stop(self._interims, utterance)
        if self._group is not None:
            sound = bytes(self._sound[utterance])
            self._finals[utterance] = self._group.create_task(self._settle(utterance, sound))

    def forget(self, utterance: int) -> None:
        self._stop(self._interims, utterance)
        self._stop(self._finals, utterance)
        self._sound.pop(utterance, None)
        self._asked_at.pop(utterance, None)

    # --- asking the server ----------------------------------------------------------------------------------------

    async def _look(self, utterance: int, sound: bytes) -> None:
        """What there is so far; if it cannot be had, the end will tell."""
        try:
            self._utterances.words(utterance, await self._transcribe(sound))
        except VendorError:
            return
        finally:
            self._interims.pop(utterance, None)

    async def _settle(self, utterance: int, sound: bytes) -> None:
        text = ""
        for attempt in range(1, TRIES + 1):
            try:
                text = await self._transcribe(sound)
            except VendorError as trouble:
                if attempt == TRIES or not trouble.again:
                    self._lose(trouble)
                    break
            else:
                self._back()
                break
        self._finals.pop(utterance, None)
        self._utterances.settled(utterance, text)
        self.forget(utterance)

    async def _transcribe(self, sound: bytes) -> str:
        self._report(Metered(VENDOR, self._model, "second", format(Decimal(len(sound)) / RATE, "f")))
        try:
            answer = await self._requests.post(
                self._address, data=self._asked, files={"file": ("utterance.wav", recording(sound), "audio/wav")}
            )
            answer.raise_for_status()
            text = answer.json()["text"]
        except httpx.HTTPStatusError as refused:
            status = refused.response.status_code
            again = status >= 500 or status in (408, 429)
            raise VendorError(VENDOR, f"refused to transcribe with status {status}", again=again) from refused
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise VendorError(VENDOR, f"no transcript: {type(error).__name__} {error}".rstrip()) from error
        return " ".join(_REMARKS.sub(" ", str(text)).split())

    def _stop(self, tasks: dict[int, asyncio.Task[None]], utterance: int) -> None:
        task = tasks.pop(utterance, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _lose(self, trouble: VendorError) -> None:
        if not self._lost:
            self._report(EarsLost(str(trouble)))
        self._lost = True

    def _back(self) -> None:
        if self._lost:
            self._report(EarsBack())
        self._lost = False


def recording(mulaw: bytes) -> bytes:
    """A WAV file of this sound, at the rate that such servers want."""
    wide, _ = ratecv(to_linear(mulaw), 2, 1, RATE, SERVER_RATE, None)
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(SERVER_RATE)
        written.writeframes(wide)
    return file.getvalue()
