"""The loader writes a ledger that the reports take for one of the house's own."""

from datetime import date
from decimal import Decimal

import asyncpg
import pytest
from sqlalchemy import func, select

from app.report.percentiles import bucket, percentiles
from app.report.stages import GAP
from app.store import reports
from app.store.database import Database
from app.store.reports import cost_report, latency_report
from app.store.tables import CallRow, LatencyDayRow, TurnRow, UsageRow
from ops.lab.ledger_load import ITEMS, TURNS, Size, batches, load

SMALL = Size(calls=40, days=4, agents=2, campaigns=2, numbers=3)
PERIOD = (date(2026, 8, 1), date(2026, 8, 31))


def test_the_same_seed_gives_the_same_ledger() -> None:
    assert list(batches(SMALL)) == list(batches(SMALL))
    assert list(batches(SMALL, seed=2)) != list(batches(SMALL))


async def test_a_loaded_ledger_is_reported_like_any_other(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await load(postgres_url, SMALL)
    database = Database.open(postgres_url)
    async with database.reading() as session:
        rows = [await session.scalar(select(func.count()).select_from(table)) for table in (CallRow, TurnRow, UsageRow)]
        cost = await session.scalar(select(func.sum(UsageRow.cost_usd)))
        gaps = [gap for gap in await session.scalars(select(TurnRow.gap_seconds)) if gap is not None]
        kept = await session.execute(
            select(LatencyDayRow.bucket, func.sum(LatencyDayRow.n))
            .where(LatencyDayRow.stage == GAP)
            .group_by(LatencyDayRow.bucket)
        )
        counts = {number: int(n) for number, n in kept}
        total = (await cost_report(session, *PERIOD, "agent")).rows[-1]
        exact = await latency_report(session, *PERIOD, "stage")
        monkeypatch.setattr(reports, "EXACT_TURNS", 0)
        summed = await latency_report(session, *PERIOD, "stage")
    await database.close()
    assert rows == [40, 40 * TURNS, 40 * len(ITEMS)]
    assert total[1] == 40
    assert total[3] == cost != Decimal(0)
    assert counts == {number: sum(bucket(gap) == number for gap in gaps) for number in counts}
    assert exact.rows[0][1:3] == (len(gaps), percentiles(gaps).p50)
    assert [row[:2] for row in summed.rows] == [row[:2] for row in exact.rows]


async def test_a_database_with_calls_is_left_alone(postgres_url: str) -> None:
    await load(postgres_url, Size(calls=1))
    with pytest.raises(SystemExit, match="give the loader an empty one"):
        await load(postgres_url, SMALL)
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SELECT count(*) FROM calls") == 1
    await connection.close()
