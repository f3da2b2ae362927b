"""All doors in one ASGI application: the media socket in front, everything else in Quart."""

from typing import cast
from urllib.parse import urlsplit

from quart import Quart

from app.line.signature import Signatures
from app.switchboard.exchange import Exchange
from app.web.health import health
from app.web.media import Asgi, MediaDoor
from app.web.phone import Addresses, PhoneDoors
from app.web.softphone import Numbers, SoftphoneDoor, is_loopback, softphone

# A webhook's form is some 2 kB; nothing that knocks here has more to say.
_LARGEST_BODY = 256 * 1024


def build(exchange: Exchange, signatures: Signatures, public_url: str, numbers: Numbers) -> MediaDoor:
    """`public_url` is our origin as the carrier sees it; `numbers` are those that the softphone may call."""
    parts = urlsplit(public_url)
    sockets = parts._replace(scheme="wss" if parts.scheme == "https" else "ws").geturl()
    app = Quart("patchcord", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    app.register_blueprint(PhoneDoors(exchange, signatures, Addresses(public_url, sockets)).blueprint())
    app.register_blueprint(health(exchange))
    on_loopback = is_loopback(parts.hostname or "")
    app.register_blueprint(softphone(numbers, on_loopback=on_loopback))
    behind = cast(Asgi, app)  # Quart types each kind of scope and message by itself
    behind = SoftphoneDoor(behind, exchange, on_loopback=on_loopback)
    return MediaDoor(behind, exchange, signatures, on_loopback=on_loopback)
