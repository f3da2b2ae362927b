"""Tools that are somebody's HTTP address: asked once, never at a private address, and never for longer than is polite.

Every failure is a `VendorError` whose text the mind may read: it names no secret.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from app.call.agent import HttpTool
from app.errors import VendorError

LONGEST_ANSWER = 4000  # letters; more is not read by the caller's patience nor by a mind in a hurry
LONGEST_BODY = 65536  # bytes; whatever is longer is a mistake or an attack, and is not even received
REFUSAL_SHOWN = 500  # letters of an error page: enough for its first sentence

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SECRET = re.compile(r"secret:(\w+)")
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def open_client(*, connections: int = 100) -> httpx.AsyncClient:
    """The one client of the process for tools: no proxies from outside, no cookie from one call to another."""
    return httpx.AsyncClient(
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        limits=httpx.Limits(max_connections=connections, keepalive_expiry=60),
    )


class HttpTools:
    """Runs HTTP tools with one client that all calls share. `secrets`: what "secret:NAME" in a header stands for."""

    def __init__(self, client: httpx.AsyncClient, secrets: Mapping[str, str], *, allow_private: bool = False) -> None:
        self._client = client
        self._secrets = secrets
        self._allow_private = allow_private

    async def run(self, tool: HttpTool, arguments: Mapping[str, Any]) -> str:
        """The text of the answer. Raises VendorError when there is none, or none that helps."""
        url, rest = filled(tool, arguments)
        host = urlsplit(url).hostname or ""
        headers = {"accept-encoding": "identity", **self._headers(tool)}
        try:
            async with asyncio.timeout(tool.timeout):
                address = await self._allowed_address(tool, url)
                request = self._client.build_request(
                    tool.method.upper(), url, headers=headers, **_placed(tool, rest), timeout=None
                )
                # To the very address that was checked: a name may lead elsewhere when it is asked a second time.
                request.url = request.url.copy_with(host=address)
                request.extensions["sni_hostname"] = host
                return await self._answer(tool, request)
        except TimeoutError as error:
            raise VendorError(tool.name, f"no answer within {tool.timeout:g} seconds") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise VendorError(tool.name, f"could not be reached ({type(error).__name__})") from error

    def _headers(self, tool: HttpTool) -> dict[str, str]:
        def reveal(found: re.Match[str]) -> str:
            if found[1] not in self._secrets:
                raise VendorError(tool.name, f"is not set up: there is no secret named {found[1]}", again=False)
            return self._secrets[found[1]]

        return {name: _SECRET.sub(reveal, value) for name, value in tool.headers.items()}

    async def _allowed_address(self, tool: HttpTool, url: str) -> str:
        """One address of the host. When any of them is private, none is used."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise VendorError(tool.name, "its address is not known") from error
        addresses = [str(entry[4][0]) for entry in found]
        if not self._allow_private and not all(map(is_public, addresses)):
            raise VendorError(tool.name, "its address is private, which is not allowed", again=False)
        return addresses[0]

    async def _answer(self, tool: HttpTool, request: httpx.Request) -> str:
        answer = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            text = await _text_of(tool, answer)
        finally:
            await answer.aclose()
        if answer.is_redirect:
            raise VendorError(tool.name, "answered with a redirect, which is not followed", again=False)
        if answer.is_error:
            again = answer.is_server_error or answer.status_code == 429
            raise VendorError(tool.name, f"refused with {answer.status_code}: {text[:REFUSAL_SHOWN]}", again=again)
        return shortened(text)


async def _text_of(tool: HttpTool, answer: httpx.Response) -> str:
    if answer.headers.get("content-encoding", "identity") != "identity":  # asked for plain; a bomb is never plain
        raise VendorError(tool.name, "answered in an encoding that was not asked for", again=False)
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > LONGEST_BODY:
            raise VendorError(tool.name, f"answered with more than {LONGEST_BODY} bytes", again=False)
    try:
        return body.decode(answer.encoding or "utf-8", errors="replace").strip()
    except LookupError:
        return body.decode("utf-8", errors="replace").strip()


def filled(tool: HttpTool, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The tool's URL with its {placeholders} filled and quoted, and the arguments that had no place in it."""
    rest = dict(arguments)

    def fill(found: re.Match[str]) -> str:
        value = arguments.get(found[1])
        if not isinstance(value, str | int | float):
            raise VendorError(tool.name, f"needs {found[1]}", again=False)
        rest.pop(found[1], None)
        text = str(value).strip()
        if text in ("", ".", ".."):  # would be another path than the one that was written
            raise VendorError(tool.name, f"cannot be asked with {found[1]} being {text!r}", again=False)
        return quote(text, safe="")

    parts = urlsplit(tool.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "{" in parts.netloc:
        raise VendorError(tool.name, "is not set up: its URL must be http(s) with a fixed host", again=False)
    return _PLACEHOLDER.sub(fill, tool.url), rest


def _placed(tool: HttpTool, rest: Mapping[str, Any]) -> dict[str, Any]:
    """Where the other arguments go: the body, or the query of a request that has no body."""
    if tool.method.upper() not in _WITHOUT_BODY:
        return {"json": rest}
    return {"params": rest} if rest else {}


def is_public(address: str) -> bool:
    """Whether this is an address of the open internet, also when it hides in one of another form."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def shortened(text: str) -> str:
    """Cut to what is worth reading aloud from; says so where it was cut."""
    return text if len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER].rstrip()} ... (cut)"
