"""What a caller's words mean, found by the clinic's grammar in whatever the ears have written down.

The grammar is also what the offline ears listen for; other ears bring digits, capitals and commas, which are brought
into its form first. Pure: today is an argument.
"""

import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cache
from importlib.resources import files
from itertools import takewhile
from random import Random

from app.mind.offline_calendar import Clinic, day_of_month, next_weekday
from app.mind.offline_grammar import Grammar

JOBS = ("cancel", "move", "transfer", "message", "hours", "book")  # "cancel my appointment" is no wish for one

# Shorter than the grammar's sentences, because nobody outside of it keeps to them.
_LOOSELY = {
    "cancel": r"\bcancel|\bcall off\b",
    "move": r"\b(re)?schedul\w+ (my|the)\b|\breschedul|\b(move|change|shift|postpone)\b",
    "transfer": r"\b(speak|talk) (to|with)\b|\b(human|operator|reception\w*|front desk|put me through|transfer)\b",
    "message": r"\bmessage\b",
    "hours": r"\b(opening )?hours\b|\b(when|what time|until when|how late)\b.*\b(open|close)|\bare you open\b",
    "book": r"\bbook\b|\b(an?|new|another|next|first|free) (appointment|visit|check ?up)\b|\bsee (a|the) doctor\b",
}
_NAMED = re.compile(r"\b(?:my name is|my name's|the name is|name is) ((?:[^\W\d_][\w'-]* ){1,3})")
_NO_NAME = frozenset(
    "a about all am an and appointment at book calling can cancel day for from good have hear hello help here"
    " hi how i is it just like message monday move name need no not of on please possible right so soon sorry"
    " spell sure thank thanks that the time to today tomorrow want what when with would wrong yes you".split()
)
_REMARK = re.compile(r"\([^)]*\)|\[[^\]]*\]")  # by the ears: (unclear), [laughs]
_CLOCK = re.compile(r"\b(\d{1,2})[:.](\d\d)\b")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")
_GLUED = re.compile(r"(\d)([ap]\.?m\b)")
_NOON = re.compile(r"\b([ap])\.? ?m\b\.?")
_NUMBER = re.compile(r"\b\d{1,2}\b")
_NO_WORD = re.compile(r"[^\w' -]+")
_PRONOUN = re.compile(r"\b(the|that|this|which|first|earliest|other|another) one ")


@dataclass(frozen=True, slots=True)
class Meaning:
    """All that was found in one utterance."""

    job: str = ""
    day: date | None = None
    at: time | None = None
    part: int | None = None  # the hours to which "in the afternoon" adds twelve
    name: str = ""
    spelled: str = ""
    answer: bool | None = None  # yes, no, or neither
    wrong: str = ""  # name, day or time
    earliest: bool = False
    again: bool = False
    goodbye: bool = False
    errand: str = ""  # what somebody is to be told
    polite: bool = False

    @property
    def details(self) -> bool:
        """Does it say anything that an appointment consists of?"""
        return bool(self.day or self.at or self.part is not None or self.name or self.spelled or self.earliest)

    @property
    def empty(self) -> bool:
        return self == Meaning()


@cache
def grammar() -> Grammar:
    return Grammar(source())


@cache
def source() -> str:
    """The grammar as it is written, for the ears."""
    return files("app.mind").joinpath("offline_clinic.jsgf").read_text(encoding="utf-8")


@cache
def examples(count: int = 20_000) -> tuple[str, ...]:
    """What callers may say, for ears that learn from it what to expect; the same every time."""
    chance = Random(1)
    return tuple(grammar().example("said", chance) for _ in range(count))


def understand(text: str, today: date, clinic: Clinic, *, name_asked: bool = False) -> Meaning:
    """`name_asked`: words that mean nothing else are a name."""
    words = plain(text)
    spelled, rest = _spelled(words)
    earliest = _has("offered", rest)
    day, rest = _day(_finder("offered").sub("", rest), today)
    part = _part(rest)
    at = _at(_PRONOUN.sub("", rest), clinic, part)
    job = next((job for job in JOBS if re.search(_LOOSELY[job], words) or _has(job, words)), "")
    meaning = Meaning(
        job=job,
        day=day,
        at=at,
        part=part,
        name=_name(rest),
        spelled=spelled,
        answer=_answer(words),
        wrong=_wrong(words),
        earliest=earliest,
        again=_has("again", words),
        goodbye=bool(re.search(r"\bgood ?bye\b|\bbye\b|\bthat'?s all\b|\bthat is all\b|\bnothing else\b", words)),
        errand=_errand(words),
        polite=_has("polite", words) or _has("greeting", words),
    )
    if name_asked and not meaning.name and not (meaning.job or meaning.details or meaning.goodbye or meaning.again):
        return Meaning(name=_any_name(rest), answer=meaning.answer) if _any_name(rest) else meaning
    return meaning


def plain(text: str) -> str:
    """In the form of the grammar: small letters, numbers as words, one space after each word."""
    text = _REMARK.sub(" ", text.lower().replace("\u2019", "'"))
    text = _GLUED.sub(r"\1 \2", text)
    text = _NOON.sub(r"\1 m", text)
    hours, ordinals = _words_of("hour"), _words_of("ordinal")
    text = _CLOCK.sub(lambda found: _clock(hours, found[1], found[2]), text)
    text = _ORDINAL.sub(lambda found: ordinals.get(found[1].lstrip("0"), found[0]), text)
    months = "|".join(grammar().meanings("month"))
    text = re.sub(rf"\b({months}) (\d{{1,2}})\b", lambda f: f"{f[1]} {ordinals.get(f[2].lstrip('0'), f[2])}", text)
    text = _NUMBER.sub(lambda found: hours.get(found[0].lstrip("0"), found[0]), text)
    return "".join(f"{word} " for word in _NO_WORD.sub(" ", text).replace("-", " ").split()).replace("x ray ", "x-ray ")


@cache
def _words_of(rule: str) -> dict[str, str]:
    """By its meaning, how something is said."""
    return {meaning: phrase for phrase, meaning in grammar().meanings(rule).items()}


def _clock(hours: dict[str, str], hour: str, minute: str) -> str:
    said = hours.get(str(int(hour) % 12 or 12), hour)
    noon = " p m" if int(hour) > 12 else ""
    return said + {"00": " o'clock"}.get(minute, f" {_words_of('minute').get(minute, '')}") + noon


@cache
def _finder(rule: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|(?<= )){grammar().expression(rule)}")


def _has(rule: str, words: str) -> bool:
    return _finder(rule).search(words) is not None


def _value(rule: str, words: str) -> int | None:
    """What the first phrase of a rule in these words means."""
    found = _finder(rule).search(words)
    return int(grammar().meanings(rule)[found[0].strip()]) if found else None


def _day(words: str, today: date) -> tuple[date | None, str]:
    """The day, and the words without it."""
    found = _finder("day").search(words)
    if found is None:
        return None, words
    rest = words[: found.start()] + words[found.end() :]
    said = found[0]
    if said == "today ":
        return today, rest
    if said == "tomorrow ":
        return today + timedelta(days=1), rest
    number = _value("ordinal", said)
    if number is not None:
        return day_of_month(today, number, _value("month", said)), rest
    weekday = _value("weekday", said)
    return (next_weekday(today, weekday) if weekday is not None else None), rest


def _part(words: str) -> int | None:
    return _value("part", words) if not re.search(r"\bgood (morning|afternoon)\b", words) else None


def _at(words: str, clinic: Clinic, part: int | None) -> time | None:
    found = _finder("at").search(words)
    if found is None:
        return None
    said = found[0]
    alone = said.strip() in grammar().meanings("hour")
    if alone and len(words.split()) > 4:
        return None  # "one" and "two" are in many sentences that are about no time
    if "noon" in said.split():
        return time(12)
    hour, noon = _value("hour", said), _value("noon", said)
    if hour is None:
        return None
    minute = 30 if "half past" in said else 15 if "quarter past" in said else _value("minute", said) or 0
    if "quarter to" in said:
        hour, minute = (hour - 2) % 12 + 1, 45
    return clinic.at(hour, minute, noon if noon is not None else part)


def _answer(words: str) -> bool | None:
    no = re.match(r"(no|nope|not|that's wrong|that is wrong)\b", words) or _finder("wrong").match(words)
    if no:
        return False
    return True if re.match(r"(well )?(yes|yep|yeah|right|exactly)\b", words) or _has("yes", words) else None


def _errand(words: str) -> str:
    found = _finder("errand").search(words)
    return found[0].strip() if found else ""


def _wrong(words: str) -> str:
    found = re.search(r"\bthe (name|day|date|time)\b", words)
    return {"date": "day"}.get(found[1], found[1]) if found else ""


def _spelled(words: str) -> tuple[str, str]:
    """Letters in a row, by themselves or by their code words, and the words without them."""
    codes = {**grammar().meanings("code"), **grammar().meanings("letter")}
    words = re.sub(r"\b([a-z]) (?:as in|for|like) [a-z]+ ", r"\1 ", words)
    runs: list[list[str]] = [[]]
    every = words.split()
    for word in every:
        if word in codes:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    if len(longest) < (2 if "i spell it" in words else 3):  # "a" and "i" are words too
        return "", words
    rest = words.replace("".join(f"{word} " for word in longest), "").replace("i spell it ", "")
    return "".join(codes[word] for word in longest).capitalize(), rest


def _name(words: str) -> str:
    if found := _finder("name").search(words):
        return _capital(found[0])
    if found := _NAMED.search(words):
        said = takewhile(lambda word: word not in _NO_NAME, found[1].split())
        return _capital(" ".join(said))
    return ""


def _any_name(words: str) -> str:
    """These words as a name, as far as one can be in them."""
    words = re.sub(r"^(it's|it is|i'm|i am|this is|yes|well|um|uh) ", "", words)
    said = [word for word in words.split() if word not in _NO_NAME]
    return _capital(" ".join(said)) if said and len(said) == len(words.split()) <= 3 else ""


def _capital(words: str) -> str:
    return " ".join(word.capitalize() for word in words.split())
