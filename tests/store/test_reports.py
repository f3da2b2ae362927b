"""The reports over real rows, on both databases."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.errors import SettingsError
from app.report import cost_table, latency_table
from app.report.sheets import Cell, Sheet
from app.report.stages import GAP
from app.store import reports
from app.store.database import Database
from app.store.reports import cost_report, latency_report
from tests.store.ledgers import CALL, COST, DAY, GHOST, LINES, TURNS, written

NEXT = DAY + timedelta(days=1)


async def three_calls(database: Database) -> None:
    """Two of reception's on one day, one of night's, in a campaign, on the next."""
    await written(database)
    await written(database, replace(CALL, sid="CA2"), TURNS[:2], LINES[:1])
    later = replace(CALL, sid="CA3", agent="night", campaign="recall", number="+15005550002")
    await written(database, replace(later, started_at=CALL.started_at + timedelta(days=1)), TURNS[:1], (*LINES, GHOST))


def column(sheet: Sheet, name: str) -> dict[Cell, Cell]:
    place = sheet.columns.index(name)
    return {row[0]: row[place] for row in sheet.rows}


@pytest.mark.parametrize(
    ("by", "first", "second"),
    [
        ("day", "2026-11-20", "2026-11-21"),
        ("agent", "reception", "night"),
        ("campaign", "(none)", "recall"),
        ("number", "+15005550001", "+15005550002"),
    ],
)
async def test_cost_by_what_calls_belong_to(database: Database, by: str, first: str, second: str) -> None:
    await three_calls(database)
    async with database.reading() as session:
        sheet = await cost_report(session, DAY, NEXT, by)
    hearing = Decimal("0.0048816")
    assert column(sheet, "cost_usd") == {first: COST + hearing, second: COST, "total": 2 * COST + hearing}
    assert column(sheet, "calls") == {first: 2, second: 1, "total": 3}
    assert column(sheet, "wasted_usd") == {
        first: Decimal("0.00048"),
        second: Decimal("0.00048"),
        "total": Decimal("0.00096"),
    }
    assert column(sheet, "unpriced") == {first: 0, second: 1, "total": 1}


async def test_cost_by_component(database: Database) -> None:
    await three_calls(database)
    async with database.reading() as session:
        sheet = await cost_report(session, DAY, DAY, "component")
    assert column(sheet, "cost_usd") == {
        "hearing": 2 * Decimal("0.0048816"),
        "speaking": Decimal("0.00196"),
        "thinking, input": Decimal("0.00012"),
        "total": COST + Decimal("0.0048816"),
    }
    assert column(sheet, "usd_per_call")["speaking"] == Decimal("0.00098")


async def test_days_outside_are_left_out(database: Database) -> None:
    await three_calls(database)
    async with database.reading() as session:
        assert column(await cost_report(session, NEXT, NEXT, "day"), "calls") == {"2026-11-21": 1, "total": 1}
        nothing = await cost_report(session, date(2026, 1, 1), date(2026, 1, 2), "agent")
    assert column(nothing, "cost_usd") == {"total": Decimal(0)}


async def test_latency_of_few_turns_is_exact(database: Database) -> None:
    await three_calls(database)
    async with database.reading() as session:
        sheet = await latency_report(session, DAY, NEXT, "stage")
        by_agent = await latency_report(session, DAY, NEXT, "agent")
        by_day = await latency_report(session, DAY, NEXT, "day")
        of_night = await latency_report(session, DAY, NEXT, "stage", agent="night")
    assert column(sheet, "n") == {GAP: 3, "endpointing": 3, "send": 3}
    assert column(sheet, "p50")[GAP] == pytest.approx(0.81)
    assert sheet.notes[0] == "Seconds; exact, by nearest rank."
    assert {row[0] for row in by_agent.rows} == {"reception"}
    assert {row[0] for row in by_day.rows} == {"2026-11-20"}
    assert of_night.rows == ()


@pytest.mark.parametrize("by", latency_table.BY)
async def test_latency_of_many_turns_comes_from_the_kept_histogram(
    database: Database, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three_calls(database)
    async with database.reading() as session:
        exact = await latency_report(session, DAY, NEXT, by, agent="reception")
        monkeypatch.setattr(reports, "EXACT_TURNS", 2)
        kept = await latency_report(session, DAY, NEXT, by, agent="reception")
    assert kept.notes[0] == "Seconds; by nearest rank, within one per cent."
    assert kept.columns == exact.columns
    for ours, true in zip(kept.rows, exact.rows, strict=True):
        assert [cell for cell in ours if not isinstance(cell, float)] == [c for c in true if not isinstance(c, float)]
        assert [c for c in ours if isinstance(c, float)] == pytest.approx(
            [c for c in true if isinstance(c, float)], rel=0.01
        )


async def test_an_unknown_report_is_refused_with_what_there_is(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(SettingsError, match="choose one of " + ", ".join(cost_table.BY)):
            await cost_report(session, DAY, DAY, "colour")
        with pytest.raises(SettingsError, match="choose one of stage, agent, day"):
            await latency_report(session, DAY, DAY, "colour")
