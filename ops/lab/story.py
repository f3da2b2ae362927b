"""What a caller does, written as a list one can read aloud. Nothing here happens; `caller.py` acts it out.

In Python a story is a tuple of steps; in a file it is YAML, a step a line:

    name: opening hours
    steps:
      - hears: clinic|practice        # a regular expression; case does not matter
        within: 5
      - says: When are you open?
      - hears: nine
      - talks_over: Sorry, are you open on Sundays?
        after_words: 4
      - coughs
      - says: Thank you, goodbye.
      - ends
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

# What people do. The longest pause inside an agent's turn is a cover's: "one moment", then the answer.
PATIENCE = 10.0  # a caller who hears nothing for ten seconds believes that the line is dead
TURN_PAUSE = 0.8  # who pauses for longer than this has finished and waits for an answer


class StoryError(ValueError):
    """A story that nobody can act out; the text says which step, and why."""


@dataclass(frozen=True, slots=True)
class Hears:
    """Waits until the agent's words match, or without a pattern until the agent makes any sound."""

    pattern: str = ""
    within: float = PATIENCE

    def __post_init__(self) -> None:
        re.compile(self.pattern)


@dataclass(frozen=True, slots=True)
class Says:
    """Waits until the agent has been quiet for `after` seconds, then speaks."""

    text: str
    after: float = TURN_PAUSE
    within: float = 60.0
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class TalksOver:
    """Begins to speak while the agent sounds: after so many of its words, or so long after it began."""

    text: str
    after_words: int = 0
    after: float = 0.0
    quiet_within: float = 1.5  # a second and a half of both talking is an argument
    within: float = PATIENCE
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers what the agent says by the first pattern that fits, until it says `until`, or without it hangs up."""

    replies: Mapping[str, str]
    until: str = ""
    times: int = 20  # whoever has answered so often is going round in a circle
    within: float = 15.0

    def __post_init__(self) -> None:
        for pattern in (self.until, *self.replies):
            re.compile(pattern)


@dataclass(frozen=True, slots=True)
class Mutters:
    """Speaks as a listener does, at once or after so many of the agent's words; expects no answer."""

    text: str = "mhm"
    after_words: int = 0
    within: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Coughs:
    """Makes a sound that is no word, at once or after so many of the agent's words."""

    after_words: int = 0
    within: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Noise:
    """From now on the room is noisy for so long, wherever the caller does not speak; the story goes on meanwhile."""

    seconds: float
    level: float = 200.0  # root mean square of 16-bit samples: a street through a window


@dataclass(frozen=True, slots=True)
class Waits:
    seconds: float


@dataclass(frozen=True, slots=True)
class SilentFor:
    """Says nothing for so long, to see what the agent makes of it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Presses:
    keys: str
    every: float = 0.25  # a finger that knows the number

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9*#A-D]+", self.keys):
            raise StoryError(f"presses {self.keys!r}: a telephone has the keys 0 to 9, * and #")


@dataclass(frozen=True, slots=True)
class IsQuiet:
    """Expects that the agent falls silent within so long, and stays so for `lasting`."""

    within: float = PATIENCE
    lasting: float = TURN_PAUSE


@dataclass(frozen=True, slots=True)
class HangsUp:
    """Puts the receiver down."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Expects that the agent's side ends the call within so long."""

    within: float = 15.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Gives the agent so long to end the call, then hangs up; either is a good end."""

    within: float = 6.0


@dataclass(frozen=True, slots=True)
class Repeats:
    """Goes through these steps so often, or begins them anew until so many seconds have passed."""

    steps: "tuple[Step, ...]"
    times: int = 1
    seconds: float = 0.0


Step = (
    Hears
    | Says
    | TalksOver
    | Answers
    | Mutters
    | Coughs
    | Noise
    | Waits
    | SilentFor
    | Presses
    | IsQuiet
    | HangsUp
    | Ends
    | Parts
    | Repeats
)


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    steps: tuple[Step, ...]


FIRST_CALL = Story(
    "three questions, one of them over the agent's words",
    (
        Hears(within=10.0),
        Says("When are you open?"),
        Hears(),
        Says("Tell me everything about the clinic."),
        TalksOver("Sorry, are you open on Sundays?", after_words=4),
        Hears(),
        Says("Thank you, goodbye."),
        Hears(),
        Parts(),
    ),
)


def rounds(times: int = 1, *, seconds: float = 0.0) -> Story:
    """The first call with its middle repeated, so that a call lasts as long as a load asks for."""
    greeting, *middle = FIRST_CALL.steps[:-3]
    ending = FIRST_CALL.steps[-3:]
    return Story(f"{FIRST_CALL.name}, again and again", (greeting, Repeats(tuple(middle), times, seconds), *ending))


# --- from a file --------------------------------------------------------------------------------------------------

# hears -> Hears, talks_over -> TalksOver: the name in a file is the name of the class.
_STEPS: dict[str, Any] = {re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in Step.__args__}


def read(path: Path) -> Story:
    """A story from a YAML file."""
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise StoryError(f"{path}: cannot be read: {unreadable.strerror}") from None
    except yaml.YAMLError as wrong:
        raise StoryError(f"{path}: not YAML: {wrong}") from None
    if not isinstance(written, dict) or not isinstance(written.get("steps"), list):
        raise StoryError(f"{path}: a story has a name and a list of steps")
    return Story(str(written.get("name", path.stem)), _steps(written["steps"], str(path)))


def _steps(written: Sequence[Any], where: str) -> tuple[Step, ...]:
    return tuple(_step(item, f"{where}: step {number}") for number, item in enumerate(written, 1))


def _step(item: Any, where: str) -> Step:
    options: Mapping[str, Any] = item if isinstance(item, dict) else {str(item): None}
    named = [name for name in options if name in _STEPS]
    if len(named) != 1:
        raise StoryError(f"{where}: {item!r} is none of {', '.join(_STEPS)}")
    [name] = named
    kind = _STEPS[name]
    known = [field.name for field in fields(kind)]
    given = {key: value for key, value in options.items() if key != name}
    if options[name] is not None and known:
        given[known[0]] = options[name]
    if unknown := given.keys() - set(known):
        raise StoryError(f"{where}: {name} has no {', '.join(sorted(map(str, unknown)))}; it has {', '.join(known)}")
    if missing := [field.name for field in fields(kind) if field.default is MISSING and field.name not in given]:
        raise StoryError(f"{where}: {name} needs {missing[0]}")
    if kind is Repeats:
        given["steps"] = _steps(given["steps"], where)
    try:
        return _typed(kind, given)
    except (TypeError, ValueError, re.error) as wrong:
        raise StoryError(f"{where}: {name}: {wrong}") from None


def _typed(kind: Any, given: Mapping[str, Any]) -> Step:
    """YAML reads `1` as a whole number and `12` as one too, where a time or the keys of a telephone are meant."""
    kinds = {field.name: field.type for field in fields(kind)}
    convert: dict[Any, Any] = {float: float, int: int, str: str}
    step: Step = kind(**{name: convert.get(kinds[name], lambda same: same)(value) for name, value in given.items()})
    return step
