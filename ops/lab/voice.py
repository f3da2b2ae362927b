"""How ElevenLabs speaks: pieces of text in, sound and alignment out, each chunk with the moment it is due.

Chunks are cut between characters, so that the characters of a message last exactly as long as its sound. Nothing
here waits, and nothing knows of sockets; the messages are those of the vendor's two WebSocket interfaces.
"""

from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ops.lab.profile import Fault, Profile
from ops.lab.speech import RATE, pause_after, say, to_linear, words_of

Message = dict[str, Any]
FORMATS = {"ulaw_8000": 1, "pcm_8000": 2}  # bytes a sample; the vendor has more, this lab speaks to telephones
SCHEDULE = (120, 160, 250, 290)  # characters that must be waiting before the first, second, … piece is spoken
CONTEXTS = 5  # on one socket, by the vendor's decree
_TRY_FROM = 50  # characters from which "try_trigger_generation" has an effect
_MILLISECOND = RATE // 1000
_SETTINGS = ("voice_settings", "generation_config", "pronunciation_dictionary_locators")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A quarter of a second or so of sound, and the characters spoken in it: (character, milliseconds)."""

    sound: bytes
    letters: tuple[tuple[str, int], ...]

    @property
    def seconds(self) -> float:
        return len(self.sound) / RATE

    def alignment(self) -> Message:
        """As the sockets have it: times start at 0 in every message."""
        starts, at = [], 0
        for _, length in self.letters:
            starts.append(at)
            at += length
        return {
            "chars": [letter for letter, _ in self.letters],
            "charStartTimesMs": starts,
            "charDurationsMs": [length for _, length in self.letters],
        }

    def encoded(self, output_format: str) -> bytes:
        return self.sound if output_format == "ulaw_8000" else to_linear(self.sound)


def chunks(text: str, seconds: float) -> Iterator[Chunk]:
    """The sound of a text, with the quiet after its last word, cut where a character ends after so many seconds."""
    letters = _letters(text)
    sound = say(text, voice="agent")
    sound += b"\xff" * (sum(length for _, length in letters) * _MILLISECOND - len(sound))
    begun = at = length = 0
    for place, (_, milliseconds) in enumerate(letters):
        length += milliseconds * _MILLISECOND
        if length >= seconds * RATE or place == len(letters) - 1:
            yield Chunk(sound[at : at + length], tuple(letters[begun : place + 1]))
            begun, at, length = place + 1, at + length, 0


def _letters(text: str) -> list[tuple[str, int]]:
    """Every character and how long it lasts; a text ends with a space, which lasts as long as the pause."""
    spoken = iter(words_of(text))
    letters: list[tuple[str, int]] = []
    for token in text.split():
        if any(map(str.isalnum, token)):
            word = next(spoken)
            length = round((word.end - word.start) * 1000)
            edges = [length * place // len(token) for place in range(len(token) + 1)]
            letters += [(letter, edges[place + 1] - edges[place]) for place, letter in enumerate(token)]
            letters.append((" ", round(pause_after(token) * 1000)))
        else:
            letters += [(letter, 0) for letter in f"{token} "]
    return letters


@dataclass(slots=True)
class Context:
    """One stream of text that becomes one stream of sound."""

    name: str | None
    schedule: Sequence[int] = SCHEDULE
    waiting: str = ""
    flushed: bool = False
    heard_from: float = 0.0
    pieces: int = 0
    made_until: float = 0.0  # when the synthesis of what was asked for so far is done
    under_way: deque[tuple[float, Chunk]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """What the address of a socket asks for."""

    output_format: str = "mp3_44100_128"
    auto_mode: bool = False
    multi: bool = True
    inactivity_timeout: float = 20.0


class Voice:
    """One ElevenLabs socket: many contexts on multi-stream-input, a single nameless one on stream-input.

    `closing` is set, with a code and a reason, when the socket is to be closed once everything due has been sent.
    """

    def __init__(self, options: VoiceOptions, profile: Profile, chance: Random, fault: Fault | None = None) -> None:
        self.options = options
        self.profile = profile
        self.closing: tuple[int, str] | None = None
        self.characters: dict[str, int] = {}  # turned into sound and billed, by context, all that there were
        self.contexts: dict[str | None, Context] = {}
        self._draining: list[Context] = []  # closed, and not all of their sound has been sent
        self._chance = chance
        self._fault = fault
        self._errors: list[Message] = []
        self._heard_from: float | None = None
        self._leaving = False

    def deadline(self) -> float | None:
        """When there is something to do again, if nothing comes in; None while nothing is owed."""
        if self._errors or self.closing or (self._leaving and not self._draining):
            return 0.0
        patience = self.options.inactivity_timeout
        moments = [context.under_way[0][0] if context.under_way else 0.0 for context in self._draining]
        for context in self.contexts.values():
            moments.append(context.under_way[0][0] if context.under_way else context.heard_from + patience)
        if not moments and self._heard_from is not None:
            moments.append(self._heard_from + patience)
        return min(moments, default=None)

    def opened(self, now: float) -> None:
        self._heard_from = now

    def receive(self, message: Any, now: float) -> None:
        """One message of the client. What is wrong with it is answered, and ends the socket."""
        if self.closing or self._leaving:
            return
        self._heard_from = now
        if not isinstance(message, Mapping):
            self.refuse("invalid_message", "The message is not a JSON object")
        elif self.options.multi:
            self._receive_multi(message, now)
        else:
            self._receive_single(message, now)

    def poll(self, now: float) -> list[Message]:
        """Whatever is due, in order."""
        ready: list[tuple[float, Message]] = []
        for context in (*self._draining, *self.contexts.values()):
            while context.under_way and context.under_way[0][0] <= now:
                due, chunk = context.under_way.popleft()
                ready.append((due, self._sound(context, chunk)))
        ready.sort(key=lambda each: each[0])
        messages = [message for _, message in ready]
        messages += [self._final(context) for context in self._draining if not context.under_way]
        self._draining = [context for context in self._draining if context.under_way]
        if self._leaving and not self._draining and self.closing is None:
            self.closing = (1000, "")
        elif self.closing is None:
            self._check_idle(now)
        errors, self._errors = self._errors, []
        return messages + errors

    def refuse(self, error: str, message: str) -> None:
        self._errors.append({"message": message, "error": error, "code": 1008})
        self.closing = (1008, message[:120])

    def _check_idle(self, now: float) -> None:
        """A context that nobody speaks to is closed; a socket without contexts that nobody speaks to as well."""
        patience = self.options.inactivity_timeout
        for context in list(self.contexts.values()):
            if not context.under_way and now >= context.heard_from + patience:
                self._close(context)
        silent = self._heard_from is not None and now >= self._heard_from + patience
        if silent and not self.contexts and (not self._draining or not self.options.multi):
            self.refuse(
                "input_timeout_exceeded",
                f"Have not received a new text input within the timeout of {patience} seconds. "
                "Streaming input terminated.",
            )

    def _receive_multi(self, message: Mapping[str, Any], now: float) -> None:
        if message.get("close_socket"):
            self._leaving = True
            for each in list(self.contexts.values()):
                self._speak(each, now, everything=True)
                each.flushed = True
                self._close(each)
            return
        name, text = message.get("context_id"), message.get("text")
        if name is None and not text and not message.get("flush"):
            return  # an empty text without a context keeps the socket alive, and no more
        name = "default" if name is None else str(name)
        if message.get("close_context"):
            if name in self.contexts:
                self._close(self.contexts[name])
        else:
            context = self._context(name, message, now)
            if context is not None:
                self._take(context, message, now)

    def _receive_single(self, message: Mapping[str, Any], now: float) -> None:
        if not isinstance(message.get("text"), str):
            self.refuse("invalid_message", "text: Field required")
        elif (context := self._context(None, message, now)) is None:
            return
        elif message["text"] == "":
            self._speak(context, now, everything=True)
            context.flushed = self._leaving = True
            self._close(context)
        else:
            self._take(context, message, now)

    def _context(self, name: str | None, message: Mapping[str, Any], now: float) -> Context | None:
        """The context that a message is for, opened by its first message; None when the message was refused."""
        if name not in self.contexts:
            return self._open(name, message, now)
        if any(message.get(setting) is not None for setting in _SETTINGS):
            self.refuse("invalid_settings", "Settings can only be given in the first message of a context")
            return None
        return self.contexts[name]

    def _open(self, name: str | None, message: Mapping[str, Any], now: float) -> Context | None:
        if len(self.contexts) + len(self._draining) >= CONTEXTS:
            self.refuse(
                "max_active_conversations",
                f"Maximum simultaneous contexts per WebSocket connection exceeded ({CONTEXTS}). "
                "Please close an existing context before opening a new one.",
            )
            return None
        schedule = (message.get("generation_config") or {}).get("chunk_length_schedule", SCHEDULE)
        if not schedule or not all(isinstance(length, int) and 50 <= length <= 500 for length in schedule):
            self.refuse("invalid_settings", "chunk_length_schedule: every length must be from 50 to 500")
            return None
        speed = (message.get("voice_settings") or {}).get("speed", 1.0)
        if not 0.7 <= speed <= 1.2:
            self.refuse("invalid_voice_settings", "speed must be from 0.7 to 1.2")
            return None
        self.contexts[name] = Context(name, schedule, heard_from=now)
        return self.contexts[name]

    def _take(self, context: Context, message: Mapping[str, Any], now: float) -> None:
        text = message.get("text") or ""
        context.heard_from = now
        context.waiting += text
        if message.get("flush"):
            self._speak(context, now, everything=True)
            context.flushed = True
        elif text:
            context.flushed = False
            asked = message.get("try_trigger_generation") and len(context.waiting) >= _TRY_FROM
            self._speak(context, now, everything=self.options.auto_mode or bool(asked))

    def _speak(self, context: Context, now: float, *, everything: bool) -> None:
        """Make sound of what waits, if enough waits or all of it is wanted."""
        enough = context.schedule[min(context.pieces, len(context.schedule) - 1)]
        if not context.waiting.strip() or (not everything and len(context.waiting) < enough):
            return
        text, context.waiting = context.waiting, ""
        if not everything and not text[-1].isspace() and " " in text:
            text, _, context.waiting = text.rpartition(" ")  # a word that may go on waits for its rest
        text = text.lstrip()  # the blank that opens a context is not billed
        context.pieces += 1
        name = context.name or "default"
        self.characters[name] = self.characters.get(name, 0) + len(text)
        if self._fault is not None and self._fault.kind == "hollow":
            return
        late = self._fault.after if self._fault is not None and self._fault.kind == "slow" else 0.0
        at = max(now + self.profile.first_voice.draw(self._chance) + late, context.made_until)
        for chunk in chunks(text, self.profile.voice_chunk):
            context.under_way.append((at, chunk))
            at += chunk.seconds / self.profile.voice_speed
        context.made_until = at

    def _close(self, context: Context) -> None:
        """No more text. What was flushed is still spoken; what was not is dropped. The name is free again."""
        self._draining.append(self.contexts.pop(context.name))
        context.waiting = ""
        if not context.flushed:
            context.under_way.clear()

    def _sound(self, context: Context, chunk: Chunk) -> Message:
        audio = b64encode(chunk.encoded(self.options.output_format)).decode()
        alignment = chunk.alignment()
        return {
            "audio": audio,
            "isFinal": None,
            "alignment": alignment,
            "normalizedAlignment": alignment,
            **({"contextId": context.name} if self.options.multi else {}),
        }

    def _final(self, context: Context) -> Message:
        return {"isFinal": True, **({"contextId": context.name} if self.options.multi else {})}
