"""The process that recognises: pocketsphinx holds the interpreter's lock, so it cannot live beside a telephone.

Two decoders listen to each utterance. The one with the grammar understands; the one with the little language model,
made of examples of the same grammar, is free to hear nonsense. Where they disagree, what was said was not in the
grammar, and nothing has been heard. Started by `offline_recognisers`, it reads letters and writes letters, and ends
with its input.
"""

import json
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Sequence
from difflib import SequenceMatcher
from importlib import import_module
from pathlib import Path
from typing import Any

from app.ears.offline_wire import Kind, Letter, Unpacking

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # as in app.audio
    import audioop

# Of the letters. Chosen on 160 sentences of the grammar and 80 others in four voices: kept 102 of the 108 that were
# understood, turned down 76 of the 80 others. Words instead of letters kept 90.
AGREEMENT = 0.55
AT_ONCE = 4  # utterances of one process: each pair of decoders takes 85 MB, and a quarter of a core while it listens
TELEPHONE = (
    "61.7,6.6,0.5,10.9,4,-12.9,-1.6,-10.2,-16.8,14.4,-7.9,5.6,-5"  # the mean cepstrum of speech over a telephone
)
EXAMPLES, DICTIONARY = "examples.arpa", "words.dict"
_MODEL_RATE, _WIDTH = 16000, 2
_WORD = re.compile(r"[^\s<>{}()\[\]|+=;/]+")
_GRAMMAR = {"lw": 10.0, "wip": 0.05}  # believe the grammar's weights, and do not make two words of one


class Decoders:
    """A pair: the one that understands, and the one that doubts."""

    def __init__(self, grammar: str, folder: Path) -> None:
        decoder: Any = import_module("pocketsphinx").Decoder
        # Without bestpath: it searches for half a second after each utterance, and is no better for it.
        common = {"bestpath": False, "lm": None, "loglevel": "FATAL", "dict": str(folder / DICTIONARY)}
        self._understanding = decoder(**common, **_GRAMMAR)
        self._understanding.add_jsgf_string("grammar", grammar)
        self._understanding.activate_search("grammar")
        self._doubting = decoder(**common)
        self._doubting.add_lm_file("examples", str(folder / EXAMPLES))
        self._doubting.activate_search("examples")
        self._resampling: Any = None

    def begin(self, line: str) -> None:
        self._resampling = None
        for decoder in (self._understanding, self._doubting):
            decoder.set_cmn(line or TELEPHONE)
            decoder.start_utt()

    def add(self, mulaw: bytes) -> None:
        linear = audioop.ulaw2lin(mulaw, _WIDTH)
        wide, self._resampling = audioop.ratecv(linear, _WIDTH, 1, 8000, _MODEL_RATE, self._resampling)
        for decoder in (self._understanding, self._doubting):
            decoder.process_raw(wide)

    def end(self) -> None:
        for decoder in (self._understanding, self._doubting):
            decoder.end_utt()

    @property
    def text(self) -> str:
        """The words on which both agree well enough; "" when they do not."""
        understood, doubted = (_hypothesis(decoder) for decoder in (self._understanding, self._doubting))
        return understood if agreement(understood, doubted) >= AGREEMENT else ""

    @property
    def line(self) -> str:
        """What this line sounds like by now, for the caller's next utterance.

        Half-way from any telephone to this one: somebody who only ever says "yes" must not become the measure.
        """
        usual, heard = (map(float, cepstrum.split(",")) for cepstrum in (TELEPHONE, self._understanding.get_cmn(True)))
        return ",".join(f"{(one + other) / 2:.3f}" for one, other in zip(usual, heard, strict=True))


class Listener:
    """All utterances of one process. More than it has decoders for wait, with their sound, until some are free."""

    def __init__(self, grammar: str, examples: Sequence[str], folder: Path) -> None:
        self._grammar = grammar
        self._folder = folder
        _write_dictionary(grammar, folder / DICTIONARY)
        _write_model(examples, folder / EXAMPLES)
        self._free = [Decoders(grammar, folder)]
        self._made = 1
        self._busy: dict[int, Decoders] = {}
        self._told: dict[int, str] = {}
        self._waiting: dict[int, list[Letter]] = {}

    def take(self, letter: Letter) -> list[Letter]:
        """What is to be answered."""
        waiting = self._waiting.get(letter.utterance)
        if letter.kind is Kind.BEGIN and not self._has_room():
            self._waiting[letter.utterance] = [letter]
        elif waiting is not None and letter.kind is Kind.FORGET:
            del self._waiting[letter.utterance]
        elif waiting is not None:
            waiting.append(letter)
        else:
            return self._listen(letter)
        return []

    def _listen(self, letter: Letter) -> list[Letter]:
        utterance = letter.utterance
        if letter.kind is Kind.BEGIN:
            decoders = self._busy[utterance] = self._free.pop() if self._free else self._make()
            decoders.begin(letter.body.decode())
        elif utterance in self._busy and letter.kind is Kind.SOUND:
            self._busy[utterance].add(letter.body)
            return self._news(utterance)
        elif utterance in self._busy and letter.kind is Kind.FINISH:
            return self._settle(utterance)
        elif utterance in self._busy and letter.kind is Kind.FORGET:
            self._release(utterance)
            return self._catch_up()
        return []

    def _news(self, utterance: int) -> list[Letter]:
        text = self._busy[utterance].text
        if text == self._told.get(utterance, ""):
            return []
        self._told[utterance] = text
        return [Letter(Kind.WORDS, utterance, text.encode())]

    def _settle(self, utterance: int) -> list[Letter]:
        decoders = self._release(utterance)
        settled = json.dumps({"text": decoders.text, "line": decoders.line}).encode()
        return [Letter(Kind.SETTLED, utterance, settled), *self._catch_up()]

    def _release(self, utterance: int) -> Decoders:
        decoders = self._busy.pop(utterance)
        self._told.pop(utterance, None)
        decoders.end()
        self._free.append(decoders)
        return decoders

    def _catch_up(self) -> list[Letter]:
        """Listen to those that have waited, the longest first."""
        answers: list[Letter] = []
        while self._waiting and self._has_room():
            for letter in self._waiting.pop(next(iter(self._waiting))):
                answers += self._listen(letter)
        return answers

    def _has_room(self) -> bool:
        return bool(self._free) or self._made < AT_ONCE

    def _make(self) -> Decoders:
        self._made += 1
        return Decoders(self._grammar, self._folder)


def agreement(one: str, other: str) -> float:
    """How many of the letters of both are the same, in the same order: 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio() if one and other else 0.0


def _hypothesis(decoder: Any) -> str:
    found = decoder.hyp()
    return str(found.hypstr) if found is not None else ""


def _write_dictionary(grammar: str, path: Path) -> None:
    """How the words of this grammar are spoken: a five-hundredth of the whole dictionary, and of its memory."""
    words = set(_WORD.findall(grammar))
    whole = Path(import_module("pocketsphinx").get_model_path("en-us/cmudict-en-us.dict"))
    with whole.open(encoding="utf-8") as entries, path.open("w", encoding="utf-8") as kept:
        kept.writelines(entry for entry in entries if entry.split("(")[0].split(" ")[0] in words)


def _write_model(examples: Sequence[str], path: Path) -> None:
    model = import_module("pocketsphinx.lm").ArpaBoLM(text="\n".join(f"<s> {each} </s>" for each in examples))
    model.compute()
    model.write_file(str(path))


def main() -> None:
    """Read letters until there are no more."""
    output = os.dup(1)
    os.dup2(2, 1)  # whatever else a library prints is no letter
    unpacking, listener = Unpacking(), None
    with tempfile.TemporaryDirectory(prefix="patchcord-ears-") as folder:
        while data := os.read(0, 1 << 16):
            for letter in unpacking.add(data):
                if listener is None:
                    vocabulary = json.loads(letter.body)
                    listener = Listener(vocabulary["grammar"], vocabulary["examples"], Path(folder))
                    answers = [Letter(Kind.READY)]
                else:
                    answers = listener.take(letter)
                _write(output, b"".join(answer.packed() for answer in answers))


def _write(output: int, data: bytes) -> None:
    while data:
        data = data[os.write(output, data) :]


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(0)
