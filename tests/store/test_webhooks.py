"""Every alert goes to whoever wants it, once, and each try is written down."""

from datetime import UTC, datetime, timedelta

from app.store.alerts import raise_alert, settle_alert
from app.store.database import Database
from app.store.webhooks import (
    TRIES,
    Delivery,
    add_webhook,
    delivery_counts,
    due_deliveries,
    note_try,
    pause_after,
    post_alerts,
)

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


async def alerted(database: Database, *events: str) -> list[Delivery]:
    """An address for each of these wishes, and one alert about a budget; what is due to them."""
    async with database.writing() as session:
        for place, wish in enumerate(events):
            await add_webhook(session, f"https://example.com/{place}", "secret", wish, NOW)
        await raise_alert(session, "budget:x", "budget", "half is used", level=50)
    for _ in range(2):
        async with database.writing() as session:
            await post_alerts(session, NOW)
    return await due(database)


async def due(database: Database, now: datetime = NOW) -> list[Delivery]:
    async with database.reading() as session:
        return await due_deliveries(session, now)


async def tried(database: Database, delivery: Delivery, now: datetime, status: int | None, fault: str) -> None:
    async with database.writing() as session:
        await note_try(session, delivery, now, status, fault)


async def test_an_alert_goes_once_to_each_address_that_wants_it(database: Database) -> None:
    found = await alerted(database, "*", "alert.unknown_price", "alert.unknown_price alert.budget")
    assert [delivery.url for delivery in found] == ["https://example.com/0", "https://example.com/2"]
    assert found[0].body["what"] == "half is used"
    assert found[0].body["details"] == {"level": 50}


async def test_an_alert_that_stands_again_is_told_again(database: Database) -> None:
    (first,) = await alerted(database, "*")
    await tried(database, first, NOW, 200, "")
    async with database.writing() as session:
        await settle_alert(session, "budget:x")
        await raise_alert(session, "budget:x", "budget", "half is used again")
        await post_alerts(session, NOW)
    (second,) = await due(database)
    assert second.body["what"] == "half is used again"


async def test_what_was_not_taken_is_tried_again_later_and_later(database: Database) -> None:
    (delivery,) = await alerted(database, "*")
    now = NOW
    for number in range(1, TRIES):
        await tried(database, delivery, now, 500, "answered 500")
        now += timedelta(seconds=pause_after(number) - 1)
        assert await due(database, now) == []
        now += timedelta(seconds=1)
        (delivery,) = await due(database, now)
        assert delivery.tries == number
    await tried(database, delivery, now, None, "ConnectError")
    assert await due(database, now + timedelta(days=9)) == []
    async with database.reading() as session:
        assert [counts[3:] for counts in await delivery_counts(session)] == [(0, 0, 1)]
    assert now - NOW > timedelta(days=1)


async def test_what_was_delivered_is_done(database: Database) -> None:
    (delivery,) = await alerted(database, "*")
    await tried(database, delivery, NOW, 204, "")
    assert await due(database, NOW + timedelta(days=9)) == []
    async with database.reading() as session:
        assert [counts[3:] for counts in await delivery_counts(session)] == [(1, 0, 0)]
