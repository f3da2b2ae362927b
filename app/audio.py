"""The one audio format of the house: mu-law, 8000 samples a second, one channel.

Sound that leaves travels as `Clip`: base64 text exactly as the vendor sent it, because Twilio wants base64 too.
It is cut without being decoded. Nothing here waits, and nothing here resamples.
"""

import math
import warnings
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import cache
from typing import Self

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the standard module until 3.12, audioop-lts after it
    import audioop

RATE = 8000
FRAME_SECONDS = 0.02
FRAME_BYTES = 160
SILENCE = b"\xff"

# Base64 can be cut without decoding only between groups: four letters are three samples.
_LETTERS = 4
_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of sound on its way to the caller, in base64, never decoded on the way."""

    base64: str

    def __repr__(self) -> str:
        return f"Clip({self.seconds:.3f} s)"

    @classmethod
    def of(cls, mulaw: bytes) -> Self:
        return cls(b64encode(mulaw).decode("ascii"))

    @property
    def samples(self) -> int:
        padding = 2 if self.base64.endswith("==") else 1 if self.base64.endswith("=") else 0
        return len(self.base64) // _LETTERS * _SAMPLES - padding

    @property
    def seconds(self) -> float:
        return self.samples / RATE

    def mulaw(self) -> bytes:
        return b64decode(self.base64)

    def pieces(self, at_most: float) -> "list[Clip]":
        """Cut into equal clips of `at_most` seconds or less; the sound stays the same to the sample."""
        count = math.ceil(self.samples / (at_most * RATE) - 1e-9)
        if count <= 1:
            return [self]
        step = math.ceil(self.samples / count / _SAMPLES) * _LETTERS
        return [Clip(self.base64[start : start + step]) for start in range(0, len(self.base64), step)]

    def after(self, seconds: float) -> "Clip":
        """What is left when the first `seconds` are dropped, to within three samples."""
        return Clip(self.base64[max(0, round(seconds * RATE / _SAMPLES)) * _LETTERS :])


def silence(seconds: float) -> bytes:
    return SILENCE * round(seconds * RATE)


def to_linear(mulaw: bytes) -> bytes:
    return audioop.ulaw2lin(mulaw, 2)


def to_mulaw(linear: bytes) -> bytes:
    return audioop.lin2ulaw(linear, 2)


def loudness(linear: bytes) -> int:
    """Root mean square of 16-bit samples; speech on a telephone is some hundreds to some thousands."""
    return audioop.rms(linear, 2)


_KEY_TONES = {
    key: (low, high)
    for low, row in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for high, key in zip((1209, 1336, 1477, 1633), row, strict=True)
}


@cache
def key_tone(key: str, seconds: float = 0.12) -> bytes:
    """The two tones of one telephone key, then as long a silence, so that two equal keys are heard as two."""
    low, high = _KEY_TONES[key]
    samples = (
        int(7000 * (math.sin(2 * math.pi * low * n / RATE) + math.sin(2 * math.pi * high * n / RATE)))
        for n in range(round(seconds * RATE))
    )
    tone = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    return to_mulaw(tone) + silence(seconds)
