"""Addresses that are told of alerts, and the log of what was told to whom, with every try."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.alerts import standing_alerts
from app.store.tables import DeliveryRow, WebhookRow
from app.store.upsert import insert_into

STATES = ("delivered", "waiting", "failed")
TRIES = 10  # the last one a day and a half after the first
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way."""

    id: int
    url: str
    secret: str
    event: str
    body: dict[str, Any]
    tries: int


async def add_webhook(session: AsyncSession, url: str, secret: str, events: str, now: datetime) -> int:
    """`events`: words with a space between, such as "alert.budget alert.unknown_price", or *."""
    row = WebhookRow(url=url, secret=secret, events=events, created_at=now)
    session.add(row)
    await session.flush()
    return row.id


async def list_webhooks(session: AsyncSession) -> Sequence[WebhookRow]:
    return list(await session.scalars(select(WebhookRow).order_by(WebhookRow.id)))


async def delivery_counts(session: AsyncSession) -> list[tuple[int, str, str, int, int, int]]:
    """Each address with how many messages were delivered, wait, and failed."""
    counts = {
        (hook, state): n
        for hook, state, n in await session.execute(
            select(DeliveryRow.webhook_id, DeliveryRow.state, func.count()).group_by(
                DeliveryRow.webhook_id, DeliveryRow.state
            )
        )
    }
    return [
        (hook.id, hook.url, hook.events, *(counts.get((hook.id, state), 0) for state in STATES))  # type: ignore[misc]
        for hook in await list_webhooks(session)
    ]


async def post_alerts(session: AsyncSession, now: datetime) -> None:
    """Every standing alert on its way to every address that wants it, once for each time it was raised."""
    hooks = [hook for hook in await list_webhooks(session) if hook.active]
    rows = []
    for alert in await standing_alerts(session):
        event = f"alert.{alert.kind}"
        body = {"event": event, "what": alert.what, "details": alert.details, "raised_at": alert.raised_at.isoformat()}
        for hook in hooks:
            if hook.events == "*" or event in hook.events.split():
                key = f"alert:{alert.id}:{alert.raised_at.isoformat()}"
                rows.append(
                    {"webhook_id": hook.id, "key": key, "event": event, "body": body, "next_at": now, "created_at": now}
                )
    if rows:
        await session.execute(insert_into(session, DeliveryRow).on_conflict_do_nothing(), rows)


async def due_deliveries(session: AsyncSession, now: datetime, at_most: int = 50) -> list[Delivery]:
    """What is to be tried now, the longest overdue first."""
    asked = (
        select(DeliveryRow, WebhookRow)
        .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
        .where(DeliveryRow.state == "waiting", DeliveryRow.next_at <= now, WebhookRow.active)
        .order_by(DeliveryRow.next_at)
        .limit(at_most)
    )
    return [
        Delivery(row.id, hook.url, hook.secret, row.event, row.body, row.tries)
        for row, hook in await session.execute(asked)
    ]


async def note_try(session: AsyncSession, delivery: Delivery, now: datetime, status: int | None, fault: str) -> None:
    """What came of a try. Without a fault it is delivered; else it waits for the next one, longer each time."""
    row = await session.get_one(DeliveryRow, delivery.id)
    row.tries = delivery.tries + 1
    row.last_status, row.last_fault = status, fault
    if not fault:
        row.state, row.delivered_at = "delivered", now
    elif row.tries >= TRIES:
        row.state = "failed"
    else:
        row.next_at = now + timedelta(seconds=pause_after(row.tries))


def pause_after(tries: int) -> float:
    return min(FIRST_PAUSE * 4.0 ** (tries - 1), LONGEST_PAUSE)
