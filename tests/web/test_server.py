"""All doors in one application: each address leads to its own, and nobody brings more than a webhook is long."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app.line.signature import Signatures
from app.store.live import LocalLive
from app.switchboard.exchange import Exchange
from app.web.media import MediaDoor
from app.web.server import build
from ops.lab.webhook import sign
from tests.switchboard.puppets import ListTrace, Troupe
from tests.web.house import TOKEN, OneNumber, ringing


async def no_numbers() -> list[tuple[str, str]]:
    return []


@asynccontextmanager
async def doors(public_url: str) -> AsyncIterator[tuple[MediaDoor, httpx.AsyncClient]]:
    """The application for this origin, and somebody who knocks there."""
    exchange = Exchange(OneNumber(), Troupe().hire, LocalLive(), lambda sid: ListTrace(), most_calls=10)
    application = build(exchange, Signatures(TOKEN, public_url), public_url, no_numbers)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(exchange.run())
        await exchange.ready.wait()
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            yield application, client
        exchange.stop()


@pytest.mark.parametrize(
    ("public_url", "sockets"),
    [
        ("https://phone.example.com", "wss://phone.example.com"),
        ("https://phone.example.com:8443", "wss://phone.example.com:8443"),
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000"),
    ],
)
async def test_the_carrier_is_sent_to_the_public_address(public_url: str, sockets: str) -> None:
    async with doors(public_url) as (_, client):
        form = ringing()
        headers = {"X-Twilio-Signature": sign(TOKEN, f"{public_url}/twilio/voice", form)}
        answer = await client.post("/twilio/voice", data=form, headers=headers)
        assert f'url="{sockets}/twilio/media/' in answer.text
        assert f'action="{public_url}/twilio/next"' in answer.text
        assert f'statusCallback="{public_url}/twilio/status"' in answer.text


async def test_every_door_is_there_and_no_other() -> None:
    async with doors("https://phone.example.com") as (_, client):
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/twilio/voice", data=ringing())).status_code == 403
        assert (await client.get("/twilio/media/token")).status_code == 404
        assert (await client.get("/nowhere")).status_code == 404


async def test_a_body_that_is_longer_than_any_webhook_is_refused() -> None:
    async with doors("https://phone.example.com") as (_, client):
        answer = await client.post("/twilio/voice", data={"CallSid": "x" * 300_000})
        assert answer.status_code == 413


async def handshake(application: MediaDoor, path: str) -> str:
    """What somebody is told who opens a socket here without a signature, and goes away at once."""
    said: list[str] = []
    does = iter(("connect", "disconnect"))

    async def receive() -> dict[str, str]:
        return {"type": f"websocket.{next(does)}"}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message["type"])

    await application({"type": "websocket", "path": path, "headers": []}, receive, send)
    return said[0]


@pytest.mark.parametrize(
    ("public_url", "told"),
    [
        ("https://phone.example.com", "websocket.close"),
        ("http://127.0.0.1:8000", "websocket.accept"),
        ("http://localhost:8000", "websocket.accept"),
    ],
)
async def test_only_on_the_loopback_a_socket_may_come_without_a_signature(public_url: str, told: str) -> None:
    async with doors(public_url) as (application, client):
        form = ringing()
        headers = {"X-Twilio-Signature": sign(TOKEN, f"{public_url}/twilio/voice", form)}
        document = (await client.post("/twilio/voice", data=form, headers=headers)).text
        token = document.partition("/twilio/media/")[2].partition('"')[0]
        assert await handshake(application, f"/twilio/media/{token}") == told
