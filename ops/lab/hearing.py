"""How Deepgram hears: nova-3 and Flux as machines that are fed audio and say, later, what they heard.

Words are read out of the sound itself. Time is the time of the audio: silence passes only when silent audio arrives;
a message about it is due one lag after the audio was received. Nothing here waits, and nothing knows of sockets.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ops.lab.profile import Profile
from ops.lab.speech import RATE, Reader, Spoken, to_mulaw

Message = dict[str, Any]
_SLICE = 160  # bytes: what is pushed in larger pieces is heard in steps of 20 ms all the same
_SEGMENT = 4.0  # seconds after which nova settles a part of a long utterance, and reports a part of a long silence
_GAP = 1.0  # silence that settles a segment although endpointing is off
_SURE = 0.2  # a word that has sounded so long is recognised before it is over, though it may still change
_CONFIDENCE = 0.98
MODEL_UUID = "40bd3654-e622-47c4-a111-63a61b23bfe8"


class Intake:
    """Audio as it comes, turned into mu-law; an odd byte of 16-bit samples waits for its other half."""

    def __init__(self, encoding: str) -> None:
        self._linear = encoding == "linear16"
        self._rest = b""

    def mulaw(self, audio: bytes) -> bytes:
        if not self._linear:
            return audio
        audio = self._rest + audio
        even = len(audio) & ~1
        self._rest = audio[even:]
        return to_mulaw(audio[:even])


@dataclass(slots=True)
class Outbox:
    """Messages that are under way, each with the moment at which it is sent. Later ones never overtake."""

    under_way: deque[tuple[float, Message]] = field(default_factory=deque)

    def put(self, due: float, message: Message) -> None:
        latest = self.under_way[-1][0] if self.under_way else 0.0
        self.under_way.append((max(due, latest), message))

    def due(self) -> float | None:
        return self.under_way[0][0] if self.under_way else None

    def take(self, now: float) -> list[Message]:
        ready = []
        while self.under_way and self.under_way[0][0] <= now:
            ready.append(self.under_way.popleft()[1])
        return ready


def bare(word: str) -> str:
    """A word as Deepgram lists it: in small letters, without its punctuation."""
    return word.strip(".,;:!?…\"'()[]").lower()


@dataclass(frozen=True, slots=True)
class NovaOptions:
    """What the address of a /v1/listen socket asks for. Times in seconds; None is off."""

    encoding: str = "mulaw"
    model: str = "nova-3"
    interim_results: bool = False
    endpointing: float | None = 0.01  # Deepgram's own default: nearly every gap between words ends an utterance
    utterance_end: float | None = None
    vad_events: bool = False
    punctuate: bool = False


class Nova:
    """nova-3 behind /v1/listen: interims, settled segments, ends of speech after so much silence."""

    def __init__(self, options: NovaOptions, profile: Profile, chance: Random, request_id: str) -> None:
        self.options = options
        self.profile = profile
        self.request_id = request_id
        self.seconds = 0.0  # of audio heard
        self._chance = chance
        self._intake = Intake(options.encoding)
        self._reader = Reader()
        self._out = Outbox()
        self._now = 0.0
        self._words: list[Spoken] = []  # of the segment that is not settled yet
        self._segment_from = 0.0
        self._speaking = False
        self._utterance = False  # something was said since the last end of speech
        self._utterance_end_owed = False
        self._last_voice = 0.0
        self._next_interim = 0.0

    @property
    def voice_end(self) -> float:
        """Where the last voice ended, in seconds of audio."""
        return self._last_voice

    def deadline(self) -> float | None:
        return self._out.due()

    def poll(self, now: float) -> list[Message]:
        return self._out.take(now)

    def receive(self, audio: bytes, now: float) -> None:
        self._now = now
        mulaw = self._intake.mulaw(audio)
        for at in range(0, len(mulaw), _SLICE):
            self._hear(mulaw[at : at + _SLICE])

    def finalize(self, now: float) -> None:
        """Settle what has been heard, without waiting for silence. Nothing heard since the last time: no answer."""
        self._now = now
        if self.seconds > self._segment_from:
            self._settle(from_finalize=True)

    def finish(self, now: float) -> list[Message]:
        """CloseStream: whatever is still under way, then the rest as a last segment, then the account of it all."""
        self._now = now
        if self._words:
            self._settle(speech_final=True)
        return [*self._out.take(now + 60.0), self._metadata()]

    def _hear(self, mulaw: bytes) -> None:
        heard = self._reader.feed(mulaw)
        self.seconds = at = self._reader.seconds
        if heard or self._reader.open_word is not None:
            self._voice(heard, at)
        elif self._speaking:
            self._speaking = False
            self._last_voice = max(at - len(mulaw) / RATE, self._last_voice)
        if self._utterance:
            self._listen_for_the_end(at)
        elif at - self._segment_from >= _SEGMENT:
            self._settle()  # silence is reported too, as a segment without words
        if self._utterance_end_owed and not self._speaking:
            self._report_utterance_end(at)

    def _voice(self, heard: list[Spoken], at: float) -> None:
        open_word = self._reader.open_word
        if not self._utterance:
            self._utterance = True
            start = heard[0].start if heard else open_word.start if open_word else at
            self._next_interim = start + self.profile.interim_every
            if self.options.vad_events:
                self._say({"type": "SpeechStarted", "channel": [0, 1], "timestamp": round(start, 3)})
        self._words += heard
        if heard:
            self._last_voice = heard[-1].end
            self._utterance_end_owed = self.options.utterance_end is not None
        self._speaking = open_word is not None

    def _listen_for_the_end(self, at: float) -> None:
        quiet = 0.0 if self._speaking else at - self._last_voice
        endpointing = self.options.endpointing
        if not self._speaking and endpointing is not None and quiet >= endpointing:
            self._utterance = False
            self._settle(speech_final=True)
        elif not self._speaking and endpointing is None and quiet >= _GAP:
            self._utterance = False
            self._settle()
        elif self._words and at - self._segment_from >= _SEGMENT:
            self._settle()
        elif at >= self._next_interim:
            self._next_interim += self.profile.interim_every
            if self.options.interim_results and self._words:
                self._say(self._results(is_final=False))

    def _report_utterance_end(self, at: float) -> None:
        assert self.options.utterance_end is not None
        if at - self._last_voice >= self.options.utterance_end:
            self._utterance_end_owed = False
            self._say({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": round(self._last_voice, 3)})

    def _settle(self, *, speech_final: bool = False, from_finalize: bool = False) -> None:
        self._say(self._results(is_final=True, speech_final=speech_final, from_finalize=from_finalize))
        self._words = []
        self._segment_from = self.seconds

    def _say(self, message: Message) -> None:
        self._out.put(self._now + self.profile.transcript_lag.draw(self._chance), message)

    def _results(self, *, is_final: bool, speech_final: bool = False, from_finalize: bool = False) -> Message:
        punctuate = self.options.punctuate
        words = [
            {
                "word": bare(word.text),
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": _CONFIDENCE,
                **({"punctuated_word": word.text} if punctuate else {}),
            }
            for word in self._words
        ]
        transcript = " ".join(word.text if punctuate else bare(word.text) for word in self._words)
        alternative = {"transcript": transcript, "confidence": _CONFIDENCE if words else 0.0, "words": words}
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": round(self.seconds - self._segment_from, 3),
            "start": round(self._segment_from, 3),
            "is_final": is_final,
            "speech_final": speech_final,
            "channel": {"alternatives": [alternative]},
            "metadata": {
                "request_id": self.request_id,
                "model_info": {"name": "general-nova-3", "version": "2025-07-31.0", "arch": "nova-3"},
                "model_uuid": MODEL_UUID,
            },
            "from_finalize": from_finalize,
        }

    def _metadata(self) -> Message:
        return {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self.request_id,
            "sha256": "0" * 64,
            "created": "2026-11-20T00:00:00.000Z",
            "duration": round(self.seconds, 6),
            "channels": 1,
        }


@dataclass(slots=True)
class FluxOptions:
    """What the address of a /v2/listen socket asks for, and what `Configure` has changed since. Times in seconds."""

    encoding: str = "mulaw"
    model: str = "flux-general-en"
    eot_threshold: float = 0.7
    eager_eot_threshold: float | None = None
    eot_timeout: float = 5.0
    keyterms: Sequence[str] = ()


class Flux:
    """Flux behind /v2/listen: turns, their likely ends, their ends."""

    def __init__(self, options: FluxOptions, profile: Profile, chance: Random, request_id: str) -> None:
        self.options = options
        self.profile = profile
        self.request_id = request_id
        self.seconds = 0.0
        self._chance = chance
        self._intake = Intake(options.encoding)
        self._reader = Reader()
        self._out = Outbox()
        self._now = 0.0
        self._sequence = 0
        self._turn = 0
        self._window_from = 0.0
        self._words: list[Spoken] = []
        self._in_turn = False
        self._eager = False
        self._last_voice = 0.0
        self._next_update = profile.update_every
        self._patience = profile.turn_over_after.draw(chance)

    @property
    def voice_end(self) -> float:
        """Where the last voice ended, in seconds of audio."""
        return self._last_voice

    def deadline(self) -> float | None:
        return self._out.due()

    def poll(self, now: float) -> list[Message]:
        # Numbered when they leave, because other messages (warnings, errors) come between.
        return [self.numbered(message) for message in self._out.take(now)]

    def numbered(self, message: Message) -> Message:
        """A message as it goes out: with its place among all that this socket has sent."""
        message = {**message, "sequence_id": self._sequence}
        self._sequence += 1
        return message

    def connected(self) -> Message:
        return self.numbered({"type": "Connected", "request_id": self.request_id})

    def receive(self, audio: bytes, now: float) -> None:
        self._now = now
        mulaw = self._intake.mulaw(audio)
        for at in range(0, len(mulaw), _SLICE):
            self._hear(mulaw[at : at + _SLICE])

    def force_end(self, now: float) -> None:
        self._now = now
        if self._in_turn:
            self._end("manual")

    def finish(self, now: float) -> list[Message]:
        return self.poll(now + 60.0)

    def _hear(self, mulaw: bytes) -> None:
        heard = self._reader.feed(mulaw)
        self.seconds = at = self._reader.seconds
        open_word = self._reader.open_word
        if heard:
            self._words += heard
            self._last_voice = heard[-1].end
        elif open_word is not None:
            self._last_voice = at
        sounding = open_word is not None
        known = bool(heard) or (open_word is not None and at - open_word.start >= _SURE)
        if not self._in_turn:
            if known:
                self._begin(heard, at)
        elif self._eager and sounding:
            self._eager = False
            self._tell("TurnResumed", confidence=0.1)
        elif not sounding:
            self._listen_for_the_end(at - self._last_voice)
        if at >= self._next_update:
            self._tell("Update", confidence=0.1 if sounding else 0.3)

    def _begin(self, heard: list[Spoken], at: float) -> None:
        self._in_turn = True
        self._last_voice = max(self._last_voice, heard[-1].end if heard else at)
        self._tell("StartOfTurn", confidence=0.05)

    def _listen_for_the_end(self, quiet: float) -> None:
        threshold = self.options.eager_eot_threshold
        if quiet >= self.options.eot_timeout:
            self._end("timeout")
        elif quiet >= self._patience and self.options.eot_threshold < 1.0:
            self._end("model")
        elif threshold is not None and quiet >= self.profile.eager_after and self._words and not self._eager:
            self._eager = True
            self._tell("EagerEndOfTurn", confidence=min(0.95, threshold + 0.05))

    def _end(self, trigger: str) -> None:
        self._tell("EndOfTurn", confidence=max(0.9, self.options.eot_threshold), trigger=trigger)
        self._turn += 1
        self._words = []
        self._in_turn = self._eager = False
        self._window_from = self.seconds
        self._patience = self.profile.turn_over_after.draw(self._chance)

    def _tell(self, event: str, *, confidence: float, trigger: str | None = None) -> None:
        # A change of state takes the place of the next update.
        self._next_update = (self._next_update if event == "Update" else self.seconds) + self.profile.update_every
        words = [*self._words]
        open_word = self._reader.open_word
        if event in ("StartOfTurn", "Update") and open_word and self.seconds - open_word.start >= _SURE:
            words.append(Spoken(open_word.text, open_word.start, open_word.end))
        message = {
            "type": "TurnInfo",
            "request_id": self.request_id,
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": round(self._window_from, 3),
            "audio_window_end": round(self.seconds, 3),
            "transcript": " ".join(word.text for word in words),
            "words": [{"word": word.text, "confidence": _CONFIDENCE} for word in words],
            "end_of_turn_confidence": confidence,
            **({"trigger": trigger} if trigger else {}),
        }
        self._out.put(self._now + self.profile.transcript_lag.draw(self._chance), message)


Ear = Nova | Flux
