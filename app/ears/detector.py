"""A voice, or none: decided on the spot from 20 ms frames, because a caller who interrupts cannot wait for a vendor.

Two witnesses must agree: the sound stands out of the line's own noise, and WebRTC's classifier takes it for a voice.
The second alone would do for people, but it also falls for clicks and goes on for 0.1 s after every sound.
"""

import warnings

import webrtcvad

from app.audio import FRAME_BYTES, FRAME_SECONDS, RATE, loudness, to_linear
from app.call.events import SpeechPaused, SpeechStarted

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # as in app.audio
    from audioop import max as peak

STRICTEST = 3  # WebRTC's own scale; the lower modes take line noise for voices
SHORTEST_VOICE = 0.04  # clicks and pops are over sooner; a syllable never is
PAUSE = 0.1  # the stop of a "p" or a "t" inside a word is shorter
PITCH_GAP = 0.0125  # a deep voice swings 80 times a second: between two swings it has not stopped
ABOVE_NOISE = 4.5  # peak over mean: white noise reaches 3 in most frames and 4.5 once in a thousand
SOFTEST_PEAK = 250  # of 32767: below this even a dead quiet line holds nothing that could be understood
LOUDER = 3.0  # 10 dB: more than the syllables of one voice differ by, less than a caller and the echo of our voice
NOISE_WINDOW = 50  # frames; people leave a gap between words at least once a second, and there the noise shows
UNKNOWN = 32767  # louder than any noise

_BLOCK = 5  # samples: places the edges of a sound to 0.6 ms, because 1 ms may lie between a click and a voice
_BLOCK_SECONDS = _BLOCK / RATE
_BLOCK_BYTES = 2 * _BLOCK
_BLOCKS = range(0, 2 * FRAME_BYTES, _BLOCK_BYTES)
_VOICE_BLOCKS = round(SHORTEST_VOICE / _BLOCK_SECONDS)
_GAP_BLOCKS = round(PITCH_GAP / _BLOCK_SECONDS)


class Detector:
    """Fed with every frame of a call, in order. `speaking` tells what it last reported.

    A voice that is much louder than the one that is there is reported as another start: behind the echo of our own
    words, or a murmur in the room, the caller has begun to speak.
    """

    def __init__(self) -> None:
        self.speaking = False
        self._classifier = webrtcvad.Vad(STRICTEST)
        self._noise = _Noise()
        self._span = _Span()
        self._was_voice = False
        self._loudest = 0  # peak of the voice that is there
        self._last_loud = b""
        self._frames_since_loud = 0

    def frame(self, mulaw: bytes) -> SpeechStarted | SpeechPaused | None:
        """Judge one frame. One of another length than 20 ms is no frame, and says nothing."""
        if len(mulaw) != FRAME_BYTES:
            return None
        linear = to_linear(mulaw)
        voice = self._classifier.is_speech(linear, RATE)
        limit = self._noise.limit(loudness(linear))
        was_voice, self._was_voice = self._was_voice, voice
        steady = voice and was_voice
        if not self.speaking:
            return self._started(linear, steady, limit)
        voiced = voice and peak(linear, 2) > limit
        return self._paused(linear, voiced, limit) or self._started(linear, steady, int(LOUDER * self._loudest))

    def _started(self, linear: bytes, voice: bool, limit: int) -> SpeechStarted | None:
        """Has there been a voice above the limit for long enough?"""
        self._span.add(linear, limit)
        if not self._span.blocks:
            self._loudest = max(self._loudest, peak(linear, 2)) if self.speaking else 0
            return None
        if self._span.blocks <= _VOICE_BLOCKS or not voice:
            return None
        self.speaking = True
        self._loudest = self._span.peak
        self._last_loud = linear
        self._frames_since_loud = 0
        started = SpeechStarted(self._span.seconds, self._span.peak)
        self._span.clear()
        return started

    def _paused(self, linear: bytes, voiced: bool, limit: int) -> SpeechPaused | None:
        if voiced:
            self._last_loud = linear
            self._frames_since_loud = 0
            return None
        self._frames_since_loud += 1
        if self._frames_since_loud * FRAME_SECONDS < PAUSE:
            return None
        self.speaking = False
        self._span.clear()
        return SpeechPaused(self._frames_since_loud * FRAME_SECONDS + _quiet_at_end(self._last_loud, limit))


class _Span:
    """A stretch of sound above a limit, to the block. Between two swings of a deep voice it does not end."""

    def __init__(self) -> None:
        self.blocks = 0  # from the first loud one to the last
        self.peak = 0
        self._hush = 0  # blocks since then

    @property
    def seconds(self) -> float:
        return (self.blocks + self._hush) * _BLOCK_SECONDS

    def add(self, linear: bytes, limit: int) -> None:
        loudest = peak(linear, 2)
        if loudest <= limit:
            self.clear()
            return
        for start in _BLOCKS:
            if peak(linear[start : start + _BLOCK_BYTES], 2) > limit:
                self.blocks += (self._hush if self.blocks else 0) + 1
                self._hush = 0
            else:
                self._hush += 1
                if self._hush > _GAP_BLOCKS:
                    self.blocks = self.peak = 0
        self.peak = max(self.peak, loudest)

    def clear(self) -> None:
        self.blocks = self.peak = self._hush = 0


class _Noise:
    """How loud the line is by itself: the softest frame of the last one to two seconds."""

    def __init__(self) -> None:
        self._softest = UNKNOWN  # in the window that is going on
        self._before = UNKNOWN  # in the one before it
        self._frames = 0

    def limit(self, loudness: int) -> int:
        """The peak above which a sound stands out of the noise, this frame's loudness counted in."""
        self._softest = min(self._softest, loudness)
        self._frames += 1
        if self._frames == NOISE_WINDOW:
            self._before, self._softest, self._frames = self._softest, UNKNOWN, 0
        return max(SOFTEST_PEAK, int(ABOVE_NOISE * min(self._softest, self._before)))


def _quiet_at_end(linear: bytes, limit: int) -> float:
    """How much of the end of this loud frame was quiet already."""
    for quiet, start in enumerate(reversed(_BLOCKS)):
        if peak(linear[start : start + _BLOCK_BYTES], 2) > limit:
            return quiet * _BLOCK_SECONDS
    return FRAME_SECONDS
