"""What goes between us and a process that recognises: letters of a kind, about one utterance. Pure."""

import struct
from dataclasses import dataclass
from enum import IntEnum

_HEAD = struct.Struct(">BII")  # kind, utterance, length of the body


class Kind(IntEnum):
    # to the process
    VOCABULARY = 1  # what there is to be recognised, as JSON; the first letter
    BEGIN = 2  # an utterance begins; the body is what is known of the line's sound, or nothing
    SOUND = 3  # mu-law of it
    FINISH = 4  # it is over: settle its words
    FORGET = 5  # nobody wants to know
    # from it
    READY = 6
    WORDS = 7  # all words so far
    SETTLED = 8  # the last word about an utterance: {"text", "line"}


@dataclass(frozen=True, slots=True)
class Letter:
    kind: Kind
    utterance: int = 0
    body: bytes = b""

    def packed(self) -> bytes:
        return _HEAD.pack(self.kind, self.utterance, len(self.body)) + self.body


class Unpacking:
    """Letters out of a stream that is cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> list[Letter]:
        self._rest += data
        letters: list[Letter] = []
        while len(self._rest) >= _HEAD.size:
            kind, utterance, length = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + length
            if len(self._rest) < end:
                break
            letters.append(Letter(Kind(kind), utterance, self._rest[_HEAD.size : end]))
            self._rest = self._rest[end:]
        return letters
