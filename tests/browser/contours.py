"""Recognises what a synthetic voice has said by how its loudness and its hiss rise and fall.

espeak-ng never makes the same samples twice, but the same text has always the same contour, also after mu-law and a
browser's loudspeaker. Another text, even another number in the same sentence, has another one.
"""

import audioop
import math
from collections.abc import Sequence

SAME = 0.85  # correlation: that of the same text is above 0.92, that of "24th" in place of "23rd" 0.7
_STEP = 320  # bytes: 20 ms
_FLOOR = 50  # what is softer is silence

Contour = list[float]


def contour(linear: bytes) -> Contour:
    """Two numbers for each 20 ms: how loud the sound is, and how loud what changes from sample to sample."""
    found: Contour = []
    for at in range(0, len(linear) - _STEP + 1, _STEP):
        piece = linear[at : at + _STEP]
        hiss = audioop.add(piece[2:], audioop.mul(piece[:-2], 2, -1), 2)
        found += (math.log(_FLOOR + audioop.rms(piece, 2)), math.log(_FLOOR + audioop.rms(hiss, 2)))
    return found


def place(part: Contour, whole: Contour) -> tuple[float, float]:
    """How well the best place in the whole fits (1 is perfectly), and at which second that is."""
    fits = [
        (_correlation(part, whole[at : at + len(part)]), at / 100) for at in range(0, len(whole) - len(part) + 1, 2)
    ]
    return max(fits, default=(0.0, 0.0))


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    mean, other_mean = math.fsum(one) / len(one), math.fsum(other) / len(other)
    ours, theirs = [value - mean for value in one], [value - other_mean for value in other]
    shared = sum(x * y for x, y in zip(ours, theirs, strict=True))
    alone = sum(x * x for x in ours) * sum(y * y for y in theirs)
    return shared / math.sqrt(alone) if alone else 0.0
