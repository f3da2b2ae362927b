"""Alerts reach a real address, signed, and a deaf one is tried again."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import select

from app.jobs.deliveries import SIGNATURE, Deliveries
from app.store.alerts import raise_alert
from app.store.database import Database
from app.store.tables import DeliveryRow
from app.store.webhooks import add_webhook
from tests.servers import free_port

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
Received = list[tuple[dict[str, str], bytes]]


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[tuple[str, Received]]:
    """An address that answers with these, one after the other; what it was sent."""
    received: Received = []
    left = list(statuses)

    async def answer(asking: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await asking.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        lower = {name.lower(): value for name, value in headers.items()}
        received.append((lower, await asking.readexactly(int(lower["content-length"]))))
        writer.write(f"HTTP/1.1 {left.pop(0)} Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/alerts", received


async def alerted(database: Database, url: str) -> None:
    async with database.writing() as session:
        await add_webhook(session, url, "secret", "*", NOW)
        await raise_alert(session, "budget:x", "budget", "half is used", level=50)


async def log_of(database: Database) -> tuple[str, int, int | None, str]:
    async with database.reading() as session:
        row = (await session.scalars(select(DeliveryRow))).one()
    return row.state, row.tries, row.last_status, row.last_fault


async def test_an_alert_arrives_once_and_can_be_verified(database: Database) -> None:
    async with receiver(204) as (url, received), httpx.AsyncClient() as http:
        await alerted(database, url)
        for _ in range(2):
            await Deliveries(database, http)(NOW)
    ((headers, body),) = received
    told = dict(part.split("=") for part in headers[SIGNATURE.lower()].split(","))
    assert told["t"] == str(int(NOW.timestamp()))
    assert told["v1"] == hmac.new(b"secret", f"{told['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["x-patchcord-event"] == "alert.budget"
    assert json.loads(body)["what"] == "half is used"
    assert await log_of(database) == ("delivered", 1, 204, "")


async def test_an_address_that_fails_is_tried_again_and_the_tries_are_logged(database: Database) -> None:
    async with receiver(500, 301, 200) as (url, received), httpx.AsyncClient() as http:
        await alerted(database, url)
        job = Deliveries(database, http)
        await job(NOW)
        assert await log_of(database) == ("waiting", 1, 500, "answered 500")
        await job(NOW + timedelta(seconds=9))
        assert len(received) == 1, "it is not time yet"
        await job(NOW + timedelta(seconds=10))
        assert await log_of(database) == ("waiting", 2, 301, "answered 301")
        await job(NOW + timedelta(seconds=60))
    assert await log_of(database) == ("delivered", 3, 200, "")
    assert len({headers["x-patchcord-delivery"] for headers, _ in received}) == 1


async def test_an_address_where_nobody_is_does_not_hold_up_the_others(database: Database) -> None:
    async with receiver(200) as (url, received), httpx.AsyncClient() as http:
        async with database.writing() as session:
            await add_webhook(session, f"http://127.0.0.1:{free_port()}/", "other", "*", NOW)
        await alerted(database, url)
        await Deliveries(database, http)(NOW)
    assert len(received) == 1
