"""Plain data (of a YAML file, a JSON body, a row) into the frozen words of the core and back, field by field.

The dataclasses themselves are the form: a new field of `Agent` can be written at once. No file and no row is read.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from app.call.agent import Agent, HttpTool, Interruption, Patience, Phrases

Form = TypeVar("Form")
Path = tuple[str | int, ...]

EARS = ("nova-3", "flux-general-en", "flux-general-multi")
WORK_AHEAD = ("off", "careful", "eager")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OUR_TOOLS = frozenset({"end_call", "transfer", "press_keys", "take_message", "opt_out", "schedule_callback"})

E164 = re.compile(r"\+[1-9]\d{6,14}")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what Claude accepts as the name of a tool
LONGEST_NAME = 120
LONGEST_TOOL = 60.0  # a caller who hears nothing but music for a minute has gone
DEEPEST = 20  # no JSON schema of a tool is deeper; a list that contains itself is


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number of ours, and the name of the agent that answers it."""

    number: str
    agent: str
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """Who answers what."""

    agents: tuple[Agent, ...] = ()
    numbers: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where in the data, and a sentence that says how to mend it."""

    path: Path
    what: str


class Faulty:
    """Stands where a value could not be read; its fault is on the list."""


FAULTY = Faulty()


def read_form(kind: type[Form], data: object) -> tuple[Form | None, list[Fault]]:
    """The value that `data` describes, or every fault in it. What people write is read with this."""
    reading = _Reading(strict=True)
    value = reading.value(kind, data, ())
    return (value if isinstance(value, kind) and not reading.faults else None), reading.faults


def restore(kind: type[Form], data: object) -> Form:
    """The value that `form_data` was made of. Keys that a newer release has written there are left out."""
    reading = _Reading(strict=False)
    value = reading.value(kind, data, ())
    assert isinstance(value, kind), f"a stored {kind.__name__} cannot be read: {reading.faults}"
    return value


def form_data(value: Any) -> Any:
    """Plain data, ready for JSON, from which `restore` makes an equal value."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: form_data(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: form_data(inner) for key, inner in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [form_data(inner) for inner in value]
    return value


def nearest(word: str, known: Iterable[str]) -> str:
    """A half-sentence that names what was probably meant, or what there is to choose from."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


# --- what a single value must be --------------------------------------------------------------------------------------

Check = Callable[[Any], str]
"""Nothing, or what is wrong with the value and how to mend it."""


def _filled(value: str) -> str:
    return "" if value.strip() else "is empty; write what is to be said there"


def _all_filled(values: tuple[str, ...]) -> str:
    if not values:
        return "is an empty list; leave it out to have the usual phrases"
    return next((complaint for value in values if (complaint := _filled(value))), "")


def _name(value: str) -> str:
    if not value.strip():
        return "is empty; give the agent a name"
    return "" if len(value) <= LONGEST_NAME else f"is longer than {LONGEST_NAME} letters; choose a shorter name"


def _one_of(known: tuple[str, ...]) -> Check:
    return lambda value: "" if value in known else f"is {value!r}; {nearest(value, known)}"


def _positive(value: float) -> str:
    return "" if value > 0 else f"is {value}; write a number greater than zero"


def _phone_number(value: str) -> str:
    if E164.fullmatch(value):
        return ""
    bare = "+" + re.sub(r"\D", "", value)
    hint = f'write "{bare}"' if value.startswith("+") and E164.fullmatch(bare) else 'write it like "+15005550001"'
    return f"is {value!r}, which is no telephone number with its country code; {hint}"


def _phone_numbers(value: Mapping[str, str]) -> str:
    return next((f"for {name!r} {complaint}" for name, to in value.items() if (complaint := _phone_number(to))), "")


def _tool_name(value: str) -> str:
    if value in OUR_TOOLS:
        return f"is {value!r}, which every agent has already; choose another name"
    if TOOL_NAME.fullmatch(value):
        return ""
    return f"is {value!r}; use up to 64 letters, digits, '_' and '-', such as \"book_table\""


def _web_address(value: str) -> str:
    if re.match(r"https?://[^/\s]+", value):
        return ""
    return f"is {value!r}, which is no web address; begin it with https://"


def _object_schema(value: Mapping[str, Any]) -> str:
    return "" if value.get("type") == "object" else "must be a JSON schema with type: object at its top"


def _tool_timeout(value: float) -> str:
    return "" if 0 < value <= LONGEST_TOOL else f"is {value}; write seconds, more than 0 and at most {LONGEST_TOOL:.0f}"


CHECKS: dict[tuple[type, str], Check] = {
    (Number, "number"): _phone_number,
    (Agent, "name"): _name,
    **{(Agent, field): _filled for field in ("greeting", "prompt", "model", "fallback_model", "voice", "voice_model")},
    (Agent, "language"): _filled,
    (Agent, "ears"): _one_of(EARS),
    (Agent, "work_ahead"): _one_of(WORK_AHEAD),
    (Agent, "transfers"): _phone_numbers,
    (HttpTool, "name"): _tool_name,
    (HttpTool, "description"): _filled,
    (HttpTool, "url"): _web_address,
    (HttpTool, "method"): _one_of(METHODS),
    (HttpTool, "parameters"): _object_schema,
    (HttpTool, "timeout"): _tool_timeout,
    (Interruption, "words_needed"): _positive,
    **{(Patience, field.name): _positive for field in fields(Patience)},
    **{(Phrases, field.name): _filled for field in fields(Phrases)},
    (Phrases, "acknowledgements"): _all_filled,
    (Phrases, "still_there"): _all_filled,
}


def _ladder(patience: Patience) -> str:
    steps = (patience.prompt_first, patience.prompt_second, patience.prompt_goodbye)
    if steps == tuple(sorted(set(steps))):
        return ""
    return "must rise from prompt_first over prompt_second to prompt_goodbye: the silence grows from one to the next"


def _tool_names(agent: Agent) -> str:
    names = [tool.name for tool in agent.tools]
    twice = next((name for name in names if names.count(name) > 1), None)
    return f"has two tools called {twice!r}; the mind could not tell them apart" if twice else ""


WHOLE_CHECKS: dict[type, Check] = {Patience: _ladder, Agent: _tool_names}


# --- reading ----------------------------------------------------------------------------------------------------------


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


class _Reading:
    """One walk over the data. Strict: unknown keys and impossible values are faults, not only wrong types."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.faults: list[Fault] = []

    def value(self, kind: Any, data: object, path: Path) -> Any:
        if is_dataclass(kind) and isinstance(kind, type):
            return self.form(kind, data, path)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (tuple, frozenset):
            return self.several(origin, arguments[0], data, path)
        if origin is Mapping:
            return self.mapping(arguments[1], data, path)
        if kind is Any:
            return self.anything(data, path)
        return self.single(kind, data, path)

    def form(self, kind: type, data: object, path: Path) -> Any:
        if not isinstance(data, Mapping):
            return self.wrong(path, "must be keys with their values", data)
        known, read = {field.name: field for field in fields(kind)}, {}
        for key, inner in data.items():
            if key in known:
                read[key] = self.field(kind, key, inner, (*path, key))
            elif self.strict:
                self.complain((*path, key), f"is not known here; {nearest(str(key), known)}")
                read[key] = FAULTY
        for name, field in known.items():
            if name not in data and _required(field):
                self.complain(path, f"has no {name}; it needs one")
                read[name] = FAULTY
        if any(value is FAULTY for value in read.values()):
            return FAULTY
        whole = kind(**read)
        complaint = WHOLE_CHECKS[kind](whole) if self.strict and kind in WHOLE_CHECKS else ""
        return self.complain(path, complaint) if complaint else whole

    def field(self, kind: type, name: str, data: object, path: Path) -> Any:
        value = self.value(_hints(kind)[name], data, path)
        if value is FAULTY or not self.strict or (kind, name) not in CHECKS:
            return value
        complaint = CHECKS[kind, name](value)
        return self.complain(path, complaint) if complaint else value

    def several(self, make: type, kind: Any, data: object, path: Path) -> Any:
        if not isinstance(data, list | tuple):
            return self.wrong(path, "must be a list", data)
        read = [self.value(kind, inner, (*path, place)) for place, inner in enumerate(data)]
        return FAULTY if FAULTY in read else make(read)

    def mapping(self, kind: Any, data: object, path: Path) -> Any:
        if not isinstance(data, Mapping):
            return self.wrong(path, "must be keys with their values", data)
        read = {str(key): self.value(kind, inner, (*path, key)) for key, inner in data.items()}
        return FAULTY if any(value is FAULTY for value in read.values()) else read

    def anything(self, data: object, path: Path) -> Any:
        """Whatever JSON can carry."""
        if len(path) > DEEPEST and isinstance(data, Mapping | list | tuple):
            return self.complain(path, "lies too deep; a value must not contain itself")
        if isinstance(data, Mapping):
            return self.mapping(Any, data, path)
        if isinstance(data, list | tuple):
            read = [self.anything(inner, (*path, place)) for place, inner in enumerate(data)]
            return FAULTY if FAULTY in read else read
        if data is None or isinstance(data, str | bool | int | float):
            return data
        return self.wrong(path, "must be text, a number, true, false or null", data)

    def single(self, kind: type, data: object, path: Path) -> Any:
        if kind is str:
            return data if isinstance(data, str) else self.wrong(path, "must be text, in quotes", data)
        if kind is bool:
            return data if isinstance(data, bool) else self.wrong(path, "must be true or false", data)
        number = isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data)
        if kind is int:
            return data if number and isinstance(data, int) else self.wrong(path, "must be a whole number", data)
        assert kind is float, f"no way is known to read {kind}"
        return float(data) if number and isinstance(data, int | float) else self.wrong(path, "must be a number", data)

    def wrong(self, path: Path, must: str, data: object) -> Faulty:
        shown = "nothing" if data is None else f"{data!r:.60}" if isinstance(data, str | int | float) else _noun(data)
        return self.complain(path, f"{must}, not {shown}")

    def complain(self, path: Path, what: str) -> Faulty:
        self.faults.append(Fault(path, what))
        return FAULTY


def _noun(data: object) -> str:
    if isinstance(data, Mapping):
        return "keys with values"
    return "a list" if isinstance(data, list | tuple) else f"a {type(data).__name__}"
