"""The bench's table: ours, the peer's beside it, and how often the one goes into the other."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from ops.lab.bench.figures import Figures
from ops.lab.bench.share import DEFINITION
from ops.lab.grid import LATE
from ops.lab.report import Spread

_NAMES = {
    "gap": "gap: end of voice → answer",
    "own share": "own share of it",
    "clear": "voice over the agent → clear",
    "greeting": "stream's start → greeting",
    "look": "a knock at the server",
    "lag": "event loop's lag",
}
_RANKS = ("p50", "p95", "p99")


def table(ears: str, pairs: Sequence[tuple[Figures, Figures | None]]) -> RenderableType:
    """Everything of one kind of ears; times in milliseconds."""
    with_peer = any(peer is not None for _, peer in pairs)
    rows = Table(title=f"{ears}, milliseconds", box=None, header_style="dim", pad_edge=False, title_justify="left")
    rows.add_column("calls", justify="right")
    rows.add_column("")
    who = ["patchcord", *(["pipecat"] if with_peer else [])]
    for name in who:
        for column in ("n", *_RANKS):
            rows.add_column(f"{name}\n{column}" if column == "n" else f"\n{column}", justify="right")
    if with_peer:
        rows.add_column("times less\nat p95", justify="right")
    for ours, peer in pairs:
        for row in _rows(ours, peer, with_peer=with_peer):
            rows.add_row(*row)
        rows.add_section()
    return rows


def _rows(ours: Figures, peer: Figures | None, *, with_peer: bool) -> Iterator[list[str]]:
    for place, (key, name) in enumerate(_NAMES.items()):
        mine, theirs = ours.spreads[key], peer.spreads[key] if peer else None
        row = [str(ours.calls) if place == 0 else "", name, *_cells(mine)]
        if with_peer:
            row += [*_cells(theirs), _times(mine.p95, theirs.p95 if theirs else None)]
        yield row
    counted = (
        ("holes in the agent's speech", ours.holes, peer.holes if peer else None, "d"),
        ("processor, % of a core a call", ours.processor, peer.processor if peer else None, ".2f"),
        ("memory, MB a call", ours.megabytes, peer.megabytes if peer else None, ".2f"),
        ("tasks a call", ours.tasks, peer.tasks if peer else None, ".1f"),
        ("turns without an answer", ours.unanswered, peer.unanswered if peer else None, "d"),
        ("interruptions without a clear", ours.without_clear, peer.without_clear if peer else None, "d"),
    )
    for name, own, other, form in counted:
        row = ["", name, "", _number(own, form), "", ""]
        if with_peer:
            row += ["", _number(other, form), "", "", _times(own, other)]
        yield row


def _cells(spread: Spread | None) -> list[str]:
    if spread is None:
        return ["–"] * 4
    return [str(spread.n), *(_number(None if (s := getattr(spread, r)) is None else 1000 * s, ".1f") for r in _RANKS)]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _times(mine: float | None, theirs: float | None) -> str:
    return f"{theirs / mine:.1f}" if mine and theirs else ""


def footer(all_figures: Sequence[Figures], remarks: Sequence[str]) -> RenderableType:
    """How it was measured, and what to doubt."""
    lines = ["", f"[dim]{DEFINITION}[/]", *(f"[dim]{remark}[/]" for remark in remarks)]
    for each in all_figures:
        what = f"{each.who}, {each.ears}, {each.calls} calls"
        if each.is_noisy:
            share, worst = 100 * each.lateness.share, 1000 * each.lateness.worst
            lines.append(
                f"[yellow]{what}: the caller itself was late, {share:.1f} % of its beats by more than "
                f"{1000 * LATE:.0f} ms (the worst {worst:.0f}): these figures are partly its own.[/]"
            )
        if each.untold:
            lines.append(f"[yellow]{what}: {each.untold} of {each.turns} turns have no own share.[/]")
        lines += [f"[red]{what}: {count} times: {why}[/]" for why, count in each.failed.items()]
    return Group(*lines)
