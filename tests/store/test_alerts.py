"""An occasion is told once, until it is settled."""

from app.store.alerts import raise_alert, settle_alert, standing_alerts
from app.store.database import Database


async def raised(database: Database, what: str) -> bool:
    async with database.writing() as session:
        return await raise_alert(session, "budget:7:80", "budget", what, percent=80)


async def standing(database: Database) -> list[tuple[str, str, dict[str, object]]]:
    async with database.reading() as session:
        return [(alert.key, alert.what, alert.details) for alert in await standing_alerts(session)]


async def test_one_occasion_is_one_alert(database: Database) -> None:
    assert await raised(database, "first")
    assert not await raised(database, "second")
    assert await standing(database) == [("budget:7:80", "first", {"percent": 80})]


async def test_what_was_settled_stands_again_when_it_happens_again(database: Database) -> None:
    await raised(database, "first")
    async with database.writing() as session:
        await settle_alert(session, "budget:7:80")
    assert await standing(database) == []
    assert await raised(database, "again")
    assert [what for _, what, _ in await standing(database)] == ["again"]
