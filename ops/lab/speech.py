"""Speech that carries its own words: mu-law sound that a voice detector takes for a voice, with the text in it.

Every word is a vowel-like sound whose samples spell, in their lowest bit, what the word is and how long it lasts. So
whoever gets the sound can read which words arrived and when, however it was cut, and no side channel can be wrong.
The lowest bit survives 16-bit linear and back, for every byte but 0x7F, which is never used.

    sync 32 bits | samples 24 | bytes of text 16 | text | crc of these three 32 | 0101... | the crc, inverted 32
"""

import math
import random
import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the standard module until 3.12, audioop-lts after it
    import audioop

RATE = 8000
VOICES = {"caller": 120.0, "agent": 180.0}  # pitch in hertz: a man who rings, a woman who answers

GAP = 0.04  # between two words of one breath
PAUSES = {",": 0.15, ";": 0.15, ":": 0.15, ".": 0.25, "?": 0.25, "!": 0.25, "…": 0.25}

# A telephone hears 300 to 3400 Hz. Three formants a vowel, as in a textbook of phonetics.
_FORMANTS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (300, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (320, 870, 2240),
    "m": (280, 1300, 2300),
}
_LOUD = 11000  # peak of a syllable: well above any noise, with room for mixing below 32767
_TABLE = 256  # points of one period of a vowel

# The marker that starts telemetry frames of spacecraft: it resembles no shifted copy of itself.
_SYNC = f"{0x1ACFFC1D:032b}"
_SYNC_BITS = bytes(map(int, _SYNC))
_HEAD = 32 + 24 + 16  # bits before the text
_MARK = 32  # bits of a checksum, at the head and again at the end
_LONGEST = 1000  # bytes of text; a head that claims more is no head
_LOW_BIT = bytes(byte & 1 for byte in range(256))
_HIGH_BITS = bytes(byte & 0xFE for byte in range(256))
# Silence (0xFF) has the lowest bit set in every sample; inside a word so many in a row mean that it was cut off.
_CUT = b"\x01" * 64
# Sound that is no speech sets it too, and so spells nothing; 0x7F would not survive, and 0xFF is its neighbour.
_WORDLESS = bytes(0xFF if byte | 1 == 0x7F else byte | 1 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Spoken:
    """One word and where it lies, in seconds from the first sample."""

    text: str
    start: float
    end: float


def to_linear(mulaw: bytes) -> bytes:
    return audioop.ulaw2lin(mulaw, 2)


def to_mulaw(linear: bytes) -> bytes:
    return audioop.lin2ulaw(linear, 2)


def silence(seconds: float) -> bytes:
    return b"\xff" * round(seconds * RATE)


# --- saying ---------------------------------------------------------------------------------------------------------


def say(text: str, *, voice: str = "caller", pace: float = 1.0) -> bytes:
    """The sound of a text, from the first sample of its first word to the last of its last: no quiet around it."""
    pieces = _pieces(text, pace)
    return b"".join(_word(word, samples, VOICES[voice]) if word else b"\xff" * samples for word, samples in pieces)


def words_of(text: str, *, pace: float = 1.0) -> list[Spoken]:
    """Where each word lies in `say` of the same text, to the sample, without making the sound."""
    at = 0
    words = []
    for word, samples in _pieces(text, pace):
        if word:
            words.append(Spoken(word, at / RATE, (at + samples) / RATE))
        at += samples
    return words


def pause_after(word: str) -> float:
    """The quiet between this word and the next, in seconds: the punctuation at its end decides."""
    return PAUSES.get(word.rstrip("\"')]»”")[-1:], GAP)


def hum(voice: str = "caller") -> bytes:
    """The sound of somebody who listens and does not want the turn."""
    return say("mhm", voice=voice)


def _pieces(text: str, pace: float) -> Iterator[tuple[str, int]]:
    """Words and, with no text, the quiet between them, each with its number of samples."""
    if not 0.4 <= pace <= 3.0:
        raise ValueError(f"pace {pace}: people speak at 0.4 to 3 times the usual pace")
    words = [word[: _LONGEST // 4] for word in text.split() if any(map(str.isalnum, word))]
    for word, following in pairwise([*words, ""]):
        seconds = max(0.2, 0.08 + 0.055 * sum(map(str.isalnum, word))) / pace
        yield word, round(seconds * RATE)
        if following:
            yield "", round(pause_after(word) * RATE)


@lru_cache(4096)
def _word(word: str, samples: int, pitch: float) -> bytes:
    sound = int.from_bytes(_voice(word, samples, pitch).translate(_HIGH_BITS))
    spelled = int.from_bytes(_spell(word, samples))
    # A low bit set upon 0x7E gives 0x7F, the one byte that would be lost; 0x7D is as quiet and has the same bit.
    return (sound | spelled).to_bytes(samples).replace(b"\x7f", b"\x7d")


def _spell(word: str, samples: int) -> bytes:
    """One byte of 0 or 1 for each sample."""
    text = word.encode()
    body = f"{samples:024b}{len(text):016b}" + "".join(f"{byte:08b}" for byte in text)
    mark = crc32(body.encode())
    head = f"{_SYNC}{body}{mark:032b}"
    filler = "01" * samples
    return bytes(map(int, head + filler[: samples - len(head) - _MARK] + f"{~mark & 0xFFFFFFFF:032b}"))


def _voice(word: str, samples: int, pitch: float) -> bytes:
    """A syllable for each vowel of the word, the pitch falling a little towards its end, as people's does."""
    vowels = [letter for letter in word.lower().replace("y", "i") if letter in "aeiou"] or ["m"]
    tables = [_period(vowel, pitch) for vowel in vowels]
    per_syllable = samples / len(tables)
    sound = array("h", bytes(2 * samples))
    phase = 0.0
    for n in range(samples):
        syllable, within = divmod(n / per_syllable, 1.0)
        # Never below 0.4 between syllables, so that a detector takes the word for one stretch of voice.
        envelope = (0.4 + 0.6 * math.sin(math.pi * within)) * min(1.0, (n + 8) / 40, (samples - n) / 80)
        sound[n] = int(envelope * tables[int(syllable)][int(phase) & (_TABLE - 1)])
        phase += pitch * (1.06 - 0.12 * n / samples) * _TABLE / RATE
    return to_mulaw(sound.tobytes())


@lru_cache(64)
def _period(vowel: str, pitch: float) -> list[float]:
    """One period of the voice: every harmonic below 3600 Hz, as strong as the formants near it let it be."""
    harmonics = [
        (k, sum(1.0 / (1 + place) / (1 + ((k * pitch - formant) / 110) ** 2) for place, formant in enumerate(peaks)))
        for peaks in [_FORMANTS[vowel]]
        for k in range(1, int(3600 / pitch) + 1)
    ]
    wave = [
        sum(strength * math.sin(2 * math.pi * k * n / _TABLE + k * k) for k, strength in harmonics)
        for n in range(_TABLE)
    ]
    peak = max(map(abs, wave))
    return [_LOUD * point / peak for point in wave]


# --- sounds without words -------------------------------------------------------------------------------------------


def noise(seconds: float, level: float, seed: int = 0) -> bytes:
    """White noise of this loudness (root mean square of 16-bit samples), the same for the same seed."""
    samples = round(seconds * RATE)
    white = random.Random(seed).randbytes(2 * samples)
    return to_mulaw(audioop.mul(white, 2, level / (32768 / math.sqrt(3)))).translate(_WORDLESS)


def cough(seed: int = 0) -> bytes:
    """A quarter of a second that a voice detector takes for a voice, though nobody says anything."""
    chance = random.Random(seed)
    table = _period("a", 90.0)
    sound = array("h", bytes(2 * RATE // 4))
    for n in range(len(sound)):
        burst = min(1.0, n / 40) * math.exp(-3.0 * n / len(sound))
        sound[n] = int(burst * (table[int(n * 90 * _TABLE / RATE) & (_TABLE - 1)] + chance.uniform(-4000, 4000)))
    return to_mulaw(sound.tobytes()).translate(_WORDLESS)


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenWord:
    """A word that has begun: when, when it will have ended if nobody cuts it, and what it is."""

    text: str
    start: float
    end: float
    mark: bytes


class Reader:
    """Reads words out of sound, fed in pieces of any size. A word counts only when all of it was there.

    `open_word` has begun and is not over; `cut` counts the words that began and were never finished.
    """

    def __init__(self) -> None:
        self.open_word: OpenWord | None = None
        self.cut = 0
        self.samples = 0  # fed so far
        self._bits = b""  # the lowest bits of the last samples, one to a byte
        self._sought = 0  # the sample from which on no sync has been sought yet

    @property
    def seconds(self) -> float:
        return self.samples / RATE

    def feed(self, mulaw: bytes) -> list[Spoken]:
        """The words that end within these samples."""
        self._bits += mulaw.translate(_LOW_BIT)
        self.samples += len(mulaw)
        heard: list[Spoken] = []
        while self._step(heard):
            pass
        # Kept: whatever a sync, a run of silence or the mark of a word's end may still need.
        keep = min(self._sought, self.samples - len(_CUT))
        self._bits = self._bits[max(0, keep - self._first) :]
        return heard

    @property
    def _first(self) -> int:
        return self.samples - len(self._bits)

    def _step(self, heard: list[Spoken]) -> bool:
        """Settle the next thing that these samples hold; False when more of them are needed."""
        first, word = self._first, self.open_word
        sync = self._bits.find(_SYNC_BITS, self._sought - first)
        if word is not None:
            end = round(word.end * RATE)
            stop = min(end, self.samples, first + sync if sync >= 0 else end)
            if _CUT in self._bits[max(0, round(word.start * RATE) - first) : stop - first]:
                return self._close(None, heard)
            if end <= self.samples and (sync < 0 or end <= first + sync):
                whole = self._bits[end - _MARK - first : end - first] == word.mark
                return self._close(word if whole else None, heard)
        if sync < 0:
            self._sought = max(self._sought, self.samples - len(_SYNC_BITS) + 1)
            return False
        return self._begin(sync, heard)

    def _close(self, word: OpenWord | None, heard: list[Spoken]) -> bool:
        if word is None:
            self.cut += 1
        else:
            heard.append(Spoken(word.text, word.start, word.end))
        self.open_word = None
        return True

    def _begin(self, sync: int, heard: list[Spoken]) -> bool:
        """A sync was found: open the word behind it, if its head is whole and true."""
        bits, first = self._bits, self._first
        self._sought = first + sync
        lengths = bits[sync + 32 : sync + _HEAD]
        if len(lengths) < _HEAD - 32:
            return False
        samples, letters = _number(lengths[:24]), _number(lengths[24:])
        text = bits[sync + _HEAD : sync + _HEAD + 8 * letters]
        mark = bits[sync + _HEAD + 8 * letters : sync + _HEAD + 8 * letters + _MARK]
        broken_off = letters > _LONGEST or _CUT in bits[sync:] or _SYNC_BITS in bits[sync + 1 :]
        if len(mark) < _MARK and not broken_off:
            return False
        self._sought += 1
        if len(mark) == _MARK and _number(mark) == crc32((lengths + text).translate(_AS_TEXT)):
            if self.open_word is not None:
                self._close(None, heard)
            spelled = _number(text).to_bytes(letters).decode()
            start = first + sync
            self.open_word = OpenWord(spelled, start / RATE, (start + samples) / RATE, mark.translate(_INVERTED))
        return True


_AS_TEXT = bytes.maketrans(b"\x00\x01", b"01")
_INVERTED = bytes.maketrans(b"\x00\x01", b"\x01\x00")


def _number(bits: bytes) -> int:
    return int(bits.translate(_AS_TEXT) or b"0", 2)
