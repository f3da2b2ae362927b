"""Twilio's REST: place a call, change it, end it, ask what it cost.

Every request has a time limit of ours, since the SDK ignores its own. Only reading is tried again: placing a call twice
would ring somebody twice.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from app.errors import VendorError

VENDOR = "twilio"
REQUEST_SECONDS = 5.0  # Twilio answers in 0.2 s; a caller who waits for a transfer has not much more patience
PAUSES = (0.2, 0.5)  # before the second and the third try of reading
RING_SECONDS = 30  # before voicemail takes over in most networks

_ENDED = frozenset({21220, 20404})  # the call is over already, or long forgotten


class Transport(AsyncTwilioHttpClient):  # type: ignore[misc]
    """The SDK's own transport, but to `base_url` when there is one, and never for longer than `seconds`."""

    def __init__(self, base_url: str = "", *, seconds: float = REQUEST_SECONDS) -> None:
        super().__init__()
        self._base = base_url.rstrip("/")
        self._seconds = seconds

    async def request(
        self,
        method: str,
        url: str,
        *args: Any,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **more: Any,
    ) -> Response:
        if self._base:
            parts = urlsplit(url)
            url = f"{self._base}/{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        if auth:  # as a header, since aiohttp warns at every request that is given it in another way
            proof = b64encode(":".join(auth).encode()).decode()
            headers = {**(headers or {}), "Authorization": f"Basic {proof}"}
        async with asyncio.timeout(self._seconds):
            return await super().request(method, url, *args, headers=headers, **more)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What Twilio knows of a call. `price` is exact text, and None until Twilio has worked it out."""

    sid: str
    status: str
    seconds: int | None
    price: str | None
    price_unit: str
    answered_by: str


class TwilioRest:
    """The account's REST for the whole process. Made inside a running loop, closed with `close`."""

    def __init__(
        self, account_sid: str, auth_token: str, *, base_url: str = "", seconds: float = REQUEST_SECONDS
    ) -> None:
        self._transport = Transport(base_url, seconds=seconds)
        self._client = Client(account_sid, auth_token, http_client=self._transport)

    async def create_call(
        self,
        to: str,
        from_: str,
        *,
        url: str,
        status_url: str,
        ring_seconds: int = RING_SECONDS,
        longest: int = 1800,
        machine_url: str = "",
    ) -> str:
        """Ring somebody; the call's sid. `machine_url` is told, while the call goes on, whether a machine answered.

        A failure that leaves open whether the telephone rings is never one to be tried again.
        """
        asked: dict[str, Any] = {
            "to": to,
            "from_": from_,
            "url": url,
            "method": "POST",
            "status_callback": status_url,
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
            "timeout": ring_seconds,
            "time_limit": longest,
        }
        if machine_url:
            asked |= {
                "machine_detection": "DetectMessageEnd",
                "async_amd": "true",
                "async_amd_status_callback": machine_url,
            }
        try:
            call = await _blaming(self._client.calls.create_async(**asked))
        except VendorError as error:
            refused = _refusal(error)
            raise VendorError(VENDOR, error.what, again=bool(refused and refused.status == 429)) from error
        return str(call.sid)

    async def hang_up(self, sid: str) -> None:
        """End a call, however far it has come; one that has ended already is as good."""
        await self._change(sid, status="completed")

    async def update(self, sid: str, twiml: str) -> None:
        """Give a live call another document; its media stream ends. A call that has ended takes none."""
        if not await self._change(sid, twiml=twiml):
            raise VendorError(VENDOR, f"call {sid} has ended", again=False)

    async def fetch(self, sid: str) -> CallRecord:
        """What became of a call. Price and duration come some time after its end."""
        call = await _patiently(lambda: self._client.calls(sid).fetch_async())
        return CallRecord(
            sid=str(call.sid),
            status=str(call.status),
            seconds=int(call.duration) if call.duration else None,
            price=str(call.price) if call.price is not None else None,
            price_unit=str(call.price_unit or ""),
            answered_by=str(call.answered_by or ""),
        )

    async def close(self) -> None:
        await self._transport.close()

    async def _change(self, sid: str, **change: str) -> bool:
        """Whether there was still a call to change."""
        try:
            await _blaming(self._client.calls(sid).update_async(**change))
        except VendorError as error:
            refused = _refusal(error)
            if refused and refused.code in _ENDED:
                return False
            raise
        return True


def _refusal(error: VendorError) -> TwilioRestException | None:
    """What Twilio itself said, when it said anything."""
    return error.__cause__ if isinstance(error.__cause__, TwilioRestException) else None


async def _patiently(ask: Callable[[], Awaitable[Any]]) -> Any:
    for pause in PAUSES:
        try:
            return await _blaming(ask())
        except VendorError as error:
            if not error.again:
                raise
        await asyncio.sleep(pause)
    return await _blaming(ask())


async def _blaming(asking: Awaitable[Any]) -> Any:
    """Whatever the SDK raises becomes a `VendorError` that knows whether another try can help."""
    try:
        return await asking
    except TwilioRestException as error:
        again = error.status == 429 or error.status >= 500
        raise VendorError(VENDOR, f"{error.status}, code {error.code}: {error.msg}", again=again) from error
    except TimeoutError as error:
        raise VendorError(VENDOR, "no answer in time") from error
    except (ClientError, TwilioException, OSError, ValueError) as error:
        raise VendorError(VENDOR, f"{type(error).__name__}: {error}") from error
