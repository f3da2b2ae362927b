"""The file of `patchcord apply`: YAML text into agents and numbers, or into every fault in it with its line.

Pure: who opened the file and what becomes of the agents is not known here.
"""

from collections.abc import Hashable, Mapping

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from app.errors import SettingsError
from app.store.roster_form import Fault, Path, Roster, nearest, read_form

DEEPEST = 40  # deeper than any roster; reached only by an alias that contains itself


class RosterFaults(SettingsError):
    """The file is wrong. `sentences` has one for each fault, in the order of its lines; so has the text."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def read_roster(text: str, file: str) -> Roster:
    """The roster that the text describes; `file` is its name in the sentences of `RosterFaults`."""
    sheet = _Sheet()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RosterFaults((f"{file}, line {_line_of(error)}: this is not YAML: {_problem(error)}",)) from None
    data = sheet.plain(root, ()) if root is not None else {}
    roster, faults = read_form(Roster, data)
    faults = [*sheet.faults, *faults, *_between_entries(data)]
    if not faults and roster is not None and (roster.agents or roster.numbers):
        return roster
    faults = faults or [Fault((), "there is nothing in this file; it needs the keys agents and numbers")]
    told = sorted({(sheet.line(fault.path), f"{_place(fault.path, data)}{fault.what}") for fault in faults})
    raise RosterFaults(tuple(f"{file}, line {line}: {what}" for line, what in told))


# --- YAML with its lines ------------------------------------------------------------------------------------------


class _Sheet:
    """Plain data out of YAML's nodes, and the line where each piece of it stands."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._lines: dict[Path, int] = {}

    def line(self, path: Path) -> int:
        """The line of this piece, or of the nearest one around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def plain(self, node: yaml.Node, path: Path) -> object:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > DEEPEST:
            self.faults.append(Fault(path, "this lies too deep; an alias must not contain itself"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(inner, (*path, place)) for place, inner in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        read: dict[str, object] = {}
        for key_node, inner in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            here = (*path, key)
            if key in read:
                first, again = self._lines[here], key_node.start_mark.line + 1
                self._lines[(*here, "again")] = again
                self.faults.append(Fault((*here, "again"), f"stands here a second time, first in line {first}"))
                continue
            self._lines[here] = key_node.start_mark.line + 1
            read[key] = self.plain(inner, here)
        return read

    def _scalar(self, node: yaml.Node, path: Path) -> object:
        if node.tag == "tag:yaml.org,2002:int" and node.value.startswith("+"):
            return str(node.value)  # a telephone number without its quotes
        try:
            value: object = SafeConstructor().construct_object(node)
        except (ConstructorError, ValueError):
            self.faults.append(Fault(path, f"{node.value!r} cannot be understood; put it in quotes"))
            return ""
        return value


def _line_of(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return mark.line + 1 if mark is not None else 1


def _problem(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem}; look at the quotes, the colons and the indentation"


# --- what is wrong between entries ----------------------------------------------------------------------------------


def _entries(data: object, key: str) -> list[Mapping[str, object]]:
    listed = data.get(key) if isinstance(data, Mapping) else None
    return [entry if isinstance(entry, Mapping) else {} for entry in listed] if isinstance(listed, list) else []


def _between_entries(data: object) -> list[Fault]:
    """Looks at the data as written, so that a fault inside an agent does not hide one of its number."""
    agents, numbers = _entries(data, "agents"), _entries(data, "numbers")
    faults = _twice(agents, "agents", "name") + _twice(numbers, "numbers", "number")
    names = {name for agent in agents if isinstance(name := agent.get("name"), str)}
    for place, number in enumerate(numbers):
        agent = number.get("agent")
        if isinstance(agent, str) and agent not in names:
            hint = nearest(agent, names) if names else "there is no agent in this file"
            faults.append(Fault(("numbers", place, "agent"), f"is {agent!r}, which this file does not define; {hint}"))
    return faults


def _twice(entries: list[Mapping[str, object]], key: str, field: str) -> list[Fault]:
    seen: set[Hashable] = set()
    faults = []
    for place, entry in enumerate(entries):
        value = entry.get(field)
        if isinstance(value, str) and value in seen:
            faults.append(Fault((key, place, field), f"is {value!r} a second time; keep one of the two"))
        if isinstance(value, str):
            seen.add(value)
    return faults


def _place(path: Path, data: object) -> str:
    """The piece in people's words: `agent 'reception', patience.cover `."""
    if not path:
        return ""
    path = path[:-1] if path[-1] == "again" else path
    lists = {"agents": ("agent", "name"), "numbers": ("number", "number")}
    if len(path) == 1 or path[0] not in lists or not isinstance(path[1], int):
        return f"{path[0]} "
    noun, field = lists[str(path[0])]
    name = _entries(data, str(path[0]))[path[1]].get(field)
    owner = f"{noun} {name!r}" if isinstance(name, str) and name else f"{noun} {path[1] + 1}"
    inner = "".join(f".{step}" if isinstance(step, str) else f"[{step + 1}]" for step in path[2:]).lstrip(".")
    return f"{owner}, {inner} " if inner else f"{owner} "
