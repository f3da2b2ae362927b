"""What the words of a caller say about their end: is there one, or only a pause, and how long is it worth waiting?

Judgements over text alone. The lengths of time are in `agent.Patience`.
"""

import re

from app.call.agent import Patience

_NOT_A_WORD = re.compile(r"[^\w' -]+")
_SPACES = re.compile(r"\s+")
_NUMBER_WORDS = frozenset(
    {"zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
    | {"thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "double", "triple", "hundred"}
    | {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}
    | {"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november"}
    | {"december", "first", "second", "third"}
)
_ASKS_FOR_DETAILS = re.compile(
    r"\b(number|phone|digits?|code|spell|address|e-?mail|date of birth|birthday|card|account|postcode|zip)\b",
    re.IGNORECASE,
)
# Nobody ends a sentence on these: the caller is looking for words.
_UNFINISHED = re.compile(
    r"\b(?:and|but|or|so|because|if|that|whether|unless|than|between|the|a|an|my|your|our|his|their|to|with|for|of|from|on|in|at|by|about|until"
    r"|is|it's|i'm|i'd|i'll|um|uh|er|hmm|like"
    r"|(?:can|could|may|should|do|did|if|when|that|and|but) (?:i|you|we|they)|are you|i (?:want|need|would like))$"
)
# A question may end on a preposition, though: "What is it for?"
_ASKED_TO_THE_END = re.compile(r"^(?:what|who|where|which|how)\b.*\b(?:to|with|for|of|from|on|in|at|by|about|like)$")
# "She has": a fever, or an answer to "Has she been here before?"
_LACKS_ITS_OBJECT = re.compile(r"(?!(?:yes|yeah|no|what|which|who|how)\b).*\b(?:has|have|had)")
_ASKS_WHETHER = re.compile(r"\b(?:has|have|had)\b", re.IGNORECASE)
# Nothing has been said yet but that something will be.
_THINKING_ALOUD = re.compile(
    r"(?:(?:so|well|okay|yes|oh|and) )*"
    r"(?:(?:um|uh|er|erm|hmm|let me (?:think|see|check|look)|hold on|(?:just )?(?:one|a) (?:second|moment))(?: |$))+"
)
_SAID_ALL = re.compile(r"\b(?:please|thanks|thank you|that's (?:it|all))$")
_GROUP = 4  # words: "B as in Bravo"


def plain(text: str) -> str:
    """Text as it sounds: lower case, no punctuation, single spaces."""
    return _SPACES.sub(" ", _NOT_A_WORD.sub(" ", text.lower().replace("\u2019", "'"))).strip()


def equivalent(one: str, other: str) -> bool:
    """Would both be answered alike? The ears change capitals and punctuation until the last moment."""
    return plain(one) == plain(other)


def more_patience(asked: str, answer: str, patience: Patience) -> float:
    """Seconds of quiet that must follow these words before the turn is over, given what the agent last said.

    Numbers, spellings and addresses are spoken in groups with pauses; so is a sentence whose end is still missing.
    """
    said = plain(answer)
    words = said.split()
    if not words or _SAID_ALL.search(said):
        return 0.0
    if _THINKING_ALOUD.fullmatch(said):
        return patience.thinking_more
    if _ASKS_FOR_DETAILS.search(asked) and any(_is_group(word) for word in words[-_GROUP:]):
        return patience.digits_more
    breaks_off = answer.strip().endswith((",", "...", "\u2026"))
    lacks_its_end = _UNFINISHED.search(said) and not _ASKED_TO_THE_END.search(said)
    lacks_its_object = _LACKS_ITS_OBJECT.fullmatch(said) and not _ASKS_WHETHER.search(asked)
    return patience.unfinished_more if breaks_off or lacks_its_end or lacks_its_object else 0.0


def _is_group(word: str) -> bool:
    """Is this a part of a number, a date or a spelled name? Of what was masked, only letters x are left."""
    return word[:-2].isdigit() or word.isdigit() or word in _NUMBER_WORDS or len(word) == 1 or not word.strip("x")
