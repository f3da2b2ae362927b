"""Whether a request really comes from Twilio: the signature on every webhook and on the media socket's handshake.

Addresses are built from the one that the operator configured, never from headers, which a proxy or a stranger writes.
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator

from app.errors import CallerError

_SOCKET_SCHEMES = {"https": "wss", "http": "ws"}
_USUAL_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


class Signatures:
    """Checks what Twilio signed with the account's token. `public_url` is our origin as Twilio sees it.

    Without a token nothing passes: with an empty one anybody could sign.
    """

    def __init__(self, auth_token: str, public_url: str) -> None:
        self._has_token = bool(auth_token)
        self._validator = RequestValidator(auth_token)
        self._origin = public_url.rstrip("/")
        scheme, _, place = self._origin.partition("://")
        self._socket_origin = f"{_SOCKET_SCHEMES[scheme.lower()]}://{place}"

    def check_webhook(self, path: str, form: Mapping[str, Any], header: str | None) -> None:
        """Raises CallerError. `path` with its query; `form` as a MultiDict, for a field may come twice."""
        self._check([self._origin + path], form, header)

    def check_handshake(self, path: str, header: str | None) -> None:
        """Raises CallerError. Twilio signs the wss address that it was given, some of its servers with a slash more."""
        url = self._socket_origin + path
        self._check([url, f"{url}/"], {}, header)

    def _check(self, urls: list[str], form: Mapping[str, Any], header: str | None) -> None:
        if not self._has_token:
            raise CallerError("TWILIO_AUTH_TOKEN is not set here, so nobody can say whether this comes from Twilio")
        if not header:
            raise CallerError("the signature is missing: this request does not come from Twilio")
        expected = [self._validator.compute_signature(spelt, form) for url in urls for spelt in _spellings(url)]
        # All of them, always, so that the time taken tells nothing.
        if not any([compare_digest(one.encode(), header.encode()) for one in expected]):
            raise CallerError(f"the signature does not fit {urls[0]}: check PUBLIC_URL and TWILIO_AUTH_TOKEN")


def _spellings(url: str) -> set[str]:
    """The same address with and without its port: which of them Twilio signs differs from server to server."""
    parts = urlsplit(url)
    if parts.port is None:
        usual = parts._replace(netloc=f"{parts.netloc}:{_USUAL_PORTS[parts.scheme]}")
        return {url, usual.geturl()}
    return {url, parts._replace(netloc=parts.netloc.rpartition(":")[0]).geturl()}
