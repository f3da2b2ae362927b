"""Whether a tool's arguments fit its JSON schema, said in words that the mind can act on.

It checks what people write in tool schemas: types, required and unknown names, enums, lengths, ranges, patterns, items.
Keywords beyond these are left to whoever runs the tool, so a schema never forbids more than it says.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (Mapping,),
    "null": (type(None),),
}


def faults(schema: Mapping[str, Any], value: Any, where: str = "") -> Iterator[str]:
    """Every way in which `value` does not fit, each in one sentence; nothing when it fits."""
    name = where or "the arguments"
    if "type" in schema and not _is_a(schema["type"], value):
        yield f"{name} must be {_said(schema['type'])}, not {value!r}."
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{name} must be one of {', '.join(map(repr, schema['enum']))}, not {value!r}."
    if "const" in schema and value != schema["const"]:
        yield f"{name} must be {schema['const']!r}."
    if isinstance(value, str):
        yield from _faults_of_text(schema, value, name)
    elif isinstance(value, Mapping):
        yield from _faults_of_object(schema, value, where)
    elif isinstance(value, list | tuple):
        yield from _faults_of_list(schema, value, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _faults_of_number(schema, value, name)


def _is_a(kinds: str | list[str], value: Any) -> bool:
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind == "integer" and isinstance(value, float) and value.is_integer():
            return True  # JSON knows no difference between 2 and 2.0
        if isinstance(value, bool) and kind in ("integer", "number"):
            continue
        if kind not in _TYPES or isinstance(value, _TYPES[kind]):
            return True
    return False


def _said(kinds: str | list[str]) -> str:
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


def _faults_of_text(schema: Mapping[str, Any], value: str, name: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{name} must have at least {schema['minLength']} letters."
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{name} must have at most {schema['maxLength']} letters."
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{name} must look like {schema['pattern']}, not {value!r}."


def _faults_of_number(schema: Mapping[str, Any], value: float, name: str) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield f"{name} must be at least {schema['minimum']}."
    if value > schema.get("maximum", value):
        yield f"{name} must be at most {schema['maximum']}."


def _faults_of_list(schema: Mapping[str, Any], value: list[Any] | tuple[Any, ...], name: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{name} must have at least {schema['minItems']} items."
    if len(value) > schema.get("maxItems", len(value)):
        yield f"{name} must have at most {schema['maxItems']} items."
    if isinstance(items := schema.get("items"), Mapping):
        for number, item in enumerate(value):
            yield from faults(items, item, f"{name}[{number}]")


def _faults_of_object(schema: Mapping[str, Any], value: Mapping[str, Any], where: str) -> Iterator[str]:
    prefix = f"{where}." if where else ""
    known = schema.get("properties", {})
    for required in schema.get("required", ()):
        if required not in value:
            yield f"{prefix}{required} is missing."
    extra = schema.get("additionalProperties", True)
    for key, inner in value.items():
        if isinstance(known.get(key), Mapping):
            yield from faults(known[key], inner, f"{prefix}{key}")
        elif isinstance(extra, Mapping):
            yield from faults(extra, inner, f"{prefix}{key}")
        elif not extra and key not in known:
            yield f"{prefix}{key} is not known; known are {', '.join(known) or 'none'}."
