"""From a synthesiser's rate to the telephone's 8000 samples a second, piece by piece, without what would fold back.

A filter of 63 taps first, then every n-th sample. The filter is made of whole-array additions and multiplications in
C, one pair of taps at a time: without numpy it costs 8 ms a second of sound. Pure, but for what it remembers.
"""

import math
import warnings
from typing import Any

from app.audio import RATE, to_mulaw

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # as in app.audio
    import audioop

TAPS = 63  # 40 dB down within 600 Hz of the edge, at 22 kHz
EDGE = 3600.0  # hertz: what a telephone carries ends at 3400, and at 4000 folding begins
_WIDE = 4  # bytes of a sample while it is filtered, so that rounding 63 times is not heard
_NARROW = 2
_HEADROOM = 0.5  # a filter rings over its input by up to a tenth; the sum of a pair has twice its height


class Telephoned:
    """One utterance's 16-bit sound, made into mu-law as it comes. The end of it is had by `end`."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._taps = taps(rate)
        self._tail = bytes(_WIDE * (TAPS // 2))  # as if there had been silence before
        self._step: Any = None

    def add(self, linear: bytes) -> bytes:
        """The mu-law that this piece completes; what the filter still needs to know the future of is kept back."""
        sound = self._tail + audioop.mul(audioop.lin2lin(linear, _NARROW, _WIDE), _WIDE, _HEADROOM)
        ready = len(sound) - _WIDE * (TAPS - 1)
        if ready <= 0:
            self._tail = sound
            return b""
        self._tail = sound[ready:]
        filtered = audioop.mul(self._filtered(sound, ready), _WIDE, 1 / _HEADROOM)
        narrow = audioop.lin2lin(filtered, _WIDE, _NARROW)
        slower, self._step = audioop.ratecv(narrow, _NARROW, 1, self._rate, RATE, self._step)
        return to_mulaw(slower)

    def end(self) -> bytes:
        """The rest."""
        return self.add(bytes(_NARROW * (TAPS // 2)))

    def _filtered(self, sound: bytes, ready: int) -> bytes:
        middle = TAPS // 2
        total = audioop.mul(_from(sound, middle, ready), _WIDE, self._taps[middle])
        for place in range(middle):  # the taps are symmetric: one product serves two of them
            pair = audioop.add(_from(sound, place, ready), _from(sound, TAPS - 1 - place, ready), _WIDE)
            total = audioop.add(total, audioop.mul(pair, _WIDE, self._taps[place]), _WIDE)
        return total


def taps(rate: int) -> list[float]:
    """A windowed sinc (Hamming's) that lets everything below the edge pass unchanged."""
    middle, edge = TAPS // 2, 2 * EDGE / rate
    raw = [
        edge
        * (1.0 if n == middle else math.sin(math.pi * edge * (n - middle)) / (math.pi * edge * (n - middle)))
        * (0.54 - 0.46 * math.cos(2 * math.pi * n / (TAPS - 1)))
        for n in range(TAPS)
    ]
    return [tap / sum(raw) for tap in raw]


def _from(sound: bytes, sample: int, length: int) -> bytes:
    return sound[_WIDE * sample : _WIDE * sample + length]
