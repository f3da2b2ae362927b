"""Is it Twilio that knocks? Every webhook and every media handshake is signed with the account's auth token.

The address that Twilio signed is the one that we gave it: it is built from PUBLIC_URL, never from the request's own
headers, which a proxy may have changed and a stranger may have made up.
"""

from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

_MISSING = "the X-Twilio-Signature header is missing"
_WRONG = "the signature is wrong: the auth token differs, or PUBLIC_URL is not the address that Twilio calls"


class Signatures:
    def __init__(self, auth_token: str, public_url: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._public = public_url.rstrip("/")
        parts = urlsplit(self._public)
        secure = parts.scheme == "https"
        self._socket = f"{'wss' if secure else 'ws'}://{parts.netloc}"
        self._port = "" if parts.port else ":443" if secure else ":80"

    @property
    def socket_url(self) -> str:
        """Where media sockets are opened, without a path."""
        return self._socket

    @property
    def public_url(self) -> str:
        return self._public

    def webhook_fault(self, path: str, form: "MultiDict[str, str]", signature: str) -> str:
        """Why this webhook is not Twilio's; "" if it is. `path` is with its query string, if there is one."""
        if not signature:
            return _MISSING
        return "" if self._validator.validate(self._public + path, form, signature) else _WRONG

    def socket_fault(self, path: str, signature: str) -> str:
        """Why this handshake is not Twilio's; "" if it is. Twilio was seen to sign three spellings of one address."""
        if not signature:
            return _MISSING
        spellings = (self._socket + path, self._socket + path + "/", self._socket + self._port + path)
        return "" if any([self._validator.validate(url, {}, signature) for url in spellings]) else _WRONG
