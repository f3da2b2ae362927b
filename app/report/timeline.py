"""One call as a picture: who spoke when, what the caller waited for, and where a word was cut off. SVG. Pure."""

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from app.call.account import Account, Turn
from app.call.actions import Write

_SECONDS = 15.0  # in a row of the picture
_SCALE = 72.0  # points for a second
_LEFT, _RIGHT, _TOP, _ROW = 62.0, 18.0, 34.0, 172.0
_LANE, _LINE, _MOST_LINES = 40.0, 14.0, 2
_CALLER, _WAIT, _AGENT, _RULER = 16.0, 66.0, 86.0, 146.0  # from the top of a row
_LETTER = 5.9  # points that a letter of the bars takes, on average
_LEGEND_LETTER = 6.6
_COLOURS = {"caller": ("#d0ebff", "#1864ab"), "agent": ("#d3f9d8", "#2b8a3e")}
_STAGES = {
    "endpointing": ("#adb5bd", "hearing that the caller has finished"),
    "first token": ("#748ffc", "thinking"),
    "first clause": ("#9775fa", "the first words complete"),
    "first voice": ("#ffa94d", "making sound of them"),
    "send": ("#212529", "our own part"),
}
_CUT = "#e03131"


def picture(account: Account, title: str) -> str:
    """The whole call, in rows of fifteen seconds; a bar without words is a sound without words."""
    began = account.opened if account.opened is not None else min((line.started for line in account.lines), default=0.0)
    ends = [line.ended for line in account.lines] + [turn.sent_first or turn.turn_end for turn in account.turns]
    rows = max(1, int((max(ends, default=began) - began) // _SECONDS) + 1)
    width, height = _LEFT + _SECONDS * _SCALE + _RIGHT, _TOP + rows * _ROW + 30
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#343a40">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="{_LEFT:.0f}" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for row in range(rows):
        drawn += _row(account, row, began)
    drawn += _legend(_TOP + rows * _ROW + 12)
    return "\n".join([*drawn, "</svg>", ""])


def _row(account: Account, row: int, began: float) -> Iterator[str]:
    top, first = _TOP + row * _ROW, began + row * _SECONDS
    right = _LEFT + _SECONDS * _SCALE
    within = f'<rect x="{_LEFT}" y="{top}" width="{_SECONDS * _SCALE}" height="{_ROW}"/>'
    yield f'<clipPath id="row{row}">{within}</clipPath>'
    for who, at in (("caller", _CALLER), ("agent", _AGENT)):
        yield f'<text x="{_LEFT - 8}" y="{top + at + 24}" text-anchor="end" fill="{_COLOURS[who][1]}">{who}</text>'
    yield f'<path d="M{_LEFT} {top + _RULER - 10}H{right}" stroke="#dee2e6"/>'
    for second in range(int(_SECONDS) + 1):
        x = _LEFT + second * _SCALE
        yield f'<path d="M{x} {top + _RULER - 13}v6" stroke="#adb5bd"/>'
        if second % 5 == 0:
            told = f"{int(row * _SECONDS) + second} s"
            yield f'<text x="{x}" y="{top + _RULER + 8}" text-anchor="middle" fill="#868e96">{told}</text>'
    yield f'<g clip-path="url(#row{row})">'
    for line in account.lines:
        if line.who in _COLOURS and line.ended >= first and line.started <= first + _SECONDS:
            yield from _bar(line, top, first)
    for turn in account.turns:
        if turn.sent_first is not None and turn.sent_first >= first and turn.heard_end <= first + _SECONDS:
            yield from _wait(turn, top, first)
    yield "</g>"


def _bar(line: Write, top: float, first: float) -> Iterator[str]:
    fill, ink = _COLOURS[line.who]
    x, end = (_LEFT + (moment - first) * _SCALE for moment in (line.started, line.ended))
    y = top + (_CALLER if line.who == "caller" else _AGENT)
    width = max(end - x, 3.0)
    yield f"<g><title>{escape(line.text)}</title>"
    yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_LANE}" rx="5" fill="{fill}" stroke="{ink}"/>'
    seen_from, seen_to = max(x, _LEFT), min(end, _LEFT + _SECONDS * _SCALE)
    if seen_to - seen_from >= width / 2:  # of two rows the one with more room
        yield from _words(line.heard, seen_from, y, seen_to - seen_from, ink)
    if line.interrupted:
        unheard = " ".join(line.text.split()[len(line.heard.split()) :])
        yield f'<path d="M{end:.1f} {y - 5}v{_LANE + 10}" stroke="{_CUT}" stroke-width="2.5"/>'
        yield from _words(unheard, end, y, 140.0, _CUT, ' text-decoration="line-through"')
    yield "</g>"


def _words(text: str, x: float, y: float, width: float, ink: str, look: str = "") -> Iterator[str]:
    """As much of the text as fits, and a sign where there is more."""
    letters = int((width - 10) / _LETTER)
    shown = wrap(text, letters, max_lines=_MOST_LINES, placeholder=" …") if letters > 3 else []
    first = y + (_LANE - _LINE * (len(shown) - 1)) / 2 + 4
    for place, piece in enumerate(shown):
        height = first + place * _LINE
        yield f'<text x="{x + 6:.1f}" y="{height:.1f}" font-size="11" fill="{ink}"{look}>{escape(piece)}</text>'


def _wait(turn: Turn, top: float, first: float) -> Iterator[str]:
    """What the caller waited for, stage by stage, and how long in all."""
    x, y = _LEFT + (turn.heard_end - first) * _SCALE, top + _WAIT
    for name, seconds in turn.stages().items():
        width = (seconds or 0.0) * _SCALE
        if width > 0:
            yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="10" fill="{_STAGES[name][0]}"/>'
            x += width
    told = f"{1000 * (turn.gap or 0.0):.0f} ms"
    yield f'<text x="{x + 6:.1f}" y="{y + 10}" font-weight="600">{told}</text>'


def _legend(y: float) -> Iterator[str]:
    x = _LEFT
    for colour, meaning in (*_STAGES.values(), (_CUT, "cut off: what nobody heard")):
        yield f'<rect x="{x:.0f}" y="{y - 9}" width="12" height="9" fill="{colour}"/>'
        yield f'<text x="{x + 17:.0f}" y="{y}">{escape(meaning)}</text>'
        x += 40 + _LEGEND_LETTER * len(meaning)
