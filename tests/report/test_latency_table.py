"""Percentiles as a table, with the meaning of every stage below it."""

from app.report.latency_table import latency_sheet
from app.report.percentiles import Percentiles
from app.report.stages import DEFINITIONS, GAP

FAST, SLOW = Percentiles(9, 0.1, 0.2, 0.3, 0.4), Percentiles(7, 1.1, 1.2, 1.3, 1.4)


def test_stages_stand_in_the_order_of_their_definitions_which_are_told() -> None:
    sheet = latency_sheet("stage", "2026-11-20", {("", "send"): FAST, ("", GAP): SLOW}, exact=True)
    assert sheet.columns == ("stage", "n", "p50", "p90", "p95", "p99")
    assert sheet.rows == ((GAP, 7, 1.1, 1.2, 1.3, 1.4), ("send", 9, 0.1, 0.2, 0.3, 0.4))
    assert sheet.notes == (
        "Seconds; exact, by nearest rank.",
        f"{GAP}: {DEFINITIONS[GAP]}",
        f"send: {DEFINITIONS['send']}",
    )


def test_by_agent_each_row_names_its_agent_and_a_histogram_says_that_it_is_one() -> None:
    sheet = latency_sheet("agent", "2026-11-20", {("night", GAP): SLOW, ("", GAP): FAST}, exact=False)
    assert [row[:3] for row in sheet.rows] == [("(none)", GAP, 9), ("night", GAP, 7)]
    assert sheet.notes[0] == "Seconds; by nearest rank, within one per cent."
