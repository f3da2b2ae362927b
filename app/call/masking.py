"""Card numbers and social-security numbers made unreadable, in whatever words they come. Pure.

Everything that is stored passes here; the mind itself gets the real words. Masked is digit by digit and word by word,
so that a masked text has as many words as the spoken one: 4111 1111 1111 1111 becomes xxxx xxxx xxxx 1111, and a
spoken "four" becomes x.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CARD = range(13, 20)  # how many digits a card's number has
SOCIAL = 9
TAIL = 4  # digits of a card's number that may be read, by every bank's slip
LONGEST_PIECE = 3  # of a text that goes on in the next line: four digits may be a quarter of a card's number

_UNITS = "zero oh one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_MORE = {"double": 1, "triple": 2, "hundred": 2}  # digits that the word adds to its neighbour's
_DIGITS = {**dict.fromkeys(_UNITS, 1), **dict.fromkeys(_TEENS, 2), **dict.fromkeys(_TENS, 2), **_MORE}

# Digits within a word belong to a name or a key, not to a number that somebody said.
_TOKEN = re.compile(rf"(?<!\w)(?:[\dx]+|{'|'.join(_DIGITS)})(?!\w)", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s.,/()+-]|\b(?:uh|um|er|and|then|dash|space)\b)*", re.IGNORECASE)
_CARDS_ARE_MEANT = re.compile(r"\b(?:card|credit|debit|visa|mastercard|amex)\b", re.IGNORECASE)
_SOCIAL_SECURITY = re.compile(r"\bsocial\b|\bssn\b", re.IGNORECASE)
_DIGIT = re.compile(r"\d")

_PIECES = frozenset({"WordsHeard", "EndLikely", "SpeechEnded", "Thought", "Speak", "Voiced"})
"""Events and actions whose text is a part of something longer."""

_SILENT = frozenset({"Metered", "Connected", "Played", "Play", "ThoughtBegan", "ThoughtEnded", "VoiceEnded", "HangUp"})
"""Those that nobody's words are in; they come often, so nothing is looked for."""

_NAMES = frozenset({"is", "id", "to"})  # never words, though they may look like numbers


def masked(text: str) -> str:
    """A whole text, without the numbers that nobody may keep. Telephone numbers, dates and amounts stay."""
    return _rewritten(text, lambda run: _hidden(run, text))


def masked_piece(text: str) -> str:
    """A part of a longer text: a number may go on in the next part, so only short ones stay."""
    return _rewritten(text, lambda run: range(len(run.tokens)) if run.count > LONGEST_PIECE else range(0))


def shape(text: str) -> str:
    """The text with no digit left to read, which is the same before and after masking."""
    return _rewritten(text, lambda run: range(len(run.tokens)))


def masked_fields(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """An event or an action of this kind, in plain data, as it may be stored."""
    if kind in _SILENT:
        return dict(fields)
    if kind == "Digit":  # keys are pressed one by one; which they were stands in the text of the turn
        return {**fields, "key": _DIGIT.sub("x", fields["key"])}
    mask = masked_piece if kind in _PIECES else masked
    told = {n: item if n in _NAMES or n == "words" else _each(item, mask) for n, item in fields.items()}
    if words := fields.get("words"):
        texts = mask("\n".join(word["text"] for word in words)).split("\n")
        told["words"] = [{**word, "text": text} for word, text in zip(words, texts, strict=True)]
    return told


def masked_data(data: Any) -> Any:
    """Plain data of any depth, as it may be stored."""
    return _each(data, masked)


def shape_of(data: Any) -> Any:
    """Plain data of any depth, its texts reduced to their shapes."""
    return _each(data, shape)


def _each(item: Any, mask: Any) -> Any:
    match item:
        case str():
            return mask(item)
        case Mapping():
            return {name: value if name in _NAMES else _each(value, mask) for name, value in item.items()}
        case list() | tuple():
            return [_each(value, mask) for value in item]
        case bool():
            return item
        case int() if item >= 10 ** (SOCIAL - 1):  # a model may write a number without quotes
            text = mask(str(item))
            return item if text == str(item) else text
    return item


# --- runs of digits -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """Digits with nothing but separators between them, in tokens that each stand for one digit or more."""

    tokens: Sequence[tuple[int, int, str]]  # where it begins and ends, and what it says

    @property
    def count(self) -> int:
        total, tens = 0, False
        for _, _, word in self.tokens:
            digits = _size(word)
            total += 0 if tens and digits == 1 and word.lower() in _UNITS[2:] else digits  # "forty one" is two digits
            tens = word.lower() in _TENS
        return total

    @property
    def read(self) -> str:
        """The digits themselves, where all are written as such."""
        return "".join(word for _, _, word in self.tokens) if all(w.isdecimal() for _, _, w in self.tokens) else ""

    @property
    def legible(self) -> int:
        return sum(_size(word) for _, _, word in self.tokens if not _is_masked(word))


def _size(word: str) -> int:
    return len(word) if word.isdecimal() or _is_masked(word) else _DIGITS[word.lower()]


def _is_masked(word: str) -> bool:
    return set(word.lower()) == {"x"}


def _runs(text: str) -> Iterator[_Run]:
    """Every run of the text; a token of several digits is cut into one for each."""
    tokens: list[tuple[int, int, str]] = []
    for match in _TOKEN.finditer(text):
        if tokens and not _BETWEEN.fullmatch(text, tokens[-1][1], match.start()):
            yield _Run(tokens)
            tokens = []
        word, start = match[0], match.start()
        if word.lower() not in _DIGITS:
            tokens.extend((start + place, start + place + 1, digit) for place, digit in enumerate(word))
        else:
            tokens.append((start, match.end(), word))
    if tokens:
        yield _Run(tokens)


def _rewritten(text: str, hide: Any) -> str:
    """The text, with the tokens of each run replaced that `hide` names."""
    if not _TOKEN.search(text):
        return text
    parts, done = [], 0
    for run in _runs(text):
        for place in hide(run):
            start, end, _ = run.tokens[place]
            parts += [text[done:start], "x"]
            done = end
    return "".join([*parts, text[done:]])


def _hidden(run: _Run, text: str) -> range:
    """Which tokens of this run nobody may keep."""
    everything = range(len(run.tokens))
    if run.legible <= TAIL and run.legible < run.count:
        return range(0)  # masked before
    if LONGEST_PIECE < run.count < CARD.start and _CARDS_ARE_MEANT.search(text):
        return everything  # the rest of the number comes in the next turn
    if run.count < SOCIAL:
        return range(0)
    if run.count == SOCIAL:
        return everything if _is_social(run, text) else range(0)
    if run.count < CARD.start:
        return range(0)
    return everything[:-TAIL] if run.count in CARD and not _more_than_card(run) else everything


def _more_than_card(run: _Run) -> bool:
    """Is this a card's number with its date or its code behind it? Then its end is not its last four digits."""
    digits = run.read
    return bool(digits) and not _luhn(digits) and any(_luhn(digits[:n]) for n in CARD if n < len(digits))


def _luhn(digits: str) -> bool:
    """The check that every card's number passes."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _is_social(run: _Run, text: str) -> bool:
    """Nine digits as 3-2-4, all in one, or said one by one; in other groups they are a foreign telephone number."""
    groups = [1]
    for (_, end, _), (start, _, _) in zip(run.tokens, run.tokens[1:], strict=False):
        if start == end:
            groups[-1] += 1
        else:
            groups.append(1)
    return groups in ([3, 2, 4], [9], [1] * 9) or not run.read or bool(_SOCIAL_SECURITY.search(text))
