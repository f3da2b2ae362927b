"""ElevenLabs by request, with its own SDK: the second way, when its socket is away or too slow, and for rendering."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, cast

import httpx
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError

from app.audio import Clip
from app.errors import VendorError
from app.mouth.ways import Sound
from app.mouth.words import WordTimes
from app.socket import over_http

# A request that is made during a call should find a connection: a handshake costs three round trips.
_KEEP_CONNECTIONS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=300.0)
_TIMEOUT = 4.0  # for each step of a request, not for the whole; who waits for the first sound gives up much sooner
_HOPELESS = (400, 401, 402, 403, 404, 422)
_BOUNDARY = 0.001  # times are rounded to milliseconds


def open_requests() -> httpx.AsyncClient:
    """The connections that all requests of the process share; whoever opens them closes them."""
    return httpx.AsyncClient(limits=_KEEP_CONNECTIONS)


def elevenlabs_client(
    key: str, url: str = "https://api.elevenlabs.io", requests: httpx.AsyncClient | None = None
) -> AsyncElevenLabs:
    """The SDK's client, one for the process. `url` may be http, https, ws or wss."""
    pool = requests if requests is not None else open_requests()
    return AsyncElevenLabs(api_key=key, base_url=over_http(url), timeout=_TIMEOUT, httpx_client=pool)


class ElevenLabsRequests:
    """One voice, spoken by requests."""

    vendor = "elevenlabs"

    def __init__(self, client: AsyncElevenLabs, voice: str, model: str, language: str = "") -> None:
        self.voice = voice
        self.model = model
        self._client = client
        self._language = language.split("-")[0] if model.endswith("_v2_5") else ""

    async def speak(self, text: str, before: str = "") -> AsyncGenerator[Sound, None]:
        """Sound and words of a text as they are made. Raises VendorError."""
        times = WordTimes()
        times.expect(text)
        heard = 0.0
        try:
            async with aclosing(self._request(text, before)) as chunks:
                async for chunk in chunks:
                    words = _words(times, chunk.alignment or chunk.normalized_alignment, heard)
                    if chunk.audio_base_64:
                        clip = Clip(chunk.audio_base_64)
                        heard += clip.seconds
                        yield Sound(clip, words)
        except ApiError as error:
            raise _blamed(error) from error
        except httpx.HTTPError as error:
            raise VendorError("elevenlabs", f"the request failed: {type(error).__name__} {error}".rstrip()) from error
        if not heard:
            raise VendorError("elevenlabs", "answered a request without a sound")
        if words := times.rest(heard):
            yield Sound(Clip("////"), words)

    def _request(self, text: str, before: str) -> AsyncGenerator[Any, None]:
        known: dict[str, Any] = {"language_code": self._language} if self._language else {}
        if before:
            known["previous_text"] = before
        stream = self._client.text_to_speech.stream_with_timestamps(
            self.voice,
            text=text,
            model_id=self.model,
            output_format="ulaw_8000",
            request_options={"max_retries": 0},  # who asked knows better ways than asking again
            **known,
        )
        return cast(AsyncGenerator[Any, None], stream)


def _words(times: WordTimes, alignment: Any, heard: float) -> tuple[Any, ...]:
    """The words that end in one chunk. Its times go on from the last chunk's, or begin at 0 again: both occur."""
    if alignment is None:
        return ()
    letters: Sequence[str] = getattr(alignment, "characters", None) or []
    starts: Sequence[float] = getattr(alignment, "character_start_times_seconds", None) or []
    ends: Sequence[float] = getattr(alignment, "character_end_times_seconds", None) or []
    shift = heard if starts and starts[0] + _BOUNDARY < times.reached else 0.0
    return times.add(letters, [shift + start for start in starts], [shift + end for end in ends])


def _blamed(error: ApiError) -> VendorError:
    status = error.status_code or 0
    body = error.body
    detail = body.get("detail", body) if isinstance(body, dict) else body
    said = detail.get("message") or detail.get("status") if isinstance(detail, dict) else detail
    return VendorError("elevenlabs", f"refused with status {status}: {said}", again=status not in _HOPELESS)
