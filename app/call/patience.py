"""What the words of a caller mean for the floor: a back-channel or an interruption, an end or only a pause.

Judgements over text alone. The lengths of time are in `agent.Patience`.
"""

import re

from app.call.agent import Interruption, Patience

_NOT_A_WORD = re.compile(r"[^\w' -]+")
_SPACES = re.compile(r"\s+")
_NUMBER_WORDS = frozenset(
    {"zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
    | {"thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "double", "triple", "hundred"}
    | {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}
)
_ASKS_FOR_DETAILS = re.compile(
    r"\b(number|phone|digits?|code|spell|address|e-?mail|date of birth|birthday|card|account|postcode|zip)\b",
    re.IGNORECASE,
)
# Nobody ends a sentence on these: the caller is looking for words.
_UNFINISHED = re.compile(
    r"(?:\b(?:and|but|or|so|because|the|a|an|my|to|with|for|of|is|at|um|uh|er|hmm|like)\W*|,|\.\.\.|…)$",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """Text as it sounds: lower case, no punctuation, single spaces."""
    return _SPACES.sub(" ", _NOT_A_WORD.sub(" ", text.lower().replace("\u2019", "'"))).strip()


def equivalent(one: str, other: str) -> bool:
    """Would both be answered alike? The ears change capitals and punctuation until the last moment."""
    return plain(one) == plain(other)


def is_backchannel(text: str, rules: Interruption) -> bool:
    """Only sounds of listening, at most three of them: "mhm", "okay", "yeah, right"."""
    words = plain(text).split()
    if not words or len(words) > 3:
        return not words
    return " ".join(words) in rules.backchannels or all(word in rules.backchannels for word in words)


def interrupts(text: str, rules: Interruption) -> bool:
    """Do these words take the floor from the agent?"""
    return len(plain(text).split()) >= rules.words_needed and not is_backchannel(text, rules)


def more_patience(asked: str, answer: str, patience: Patience) -> float:
    """Seconds to wait beyond the end that the ears heard, given what the agent last said.

    Numbers, spellings and addresses are spoken in groups with pauses; so is a sentence whose end is still missing.
    """
    words = plain(answer).split()
    if not words:
        return 0.0
    last = words[-1]
    in_groups = last.isdigit() or last in _NUMBER_WORDS or len(last) == 1 or not last.strip("x")  # masked ones
    if in_groups and _ASKS_FOR_DETAILS.search(asked):
        return patience.digits_more
    if _UNFINISHED.search(answer.rstrip(".?! ")) or _UNFINISHED.search(answer.strip()):
        return patience.unfinished_more
    return 0.0
