"""ElevenLabs' multi-context socket: what to send for what is to be spoken, and what its messages mean. Pure.

One utterance is one context. Sentences and clauses arrive whole, so the socket runs in auto mode, which speaks each
piece at once and knows no schedule. A context is closed when its last piece sounds: a close that comes earlier may
overtake the text and silence it, and without a close ElevenLabs never says that an utterance is over.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from app.audio import Clip
from app.call.events import Event, Metered, Voiced, VoiceEnded, VoiceFailed, Word
from app.mouth.words import WordTimes

MOST_CONTEXTS = 5  # the vendor's limit for one socket; one more and it closes the socket
INACTIVITY_SECONDS = 180  # the vendor's longest; callers are silent for less, or are hung up on
KEEP_ALIVE_AFTER = 15.0  # for a context that waits for more text; some accounts are held to the default of 20
QUIET_AFTER = 1.0  # pieces of sound come every 0.1 s or so: after so long a quiet, all of a text without times is there
FINAL_WITHIN = 2.0  # the last message follows the last sound at once
MUTE_AFTER = 4.0  # the core has turned to another voice by then; what still came would be thrown away
SUSPECT_AFTER = 1.0  # first sound takes 0.1 to 0.3 s: a socket that was given up on after this long is no good
LEAST = Clip("////")  # three samples of silence, to carry words for which no sound is left

# With these no second attempt can help.
_HOPELESS = frozenset(
    {"invalid_api_key", "quota_exceeded", "voice_id_does_not_exist", "model_not_found", "invalid_output_format"}
)

Message = Mapping[str, Any]


def address(url: str, voice: str, model: str, language: str = "") -> str:
    """Where the socket of one voice is opened. Voice, model and format belong to the socket."""
    query = {
        "model_id": model,
        "output_format": "ulaw_8000",
        "auto_mode": "true",
        "sync_alignment": "true",
        "inactivity_timeout": INACTIVITY_SECONDS,
    }
    if language and model.endswith("_v2_5"):  # the others refuse to be told, or know one language only
        query["language_code"] = language.split("-")[0]
    return f"{url}/v1/text-to-speech/{quote(voice, safe='')}/multi-stream-input?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left to be spoken of an utterance whose socket is gone, and how many seconds of it have sounded."""

    question: int
    text: str
    last: bool
    sound: float


@dataclass(slots=True)
class _Utterance:
    """One utterance: what was given and sent, what has sounded."""

    question: int
    sound: float
    times: WordTimes = field(default_factory=WordTimes)
    unsent: list[str] = field(default_factory=list)
    context: str = ""  # "" while there is none
    last: bool = False
    flushed: bool = False
    closed: bool = False  # its context has been told to close
    words_before_last: int = 0  # how many words come before its newest piece
    sounded: bool = False  # on this socket
    sent_at: float = 0.0
    heard_at: float = 0.0
    carried: tuple[Word, ...] = ()  # words that came without sound

    def hear(self, message: Message, now: float) -> list[Event]:
        """One message with sound, or times, or both."""
        self.heard_at = now
        audio = message.get("audio")
        words = self.carried + self._words(message)
        if not isinstance(audio, str) or not audio:
            self.carried = words
            return []
        self.carried = ()
        self.sounded = True
        clip = Clip(audio)
        self.sound += clip.seconds
        return [Voiced(self.question, clip, words)]

    def end(self) -> list[Event]:
        """Its context is over: with all of its sound, or without."""
        if not self.sounded:
            return [VoiceFailed(self.question, "elevenlabs: closed an utterance without a sound")]
        untold = len(self.times.untold)
        if self.times.told and untold > 1:
            return [VoiceFailed(self.question, f"elevenlabs: stopped {untold} words before the end")]
        words = self.carried + self.times.rest(self.sound)
        rest: list[Event] = [Voiced(self.question, LEAST, words)] if words else []
        return [*rest, VoiceEnded(self.question)]

    def may_close(self) -> bool:
        """Has its last piece begun to sound? From then on a close cannot overtake it."""
        return self.flushed and not self.closed and self.sounded and self.times.begun > self.words_before_last

    def _words(self, message: Message) -> tuple[Word, ...]:
        """Times begin at 0 in every message: they are counted from the sound that came before it."""
        alignment = message.get("alignment") or message.get("normalizedAlignment")
        if not isinstance(alignment, Mapping):
            return ()
        starts = [self.sound + start / 1000 for start in _numbers(alignment.get("charStartTimesMs"))]
        lengths = [length / 1000 for length in _numbers(alignment.get("charDurationsMs"))]
        ends = [start + length for start, length in zip(starts, lengths, strict=False)]
        return self.times.add(_letters(alignment.get("chars")), starts, ends)


class Contexts:
    """Everything that is spoken over one socket. Methods give events; what is to be sent piles up in `to_send`.

    `broken` says why this socket is of no more use: then it is to be replaced, and `lost` tells what is left to say.
    """

    def __init__(self, model: str, settings: Mapping[str, Any] | None = None) -> None:
        self.broken: str | None = None
        self.hopeless = False
        self._model = model
        self._settings = dict(settings or {})
        self._outbox: list[str] = []
        self._spoken: dict[int, _Utterance] = {}
        self._open: dict[str, _Utterance | None] = {}  # by context; None: nobody wants to hear the rest of it
        self._closing: dict[str, float] = {}  # since when; the vendor counts them as open until their last message
        self._count = 0

    def to_send(self) -> list[str]:
        sending, self._outbox = self._outbox, []
        return sending

    # --- orders ---------------------------------------------------------------------------------------------------

    def speak(self, question: int, text: str, last: bool, now: float, *, sound: float = 0.0) -> list[Event]:
        """The next piece of an utterance; `sound` of it has been voiced elsewhere before."""
        utterance = self._spoken.get(question)
        if utterance is None:
            utterance = self._spoken[question] = _Utterance(question, sound)
        if text.strip():
            utterance.words_before_last = utterance.times.expected
            utterance.times.expect(text)
            utterance.unsent.append(text.strip())
        utterance.last = last
        return self._advance(utterance, now)

    def stop(self, question: int, now: float) -> None:
        """Nobody wants to hear the rest. What still comes of it is dropped by its context."""
        utterance = self._spoken.pop(question, None)
        if utterance is None or not utterance.context:
            return
        if not utterance.sounded and now - utterance.sent_at > SUSPECT_AFTER:
            self._break(f"no sound came within {SUSPECT_AFTER:g} s")
        if not utterance.closed:
            self._close(utterance, now)
        self._open[utterance.context] = None

    # --- messages -------------------------------------------------------------------------------------------------

    def take(self, message: Message, now: float) -> list[Event]:
        if message.get("error"):
            self.hopeless = str(message["error"]) in _HOPELESS
            self._break(f"{message['error']}: {message.get('message') or 'no reason given'}")
            return []
        name = message.get("contextId")
        if not isinstance(name, str) or name not in self._open:
            return []
        utterance = self._open[name]
        if message.get("isFinal") is True:
            return self._finish(name, now)
        if utterance is None:
            self._closing[name] = now
            return []
        events = utterance.hear(message, now)
        if utterance.may_close():
            self._close(utterance, now)
        return events

    def tick(self, now: float) -> list[Event]:
        """What falls due while nothing is said."""
        events: list[Event] = []
        for name, since in list(self._closing.items()):
            utterance = self._open[name]
            quiet = now - max(since, utterance.heard_at if utterance is not None else 0.0)
            if quiet > FINAL_WITHIN:
                events += self._finish(name, now)
        for utterance in list(self._spoken.values()):
            if utterance.context and not utterance.closed:
                events += self._tend(utterance, now)
        return events

    def lost(self) -> list[Rest]:
        """The socket is gone: what was to be spoken over it and has not been voiced."""
        rests = []
        for utterance in self._spoken.values():
            text = " ".join(utterance.times.untold)
            rests.append(Rest(utterance.question, text, utterance.last, utterance.sound))
        self._spoken.clear()
        return rests

    # --- one utterance --------------------------------------------------------------------------------------------

    def _advance(self, utterance: _Utterance, now: float) -> list[Event]:
        """Send what can be sent of it."""
        if utterance.last and not utterance.unsent and not utterance.context:
            del self._spoken[utterance.question]  # nothing to say, or all of it said already
            return utterance.end() if utterance.sounded else [VoiceEnded(utterance.question)]
        if utterance.unsent and not utterance.context:
            if len(self._open) >= MOST_CONTEXTS:
                return []
            self._begin(utterance)
        events: list[Event] = []
        if utterance.unsent:
            text = " ".join(utterance.unsent) + " "  # a piece without a space at its end waits for its last word
            self._send(context_id=utterance.context, text=text)
            utterance.unsent.clear()
            utterance.sent_at = utterance.heard_at = now
            events.append(Metered("elevenlabs", self._model, "character", str(len(text)), utterance.question))
        if utterance.last and not utterance.flushed:
            self._send(context_id=utterance.context, flush=True)
            utterance.flushed = True
            utterance.heard_at = now
            if utterance.may_close():
                self._close(utterance, now)
        return events

    def _begin(self, utterance: _Utterance) -> None:
        self._count += 1
        utterance.context = f"{utterance.question}-{self._count}"
        self._open[utterance.context] = utterance
        settings = {"voice_settings": self._settings} if self._settings else {}
        self._send(context_id=utterance.context, text=" ", **settings)

    def _tend(self, utterance: _Utterance, now: float) -> list[Event]:
        quiet = now - utterance.heard_at
        complete = not utterance.times.untold
        if not complete and (utterance.times.told or not utterance.sounded) and quiet > MUTE_AFTER:
            self._close(utterance, now)
            self._open[utterance.context] = None
            del self._spoken[utterance.question]
            self._break(f"no sound came within {MUTE_AFTER:g} s")
            return [VoiceFailed(utterance.question, f"elevenlabs: fell silent for {MUTE_AFTER:g} s")]
        if utterance.flushed and utterance.sounded and not utterance.times.told and quiet > QUIET_AFTER:
            self._close(utterance, now)
        elif not utterance.flushed and quiet > KEEP_ALIVE_AFTER:
            self._send(context_id=utterance.context, text="")
            utterance.heard_at = now
        return []

    def _finish(self, name: str, now: float) -> list[Event]:
        """A context is over; one that waited for room may begin."""
        utterance = self._open.pop(name)
        self._closing.pop(name, None)
        events: list[Event] = []
        if utterance is not None and utterance.last and not utterance.unsent:
            self._spoken.pop(utterance.question, None)
            events += utterance.end()
        elif utterance is not None:  # closed by the vendor, who was not told to: what comes next opens another
            utterance.context, utterance.closed, utterance.flushed = "", False, False
        for waiting in [each for each in self._spoken.values() if each.unsent]:
            events += self._advance(waiting, now)
        return events

    def _close(self, utterance: _Utterance, now: float) -> None:
        self._send(context_id=utterance.context, close_context=True)
        self._closing[utterance.context] = now
        utterance.closed = True

    def _break(self, why: str) -> None:
        self.broken = self.broken or why

    def _send(self, **message: Any) -> None:
        self._outbox.append(json.dumps(message))


def _numbers(value: object) -> Sequence[float]:
    return [each for each in value if isinstance(each, int | float)] if isinstance(value, list) else []


def _letters(value: object) -> Sequence[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
