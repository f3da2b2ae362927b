"""Own share over calls, drawn as SVG by hand: what grows on one core, and who falls off first. Pure."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 48, 48
_COLOURS = ("#0b7285", "#66a9b5", "#e8590c", "#f4a574")
_LINE = 16.0  # the height of a line of text

Point = tuple[int, float]  # calls, and seconds at the 95th percentile


def chart(title: str, lines: Mapping[str, Sequence[Point]], bar: float) -> str:
    """A line for each name, milliseconds on a logarithmic scale; `bar` is the time that none should pass."""
    points = [point for line in lines.values() for point in line]
    most_calls = max((calls for calls, _ in points), default=1)
    low, high = 1.0, 10 ** math.ceil(math.log10(max([1000 * s for _, s in points] + [100.0])))

    def x(calls: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * calls / most_calls

    def y(seconds: float) -> float:
        up = math.log(max(1000 * seconds, low) / low) / math.log(high / low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * up

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="13" fill="#343a40">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16">{escape(title)}</text>',
    ]
    for power in range(round(math.log10(high)) + 1):
        level = y(10**power / 1000)
        drawn.append(f'<path d="M{_LEFT} {level:.1f}H{_WIDTH - _RIGHT}" stroke="#dee2e6"/>')
        drawn.append(f'<text x="{_LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{_time(10**power)}</text>')
    for calls in sorted({calls for calls, _ in points}):
        drawn.append(f'<text x="{x(calls):.1f}" y="{_HEIGHT - 24}" text-anchor="middle">{calls}</text>')
    drawn.append(f'<text x="{x(most_calls):.1f}" y="{_HEIGHT - 6}" text-anchor="end">calls at once, on one core</text>')
    drawn.append(f'<path d="M{_LEFT} {y(bar):.1f}H{_WIDTH - _RIGHT}" stroke="#868e96" stroke-dasharray="5 4"/>')
    taken: list[tuple[float, float]] = []
    for colour, (name, line) in zip(_COLOURS, lines.items(), strict=False):
        if line:
            places = [(x(calls), y(seconds)) for calls, seconds in line]
            taken.append(_free(places[-1], taken))
            drawn += _line(name, places, taken[-1][1], colour)
    return "\n".join([*drawn, "</svg>", ""])


def _time(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds // 1000} s"


def _free(end: tuple[float, float], taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Where the name of a line that ends here is written, so that it covers no other name."""
    across, up = end
    while any(abs(across - other) < _RIGHT and abs(up - height) < _LINE for other, height in taken):
        up += 1.0
    return across, up


def _line(name: str, places: Sequence[tuple[float, float]], label: float, colour: str) -> list[str]:
    path = "L".join(f"{across:.1f} {up:.1f}" for across, up in places)
    return [
        f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
        *(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3.5" fill="{colour}"/>' for across, up in places),
        f'<text x="{places[-1][0] + 10:.1f}" y="{label + 4:.1f}" fill="{colour}">{escape(name)}</text>',
    ]
