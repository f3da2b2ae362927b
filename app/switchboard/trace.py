"""A call written down as it happens: every event, every alarm, every action, each with its moment.

One line of JSON each, appended at once, so that a killed process leaves all but its last breath behind. Sound is
written as its length only. `replay` runs a trace through the core again and says where it would do otherwise now.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, Protocol, Union, get_args, get_origin, get_type_hints

from app.audio import RATE, Clip, silence
from app.call import actions, events
from app.call.actions import Message, Said, Used
from app.call.agent import Agent
from app.call.call import Call
from app.call.masking import masked_data, masked_fields, shape_of
from app.errors import SettingsError
from app.switchboard.ports import CallFacts

_KINDS: dict[str, type] = {
    name: kind
    for module in (events, actions)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and is_dataclass(kind)
}
_TICK = "tick"
_CALL = "call"
_END = "end"
FORMAT = 1
WRITTEN = "written"  # the folder beside the traces where those lie that have become rows
_FIRST_LINE_SECONDS = (
    10.0  # between making the file and locking it lies less than a millisecond, on a loaded machine more
)
_FELT = 0.0005  # of waiting in our inbox; less is not worth a word in every line

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # `dumps` would make one for each line


class Trace(Protocol):
    """Where the lines of one call go. Writing never waits and never fails a call."""

    def write(self, lines: str) -> None: ...
    def close(self) -> None: ...


class FileTrace:
    """A trace on disk: one file a call. The page cache outlives a killed process, so nothing is buffered here.

    The file is locked as long as its process lives: whoever can lock it knows that nobody will write it any more.
    """

    def __init__(self, folder: Path, sid: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{sid}.jsonl"
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.failed = ""

    def write(self, lines: str) -> None:
        try:
            os.write(self._file, lines.encode())
        except OSError as error:  # a full disk loses the account, not the call
            self.failed = str(error)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def open_trace(folder: Path, sid: str) -> FileTrace:
    """The next trace of this call: its first one, or one more beside those of streams that broke."""
    part = 1
    while True:
        name = sid if part == 1 else f"{sid}.{part}"
        part += 1
        if (folder / WRITTEN / f"{name}.jsonl").exists():
            continue
        try:
            return FileTrace(folder, name)
        except FileExistsError:
            continue


def is_being_written(path: Path) -> bool:
    """Does a living process hold this trace, or is one just about to? One that has been put away nobody writes."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        told = os.fstat(file)
        if told.st_size == 0 and time.time() - told.st_mtime < _FIRST_LINE_SECONDS:
            return True
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


# --- writing ------------------------------------------------------------------------------------------------------


_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})


def plain(value: Any) -> Any:
    """A value as JSON knows it."""
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is Clip:
        return value.samples
    if kind is tuple or kind is list:
        return [plain(item) for item in value]
    if kind is frozenset or kind is set:
        return sorted(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    assert is_dataclass(value), f"{value!r} cannot be written into a trace"
    told = {"is": kind.__name__}
    for name in _names(kind):
        item = getattr(value, name)
        told[name] = item if type(item) in _AS_THEY_ARE else plain(item)
    return told


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def line(moment: float, thing: object, waited: float = 0.0) -> str:
    """One line. `waited`: how long an event had to wait for us before it was heard; told where it can be felt."""
    late = {"waited": round(waited, 4)} if waited >= _FELT else {}
    told = masked_fields(type(thing).__name__, plain(thing))
    return _as_json({"t": moment, **told, **late}) + "\n"


def tick_line(moment: float) -> str:
    return f'{{"t":{moment},"is":"{_TICK}"}}\n'


def head_line(head: "Head") -> str:
    told = {"t": head.moment, "is": _CALL, "format": FORMAT, "wall": head.wall, "facts": plain(head.facts)}
    about = {"agent": plain(head.agent), "version": head.version, "memory": masked_data(plain(head.memory))}
    return json.dumps({**told, **about}, ensure_ascii=False) + "\n"


def end_line(moment: float, reason: str, fault: str) -> str:
    return json.dumps({"t": moment, "is": _END, "reason": reason, "fault": fault}) + "\n"


# --- reading ------------------------------------------------------------------------------------------------------


def restored(kind: Any, value: Any) -> Any:
    """The opposite of `plain`: a value of this type from what JSON gave."""
    return None if value is None else _restorer(kind)(value)


@cache
def _restorer(kind: Any) -> Callable[[Any], Any]:
    """How a value of this type is restored. To work it out takes ten times as long as to do it."""
    if kind is Clip:
        return _silent
    if is_dataclass(kind) and isinstance(kind, type):
        return _restorer_of_dataclass(kind)
    origin, inside = get_origin(kind), get_args(kind)
    if origin is tuple:
        return lambda value: tuple(restored(inside[0], item) for item in value)
    if origin is frozenset:
        return frozenset
    if origin in (UnionType, Union):
        return _restorer_of_union({getattr(one, "__name__", ""): one for one in inside})
    if kind is float:
        return float
    return lambda value: dict(value) if isinstance(value, dict) else value


def _restorer_of_dataclass(kind: type) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)

    def restore(value: Any) -> Any:
        return kind(**{name: restored(hints[name], item) for name, item in value.items() if name in hints})

    return restore


def _restorer_of_union(kinds: Mapping[Any, Any]) -> Callable[[Any], Any]:
    """What is no dataclass, such as a text or nothing, stands as it is."""

    def restore(value: Any) -> Any:
        kind = kinds.get(value.get("is")) if isinstance(value, dict) else None
        return restored(kind, value) if kind is not None else value

    return restore


@lru_cache(256)
def _silent(samples: int) -> Clip:
    return Clip.of(silence(samples / RATE))


def messages_from(value: Any) -> tuple[Message, ...]:
    return tuple(restored(Said | Used, item) for item in value)


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a trace: who called whom, and which agent answered."""

    moment: float
    wall: str
    facts: CallFacts
    agent: Agent
    version: int
    memory: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an event or an action, or None where an alarm had come."""

    moment: float
    thing: Any
    waited: float = 0.0


@dataclass(slots=True)
class Recorded:
    head: Head
    entries: list[Entry]
    end: tuple[float, str, str] | None = None
    """When it ended, why and by whose fault; None if the process that wrote it was killed."""


def read(path: Path) -> Recorded:
    """A trace from its file. A last line that was cut off by a killed process is left out."""
    rows = list(_rows(path))
    if not rows or rows[0].get("is") != _CALL:
        raise SettingsError(f"{path} is no trace of a call: its first line must be the one that names the call.")
    head = rows[0]
    if head["format"] != FORMAT:
        raise SettingsError(f"{path} was written in format {head['format']}; this version reads format {FORMAT}.")
    recorded = Recorded(
        Head(
            head["t"],
            head["wall"],
            restored(CallFacts, head["facts"]),
            restored(Agent, head["agent"]),
            head["version"],
            messages_from(head["memory"]),
        ),
        [],
    )
    for row in rows[1:]:
        if row["is"] == _END:
            recorded.end = (row["t"], row["reason"], row["fault"])
        elif row["is"] == _TICK:
            recorded.entries.append(Entry(row["t"], None))
        else:
            recorded.entries.append(Entry(row["t"], restored(_KINDS[row["is"]], row), row.get("waited", 0.0)))
    return recorded


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for number, text in enumerate(lines, 1):
            if text.endswith(b"\n"):
                yield _row(text, f"{path} is no trace of a call: line {number} cannot be read.")


def _row(text: bytes, otherwise: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError:
        raise SettingsError(otherwise) from None
    if not isinstance(row, dict) or row.get("is") not in {_CALL, _END, _TICK, *_KINDS}:
        raise SettingsError(otherwise)
    return row


# --- again --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the core does something else than it did when the trace was written."""

    moment: float
    happened: str
    then: tuple[str, ...]
    now: tuple[str, ...]


def replay(recorded: Recorded, watch: Callable[[float, Any], None] = lambda moment, thing: None) -> list[Difference]:
    """Run the trace through the core again. No difference means: the same call would go the same way."""
    call = Call(recorded.head.agent, recorded.head.moment, recorded.head.memory)
    differences = []
    for moment, cause, did in _steps(recorded.entries):
        asked = call.tick(moment) if cause is None else call.receive(cause, moment)
        watch(moment, cause)
        for action in asked:
            watch(moment, action)
        # A masked number has the shape of the real one, and no more can be compared.
        then, now = ([shape_of(plain(action)) for action in actions] for actions in (did, asked))
        if then != now:
            happened = "an alarm" if cause is None else repr(cause)
            shown = tuple(repr(action) for action in did), tuple(repr(action) for action in asked)
            differences.append(Difference(moment, happened, *shown))
    return differences


def _steps(entries: list[Entry]) -> Iterator[tuple[float, Any, list[Any]]]:
    """Each cause with the actions that followed from it."""
    moment, cause, did, begun = 0.0, None, list[Any](), False
    for entry in entries:
        if isinstance(entry.thing, actions.ACTIONS):
            did.append(entry.thing)
            continue
        if begun:
            yield moment, cause, did
        moment, cause, did, begun = entry.moment, entry.thing, [], True
    if begun:
        yield moment, cause, did
