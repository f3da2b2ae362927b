"""Deepgram's JSON and what it means: pure, so that every message ever recorded can be a test.

Takes messages as dicts and gives events; what lacks a field or has an unknown type means nothing, and never raises.
Audio times are seconds of the call's sound. Every socket counts from 0 again, so a new one is announced by `resume`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.call.agent import Agent
from app.call.events import EndLikely, Event, SpeechEnded, SpeechResumed, Troubled, WordsHeard

KEEP_ALIVE = json.dumps({"type": "KeepAlive"})
FINALIZE = json.dumps({"type": "Finalize"})
CLOSE_STREAM = json.dumps({"type": "CloseStream"})

ENDPOINTING_MS = 300  # shorter cuts people off between two words, longer is waited for at the end of every turn
UTTERANCE_END_MS = 1000  # the least that Deepgram takes; it only serves where noise hides the silence
SURE_THRESHOLD = 0.7  # Deepgram's own default: above it the turn is over
EAGER_THRESHOLD = 0.4  # about 0.2 s earlier than that, and taken back once in three or four turns
TURN_TIMEOUT_MS = 5000  # Deepgram's default; the core loses patience long before

Message = Mapping[str, Any]


def parameters(agent: Agent, encoding: str) -> dict[str, Any]:
    """What the SDK's `connect` is asked for: on `listen.v2` for an agent that hears turns, otherwise on `listen.v1`."""
    wanted: dict[str, Any] = {"model": model(agent), "encoding": encoding, "sample_rate": 8000}
    if agent.keyterms:
        wanted["keyterm"] = list(agent.keyterms)
    if agent.hears_turns:
        wanted |= {"eot_threshold": SURE_THRESHOLD, "eot_timeout_ms": TURN_TIMEOUT_MS}
        if agent.work_ahead in ("eager", "careful"):
            wanted["eager_eot_threshold"] = EAGER_THRESHOLD
        if model(agent) == "flux-general-multi":
            wanted["language_hint"] = [agent.language]
        return wanted
    return wanted | {
        "channels": 1,
        "language": agent.language,
        "interim_results": True,
        "endpointing": ENDPOINTING_MS,
        "utterance_end_ms": UTTERANCE_END_MS,
        "vad_events": True,
        "smart_format": True,
        "punctuate": True,
    }


def model(agent: Agent) -> str:
    """Deepgram's name of the agent's ears. "flux" alone means the Flux that knows the agent's language."""
    if agent.ears != "flux":
        return agent.ears
    return "flux-general-en" if agent.language.split("-")[0] == "en" else "flux-general-multi"


class _Heard(NamedTuple):  # three times as quick to make as a frozen dataclass, and made for every word again and again
    """One word as the ears have it, in seconds of the call's sound."""

    text: str
    end: float
    middle: float
    confidence: float


class SegmentHearing:
    """nova-3: segments become final one by one, and an utterance is over when Deepgram has heard enough silence.

    `settled_until` is the audio time up to which words will not change any more: what lies after it must be replayed
    to a new socket.
    """

    def __init__(self) -> None:
        self.settled_until = 0.0
        self._heard_until = 0.0  # the end of the last settled word: a segment's end may lie within the next one
        self._base = 0.0
        self._settled: list[str] = []
        self._confidences: list[float] = []
        self._interim: list[_Heard] = []
        self._told = WordsHeard("")

    def resume(self, base: float) -> None:
        """A new socket's time begins at `base` of the call. Words that it will not hear again count as settled."""
        self._keep([word for word in self._interim if word.middle <= base])
        self._interim = []
        self.settled_until = max(self.settled_until, base)
        self._base = base

    def skip(self, seconds: float) -> None:
        """So much of the call's sound was not sent to this socket: all that it hears from now on is later by that."""
        self._base += seconds

    def take(self, message: Message) -> list[Event]:
        match message.get("type"):
            case "Results":
                return self._results(message)
            case "UtteranceEnd":
                return self._utterance_end(message)
            case _:
                return _trouble(message)

    def _results(self, message: Message) -> list[Event]:
        final = message.get("is_final") is True
        alternative = _map(_first(_map(message.get("channel")).get("alternatives")))
        words = self._new_words(alternative, _number(message.get("start")), _number(message.get("duration")))
        if not words:
            self._settle_silence(message, final)
            return self._end() if _ends_speech(message) else []
        if not final:
            self._interim = words
            return self._tell(settled=False)
        self._keep(words)
        self._settle_silence(message, final)
        told = self._tell(settled=True)
        return [*told, *self._end()] if _ends_speech(message) else told

    def _utterance_end(self, message: Message) -> list[Event]:
        """The silence was found by the words' times alone. Finals that still come for those words are not news."""
        self._keep(self._interim)
        self._interim = []
        last = message.get("last_word_end")
        if self._settled and isinstance(last, int | float):
            self._heard_until = max(self._heard_until, self._base + last)
            self.settled_until = max(self.settled_until, self._base + last)
        return self._end()

    def _new_words(self, alternative: Message, start: float, duration: float) -> list[_Heard]:
        """The words of one result that have not been settled before; none, when it is nothing but a guess at noise."""
        words = _words(alternative, self._base, start, duration)
        if not any(word.confidence for word in words):
            return []
        return [word for word in words if word.middle > self._heard_until]

    def _settle_silence(self, message: Message, final: bool) -> None:
        if final:
            self._interim = []
            end = _number(message.get("start")) + _number(message.get("duration"))
            self.settled_until = max(self.settled_until, self._base + end)

    def _keep(self, words: list[_Heard]) -> None:
        self._settled += [word.text for word in words]
        self._confidences += [word.confidence for word in words]
        if words:
            self._heard_until = max(self._heard_until, words[-1].end)
            self.settled_until = max(self.settled_until, words[-1].end)

    def _tell(self, *, settled: bool) -> list[Event]:
        """The words so far, unless that is what was told last."""
        text = " ".join([*self._settled, *(word.text for word in self._interim)])
        news = WordsHeard(text, settled)
        if not text or news == self._told:
            return []
        self._told = news
        return [news]

    def _end(self) -> list[Event]:
        if not self._settled:
            return []
        ended = SpeechEnded(" ".join(self._settled), _mean(self._confidences))
        self._settled, self._confidences, self._told = [], [], WordsHeard("")
        return [ended]


class TurnHearing:
    """Flux: it tells of turns, each with all of its words so far, and may take back an end that it foresaw."""

    def __init__(self) -> None:
        self.settled_until = 0.0
        self._base = 0.0
        self._before: list[_Heard] = []  # words of this turn that only an earlier socket has heard
        self._words: list[_Heard] = []
        self._told = ""

    def resume(self, base: float) -> None:
        """A new socket's time begins at `base` of the call. Words that it will not hear again are kept."""
        self._before = [word for word in (*self._before, *self._words) if word.middle <= base]
        self._words = []
        self._base = base

    def skip(self, seconds: float) -> None:
        self._base += seconds

    def take(self, message: Message) -> list[Event]:
        if message.get("type") != "TurnInfo":
            return _trouble(message)
        start, end = _number(message.get("audio_window_start")), _number(message.get("audio_window_end"))
        words = _words(message, self._base, start, end - start)
        self._words = words if any(word.confidence for word in words) else []
        match message.get("event"):
            case "StartOfTurn" | "Update":
                return self._tell()
            case "EagerEndOfTurn":
                return [EndLikely(self._text())] if self._text() else []
            case "TurnResumed":
                return [SpeechResumed(), *self._tell()]
            case "EndOfTurn":
                return self._end(self._base + end)
            case _:
                return []

    def _tell(self) -> list[Event]:
        text = self._text()
        if not text or text == self._told:
            return []
        self._told = text
        return [WordsHeard(text)]

    def _end(self, at: float) -> list[Event]:
        text = self._text()
        confidence = _mean([word.confidence for word in (*self._before, *self._words)])
        self.settled_until = max(self.settled_until, at)
        self._before, self._words, self._told = [], [], ""
        return [SpeechEnded(text, confidence)] if text else []

    def _text(self) -> str:
        before, words = [word.text for word in self._before], [word.text for word in self._words]
        if before and words and _bare(before[-1]) == _bare(words[0]):
            before.pop()  # the word at the seam was heard by both sockets
        return " ".join([*before, *words])


Hearing = SegmentHearing | TurnHearing


def hearing_for(agent: Agent) -> Hearing:
    return TurnHearing() if agent.hears_turns else SegmentHearing()


def _ends_speech(message: Message) -> bool:
    """A final that we asked for says nothing of the speaker: Deepgram marks it as an end all the same."""
    return message.get("speech_final") is True and message.get("from_finalize") is not True


def _words(transcribed: Message, base: float, start: float, duration: float) -> list[_Heard]:
    """The words of a transcript, with the times they have, or else spread evenly over the sound they were heard in."""
    transcript = transcribed.get("transcript")
    spoken = transcript.split() if isinstance(transcript, str) else []
    listed = [_map(word) for word in _list(transcribed.get("words"))]
    if len(listed) != len(spoken):  # formatting has joined words, "four p m" into "4 PM", or none are listed
        listed = _stretched(listed, len(spoken)) if listed else [{}] * len(spoken)
    each = duration / max(1, len(spoken))
    overall = _number(transcribed.get("confidence"), 1.0)
    words = []
    for n, (text, word) in enumerate(zip(spoken, listed, strict=True)):
        begin = base + _number(word.get("start"), start + n * each)
        end = base + _number(word.get("end"), start + (n + 1) * each)
        confidence = _number(word.get("confidence"), overall)
        words.append(_Heard(text, end, (begin + end) / 2, confidence))
    return words


def _stretched(words: Sequence[Message], length: int) -> list[Message]:
    """As many words as the text has, each with the times of the one that lies at its place."""
    return [words[n * len(words) // length] for n in range(length)]


def _trouble(message: Message) -> list[Event]:
    """An error or a warning, kept for whoever reads the trace; of any other message there is nothing to tell."""
    if message.get("type") not in ("Error", "Warning", "ConfigureFailure"):
        return []
    return [Troubled("ears", f"Deepgram: {message.get('description') or message['type']}", dict(message))]


def _bare(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _number(value: object, otherwise: float = 0.0) -> float:
    return float(value) if isinstance(value, (int, float)) else otherwise


def _map(value: object) -> Message:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _first(value: object) -> object:
    return next(iter(_list(value)), None)
