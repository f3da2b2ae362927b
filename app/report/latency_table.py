"""How long people waited, as a table: percentiles with n for every stage, and what each stage means."""

from collections.abc import Mapping

from app.report.percentiles import Percentiles
from app.report.sheets import NO_NAME, Cell, Sheet
from app.report.stages import DEFINITIONS

BY = ("stage", "agent", "day")

Found = Mapping[tuple[str, str], Percentiles]
"""By label and stage; the label is empty where all turns are taken together."""


def latency_sheet(by: str, period: str, found: Found, *, exact: bool) -> Sheet:
    """Seconds, in the order of the definitions, which stand below."""
    order = {stage: place for place, stage in enumerate(DEFINITIONS)}
    keys = sorted(found, key=lambda key: (key[0], order[key[1]]))
    figures = {key: (found[key].n, found[key].p50, found[key].p90, found[key].p95, found[key].p99) for key in keys}
    columns: tuple[str, ...] = ("stage", "n", "p50", "p90", "p95", "p99")
    rows: list[tuple[Cell, ...]] = [(stage, *figures[label, stage]) for label, stage in keys]
    if by != "stage":
        columns = (by, *columns)
        rows = [(label or NO_NAME, *row) for (label, _), row in zip(keys, rows, strict=True)]
    how = "exact, by nearest rank" if exact else "by nearest rank, within one per cent"
    notes = (f"Seconds; {how}.", *(f"{stage}: {DEFINITIONS[stage]}" for stage in _shown(found)))
    return Sheet(f"Latency by {by}, {period} (UTC)", columns, tuple(rows), notes)


def _shown(found: Found) -> list[str]:
    stages = {stage for _, stage in found}
    return [stage for stage in DEFINITIONS if stage in stages]
