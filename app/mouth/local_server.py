"""A voice that is any server with OpenAI's speech: text by request, 16-bit sound back as it is made.

Such servers tell no times, so the words are placed at the pace at which voices usually speak.
"""

import struct
from collections.abc import AsyncGenerator

import httpx

from app.audio import RATE, Clip
from app.call.events import Word
from app.errors import VendorError
from app.mouth.offline_lowpass import Telephoned
from app.mouth.ways import Sound
from app.mouth.words import paced, spread

VENDOR = "local"
MODEL = "tts-1"  # the name that every such server takes, whatever it runs
PCM_RATE = 24000  # what the interface says of its format pcm
CLIP_SECONDS = 0.2
_HOPELESS = (400, 401, 403, 404, 422)
_TIMEOUT = 6.0  # for each step; a small machine begins to speak a sentence after one or two seconds
_KEEP = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=300.0)
_RIFF_HEAD = 12


def open_requests(key: str = "") -> httpx.AsyncClient:
    """The connections that all calls of the process share; whoever opens them closes them."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(limits=_KEEP, timeout=_TIMEOUT, headers=headers)


class LocalRequests:
    """One voice of the server, spoken by requests."""

    vendor = VENDOR

    def __init__(self, requests: httpx.AsyncClient, url: str, voice: str, model: str = MODEL) -> None:
        self.voice = voice
        self.model = model
        self._requests = requests
        self._address = f"{url.rstrip('/').removesuffix('/v1')}/v1/audio/speech"

    async def speak(self, text: str, before: str = "") -> AsyncGenerator[Sound, None]:
        """Sound and estimated words of a text as they are made. Raises VendorError."""
        body = {"model": self.model, "voice": self.voice, "input": text, "response_format": "pcm"}
        telling = _Telling(text)
        try:
            async with self._requests.stream("POST", self._address, json=body) as answer:
                if answer.is_error:
                    again = answer.status_code not in _HOPELESS
                    raise VendorError(VENDOR, f"refused to speak with status {answer.status_code}", again=again)
                async for data in answer.aiter_bytes():
                    for sound in telling.add(data):
                        yield sound
        except httpx.HTTPError as error:
            raise VendorError(VENDOR, f"the request failed: {type(error).__name__} {error}".rstrip()) from error
        for sound in telling.end():
            yield sound


class _Telling:
    """One answer's bytes into clips of mu-law, each with the words that end in it."""

    def __init__(self, text: str) -> None:
        self._waiting = list(paced(text))
        self._heard = 0.0
        self._unread = b""
        self._telephoned: Telephoned | None = None
        self._sound = bytearray()

    def add(self, data: bytes) -> list[Sound]:
        self._unread += data
        if self._telephoned is None and (begin := beginning(self._unread)) is not None:
            rate, start = begin
            self._telephoned, self._unread = Telephoned(rate), self._unread[start:]
        if self._telephoned is None:
            return []
        whole = len(self._unread) // 2 * 2
        self._sound += self._telephoned.add(self._unread[:whole])
        self._unread = self._unread[whole:]
        return [self._clip()] if len(self._sound) >= CLIP_SECONDS * RATE else []

    def end(self) -> list[Sound]:
        """The rest. Raises VendorError when there was no sound at all."""
        if self._telephoned is not None:
            self._sound += self._telephoned.end()
        if not self._heard and not self._sound:
            raise VendorError(VENDOR, "answered a request without a sound")
        last = self._clip()
        if not self._waiting:
            return [last]
        # The voice was faster than we thought: the words that are left lie in the time that was left.
        left = spread([word.text for word in self._waiting], min(self._waiting[0].start, self._heard), self._heard)
        return [Sound(last.clip, (*last.words, *left))]

    def _clip(self) -> Sound:
        clip = Clip.of(bytes(self._sound))
        self._sound.clear()
        self._heard += clip.seconds
        ended: list[Word] = [word for word in self._waiting if word.end <= self._heard]
        del self._waiting[: len(ended)]
        return Sound(clip, tuple(ended))


def beginning(data: bytes) -> tuple[int, int] | None:
    """The rate of the sound and where it begins; None: more is needed to say so.

    Some servers answer with WAV whatever they are asked for.
    """
    if len(data) < 4:
        return None
    if not data.startswith(b"RIFF"):
        return PCM_RATE, 0
    rate, at = PCM_RATE, _RIFF_HEAD
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"data":
            return rate, at + 8
        if name == b"fmt " and at + 16 <= len(data):
            rate = struct.unpack_from("<I", data, at + 12)[0]
        at += 8 + length + length % 2
    return None
