"""How the telephone company asks a server: a signed form, and fifteen seconds for the answer."""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from urllib.parse import urlencode, urlsplit

import httpx

from ops.lab.phone import Fault

PATIENCE = 15.0  # as the company has it
FAILED, TIMED_OUT = 11200, 11205


def sign(auth_token: str, url: str, fields: Mapping[str, str]) -> str:
    """The address and after it every field and its value, in the order of the fields' names, sealed with the token."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return b64encode(hmac.digest(auth_token.encode(), text.encode(), sha1)).decode()


@dataclass(frozen=True, slots=True)
class Reach:
    """Where an address really leads: whatever lies at the `public` origin is served at `real`, without encryption.

    So a server behind a tunnel that does not exist can be rung as if it did: signatures are made of public addresses.
    """

    public: str = ""
    real: str = ""

    def of(self, url: str) -> str:
        parts, public, real = urlsplit(url), urlsplit(self.public), urlsplit(self.real)
        if not self.public or parts.netloc != public.netloc:
            return url
        scheme = real.scheme.replace("http", "ws") if parts.scheme.startswith("ws") else real.scheme
        return parts._replace(scheme=scheme, netloc=real.netloc).geturl()


@dataclass(frozen=True, slots=True)
class Answer:
    body: str
    content_type: str


class Unanswered(Exception):
    """The server gave no answer that the company could use."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


class Webhooks:
    """Asks and tells servers, in the name of one account."""

    def __init__(self, auth_token: str, reach: Reach) -> None:
        self.auth_token = auth_token
        self.reach = reach
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        self._http = httpx.AsyncClient(timeout=PATIENCE, limits=limits)

    async def close(self) -> None:
        await self._http.aclose()

    async def _once_more(
        self, method: str, url: str, fields: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        """A connection that was kept, or that a dying process had taken, says nothing of the server: one more try."""
        try:
            return await self._http.request(method, url, data=fields, headers=headers)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            return await self._http.request(method, url, data=fields, headers=headers)

    async def ask(self, url: str, fields: Mapping[str, str], method: str = "POST") -> Answer:
        """What the server answers; Unanswered when it is late, away or says anything but 2xx."""
        get = method.upper() == "GET"
        if get:
            url += ("&" if urlsplit(url).query else "?") + urlencode(fields)
        headers = {
            "X-Twilio-Signature": sign(self.auth_token, url, {} if get else fields),
            "User-Agent": "TwilioProxy/1.1",
            "Host": urlsplit(url).netloc,
        }
        try:
            real = self.reach.of(url)
            async with asyncio.timeout(PATIENCE):
                response = await self._once_more(method.upper(), real, None if get else fields, headers)
        except (TimeoutError, httpx.TimeoutException):
            raise Unanswered(Fault(TIMED_OUT, f"{url} did not answer within {PATIENCE:g} s")) from None
        except (httpx.HTTPError, httpx.InvalidURL) as broken:
            raise Unanswered(Fault(FAILED, f"{url} cannot be asked: {broken}")) from None
        if not response.is_success:
            raise Unanswered(Fault(FAILED, f"{url} answered {response.status_code}"))
        return Answer(response.text, response.headers.get("Content-Type", ""))
