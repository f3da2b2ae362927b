"""Deepgram's Aura by request: another voice by another vendor, for when ElevenLabs fails twice. Silence is worse.

It sends no times, so the words are placed at the pace at which voices usually speak.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import httpx
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError

from app.audio import Clip
from app.call.events import Word
from app.errors import VendorError
from app.mouth.ways import Sound
from app.mouth.words import paced, spread

MODEL = "aura-2-thalia-en"
PIECE_BYTES = 800  # 0.1 s: the SDK's own kilobyte would keep back the first sound for longer
_HOPELESS = (400, 401, 402, 403, 404)


class AuraRequests:
    """Aura's voice, spoken by requests."""

    vendor = "deepgram"

    def __init__(self, client: AsyncDeepgramClient, model: str = MODEL) -> None:
        self.model = model
        self._client = client

    async def speak(self, text: str, before: str = "") -> AsyncGenerator[Sound, None]:
        """Sound and estimated words of a text as they are made. Raises VendorError."""
        waiting = list(paced(text))
        heard = 0.0
        try:
            async with aclosing(self._request(text)) as pieces:
                async for piece in pieces:
                    clip = Clip.of(piece)
                    heard += clip.seconds
                    ended = [word for word in waiting if word.end <= heard]
                    del waiting[: len(ended)]
                    yield Sound(clip, tuple(ended))
        except ApiError as error:
            again = error.status_code not in _HOPELESS
            raise VendorError("deepgram", f"refused to speak with status {error.status_code}", again=again) from error
        except httpx.HTTPError as error:
            raise VendorError("deepgram", f"the request failed: {type(error).__name__} {error}".rstrip()) from error
        if not heard:
            raise VendorError("deepgram", "answered a request without a sound")
        if waiting:
            yield Sound(Clip("////"), _pressed(waiting, heard))

    def _request(self, text: str) -> AsyncGenerator[bytes, None]:
        stream = self._client.speak.v1.audio.generate(
            text=text,
            model=cast(Any, self.model),
            encoding="mulaw",
            sample_rate=8000,
            container="none",
            request_options={"chunk_size": PIECE_BYTES, "max_retries": 0},
        )
        return cast(AsyncGenerator[bytes, None], stream)


def _pressed(words: list[Word], end: float) -> tuple[Word, ...]:
    """The voice was faster than we thought: the words that are left, in the time that was left."""
    return tuple(spread([word.text for word in words], min(words[0].start, end), end))
