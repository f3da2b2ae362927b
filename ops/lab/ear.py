"""The caller's ear: which words were heard and when, when there was sound and when quiet, and where it was torn.

Pure. It is given a `Phone` and the time, takes what was played until then, and keeps moments, not samples, so that a
call may go over several streams.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ops.lab.phone import RATE, Hole, Phone, Sound
from ops.lab.speech import OpenWord, Reader, Spoken, pause_after, silence

# Mu-law up to 132 of 32767, 48 dB below full scale: the hiss of a good line, which nobody takes for an answer.
QUIET = bytes([*range(0x70, 0x80), *range(0xF0, 0x100)])

BREATH = 0.1  # a shorter quiet lies within a word or between two, and is not heard as one
HOLE = 0.02  # the jitter buffer of any telephone hides a shorter one
WORDLESS_HOLE = 0.5  # in speech that cannot be read, a longer one may be the end of a sentence
REST = 0.5  # longer than the pause between two sentences: the agent has stopped

_SLICE = round(BREATH * RATE)
_HIDDEN = round(HOLE * RATE)
_SENTENCE_ENDS = ".?!…"


@dataclass(slots=True)
class Stretch:
    """Sound without a pause that one would notice."""

    start: float
    end: float
    cleared: bool = False  # it did not end of itself: the server threw the rest away


@dataclass(frozen=True, slots=True)
class Cut:
    """A word that was broken off."""

    text: str
    start: float
    end: float


def ends_sentence(word: str) -> bool:
    return word.rstrip("\"')]»”").endswith(tuple(_SENTENCE_ENDS))


class Ear:
    """Listens to one stream after another. `until` is the moment up to which it has listened.

    `prompted`: the voice is a real one, in which no word can be read, and somebody tells what it has said.
    """

    def __init__(self, *, prompted: bool = False) -> None:
        self.prompted = prompted
        self.words: list[Spoken] = []
        self.cuts: list[Cut] = []
        self.heard: list[Spoken | Cut] = []  # both, in order
        self.stretches: list[Stretch] = []
        self.until = 0.0
        self._reader = Reader()
        self._anchors: list[tuple[int, float]] = [(0, 0.0)]  # the reader's samples, and the moments they were played
        self._next = 0  # the sample of this stream behind the last sound
        self._padded = 0  # how much of the quiet behind it the reader was given
        self._fresh = True  # the next sound begins a new stretch, however soon it comes
        self._told = 0  # stretches whose words somebody has told

    def attach(self, phone: Phone) -> None:
        """From now on this stream is heard."""
        self._next = self._padded = 0
        self._fresh = True
        self.until = phone.began

    def listen(self, phone: Phone, now: float) -> None:
        """Take what was played until now."""
        for sound in phone.hear(now):
            self._rest(phone, sound.first)
            for start in range(0, len(sound.mulaw), _SLICE):
                self._take(phone, Sound(sound.first + start, sound.mulaw[start : start + _SLICE]))
        self._rest(phone, round((now - phone.began) * RATE))
        self.until = now

    def cleared(self) -> None:
        """The server has cleared: what sounded is over, and what comes next is something new."""
        if self.stretches and not self._fresh:
            self.stretches[-1].cleared = True
        self._fresh = True

    def told(self, text: str) -> None:
        """These were the words of what has sounded since the last time, each about where its letters stand."""
        sounded = self.stretches[self._told :]
        self._told = len(self.stretches)
        start, end = (sounded[0].start, sounded[-1].end) if sounded else (self.until, self.until)
        letters = max(1, len(text))
        for found in re.finditer(r"\S+", text):
            first, last = (start + (end - start) * at / letters for at in found.span())
            self.words.append(Spoken(found[0], first, last))
            self.heard.append(self.words[-1])

    def quiet_for(self, since: float) -> float:
        """How long there has been no sound; when there never was any, since that moment."""
        return self.until - (self.stretches[-1].end if self.stretches else since)

    @property
    def sounding(self) -> bool:
        return bool(self.stretches) and not self.stretches[-1].cleared and self.quiet_for(self.until) < BREATH

    def first_after(self, moment: float) -> Stretch | None:
        return next((stretch for stretch in self.stretches if stretch.start >= moment), None)

    def stopped_after(self, moment: float) -> float | None:
        """When the sound of this moment came to rest; None while it has not, and when there was no sound."""
        last: Stretch | None = None
        for stretch in self.stretches:
            if last is None:
                last = stretch if stretch.start <= moment <= stretch.end + BREATH else None
            elif last.cleared or stretch.start - last.end >= REST:
                break
            else:
                last = stretch
        if last is None or not (last.cleared or self.until - last.end >= REST or last is not self.stretches[-1]):
            return None
        return last.end

    def torn(self, phone: Phone) -> Iterator[Hole]:
        """The holes of a stream that a person would hear as such: within a word, or longer than a pause there."""
        for hole in phone.holes:
            if hole.seconds < HOLE:
                continue
            start, end = phone.moment(hole.first), phone.moment(hole.end)
            if any(cut.start < end and start <= cut.end for cut in self.cuts):
                yield hole
                continue
            before = next((word for word in reversed(self.words) if word.end <= start + BREATH), None)
            if before is None:
                if hole.seconds <= WORDLESS_HOLE:
                    yield hole
            elif not ends_sentence(before.text) and hole.seconds >= pause_after(before.text) + HOLE:
                yield hole

    def _take(self, phone: Phone, sound: Sound) -> None:
        if sound.first != self._next or self._padded or sound.first == 0:
            self._anchors.append((self._reader.samples, phone.moment(sound.first)))
        self._read(sound.mulaw)
        self._next, self._padded = sound.end, 0
        loud = sound.mulaw.rstrip(QUIET)
        if not loud:
            return
        start = phone.moment(sound.first + len(loud) - len(loud.lstrip(QUIET)))
        end = phone.moment(sound.first + len(loud))
        if not self._fresh and start - self.stretches[-1].end <= BREATH:
            self.stretches[-1].end = end
        else:
            self.stretches.append(Stretch(start, end))
        self._fresh = False

    def _rest(self, phone: Phone, sample: int) -> None:
        """Nothing sounded until this sample. The reader needs only the beginning of a quiet to know what it cuts."""
        quiet = sample - self._next
        pad = min(quiet, _SLICE) - self._padded
        if pad > 0 and quiet >= _HIDDEN:
            if not self._padded:
                self._anchors.append((self._reader.samples, phone.moment(self._next)))
            self._padded += pad
            self._read(silence(pad / RATE))

    def _read(self, mulaw: bytes) -> None:
        reader = self._reader
        begun, cut = reader.open_word, reader.cut
        for word in reader.feed(mulaw):
            start = self._moment(word.start)
            self.words.append(Spoken(word.text, start, start + word.end - word.start))
            self.heard.append(self.words[-1])
        if reader.cut > cut:
            self.cuts.append(self._cut(begun))
            self.heard.append(self.cuts[-1])
        if len(self._anchors) > 512:  # a word of some seconds, torn every 20 ms, needs fewer
            del self._anchors[:256]

    def _cut(self, begun: OpenWord | None) -> Cut:
        broken_off = self._moment(self._reader.seconds)
        return Cut(begun.text if begun else "", self._moment(begun.start) if begun else broken_off, broken_off)

    def _moment(self, reader_seconds: float) -> float:
        sample = round(reader_seconds * RATE)
        anchor, moment = next(pair for pair in reversed(self._anchors) if pair[0] <= sample)
        return moment + (sample - anchor) / RATE
