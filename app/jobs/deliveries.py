"""Tells the operator's addresses of alerts: signed, tried again, and every try written down."""

import hashlib
import hmac
import json
from datetime import datetime

import httpx

from app.store.database import Database
from app.store.webhooks import Delivery, due_deliveries, note_try, post_alerts

SECONDS = 5.0  # an address that takes longer is tried again
SIGNATURE = "X-Patchcord-Signature"


def signature(secret: str, moment: int, body: bytes) -> str:
    """What the receiver computes too: HMAC-SHA256 over the moment, a dot and the body. An old moment is a replay."""
    proof = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={proof}"


class Deliveries:
    def __init__(self, database: Database, http: httpx.AsyncClient) -> None:
        self._database = database
        self._http = http

    async def __call__(self, now: datetime) -> None:
        async with self._database.writing() as session:
            await post_alerts(session, now)
        async with self._database.reading() as session:
            waiting = await due_deliveries(session, now)
        for delivery in waiting:
            status, fault = await self._try(delivery, now)
            async with self._database.writing() as session:
                await note_try(session, delivery, now, status, fault)

    async def _try(self, delivery: Delivery, now: datetime) -> tuple[int | None, str]:
        body = json.dumps({"id": delivery.id, **delivery.body}, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Patchcord-Event": delivery.event,
            "X-Patchcord-Delivery": str(delivery.id),  # the same at every try, so that the receiver may know it again
            SIGNATURE: signature(delivery.secret, int(now.timestamp()), body),
        }
        try:
            answer = await self._http.post(
                delivery.url, content=body, headers=headers, timeout=SECONDS, follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, f"{type(error).__name__}: {error}".rstrip(": ")
        return answer.status_code, "" if answer.is_success else f"answered {answer.status_code}"
