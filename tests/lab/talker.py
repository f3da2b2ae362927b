"""A small voice agent for tests of the caller: it greets, answers by rule, and stops when it is talked over.

Pure, so that it serves in virtual time and behind a real socket alike; the caller's frames are its clock.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ops.lab import speech

QUIET = bytes([*range(0x70, 0x80), *range(0xF0, 0x100)])
FAREWELL = "Goodbye."


class Talker:
    """`receive` returns the messages to send at once. `closed`: it wants to hang up."""

    def __init__(
        self, rules: Mapping[str, str], *, greeting: str = "Hello.", gap: float = 0.4, deaf: bool = False
    ) -> None:
        self.rules = rules
        self.greeting = greeting
        self.gap = gap  # seconds of silence in what it hears after which it answers
        self.deaf = deaf  # goes on when it is talked over
        self.heard: list[str] = []
        self.keys = ""
        self.marks: list[str] = []
        self.start: dict[str, Any] = {}
        self.closed = False
        self._stream = ""
        self._reader = speech.Reader()
        self._words: list[str] = []
        self._silent = 0
        self._loud = 0
        self._waiting: set[str] = set()  # marks sent and not come back: it is speaking
        self._last = False

    def receive(self, text: str) -> list[str]:
        message = json.loads(text)
        match message["event"]:
            case "start":
                self.start = message["start"]
                self._stream = message["streamSid"]
                return self.say(self.greeting)
            case "dtmf":
                self.keys += message["dtmf"]["digit"]
            case "mark":
                self.marks.append(message["mark"]["name"])
                self._waiting.discard(message["mark"]["name"])
                self.closed = self._last and not self._waiting
            case "media":
                return self._hear(b64decode(message["media"]["payload"]))
        return []

    def say(self, text: str) -> list[str]:
        """The sound in pieces of a quarter of a second, all of them at once, and a mark behind it."""
        sound = speech.say(text, voice="agent")
        name = f"{len(self.marks)}.{len(self._waiting)}"
        self._waiting.add(name)
        self._last = text.endswith(FAREWELL)
        pieces = [sound[start : start + 2000] for start in range(0, len(sound), 2000)]
        media = [self._message("media", payload=b64encode(piece).decode()) for piece in pieces]
        return [*media, self._message("mark", name=name)]

    def _hear(self, frame: bytes) -> list[str]:
        self._words += [word.text for word in self._reader.feed(frame)]
        loud = bool(frame.strip(QUIET))
        self._silent = 0 if loud else self._silent + len(frame)
        self._loud = self._loud + len(frame) if loud else 0
        if self._waiting and not self.deaf and self._loud >= 0.06 * speech.RATE:
            self._waiting.clear()
            return [json.dumps({"event": "clear", "streamSid": self._stream})]
        if self._words and self._silent >= self.gap * speech.RATE:
            question = " ".join(self._words)
            self._words.clear()
            self.heard.append(question)
            return self.say(self._answer(question))
        return []

    def _answer(self, question: str) -> str:
        return next((answer for rule, answer in self.rules.items() if re.search(rule, question)), "I see.")

    def _message(self, event: str, **body: str) -> str:
        return json.dumps({"event": event, "streamSid": self._stream, event: body})


CLINIC = {
    "When are you open": "We open at nine and close at five.",
    "everything": "The clinic has four doctors. Two of them came this year. The youngest came today.",
    "Sundays": "On Sundays we are closed.",
    "goodbye": "Thank you for calling. Goodbye.",
}
