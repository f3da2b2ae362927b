"""Arguments that do not fit are told so in words."""

from typing import Any

import pytest

from app.tools.schema import faults

SCHEMA = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "enum": ["monday", "tuesday"]},
        "people": {"type": "integer", "minimum": 1, "maximum": 8},
        "code": {"type": "string", "pattern": "^[A-Z]{2}$", "minLength": 2, "maxLength": 4},
        "notes": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "who": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "price": {"type": ["number", "null"]},
        "agreed": {"const": True},
    },
    "required": ["day"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "fitting",
    [
        {"day": "monday"},
        {"day": "tuesday", "people": 8, "code": "AB", "notes": ["a"], "who": {"name": "Ann"}, "price": 3.5},
        {"day": "monday", "people": 2.0, "price": None, "agreed": True},
    ],
)
def test_what_fits_has_no_fault(fitting: dict[str, Any]) -> None:
    assert list(faults(SCHEMA, fitting)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "day is missing."),
        ({"day": 1}, "day must be string, not 1."),
        ({"day": "friday"}, "day must be one of 'monday', 'tuesday', not 'friday'."),
        ({"day": "monday", "people": 0}, "people must be at least 1."),
        ({"day": "monday", "people": 9}, "people must be at most 8."),
        ({"day": "monday", "people": True}, "people must be integer, not True."),
        ({"day": "monday", "people": 1.5}, "people must be integer, not 1.5."),
        ({"day": "monday", "code": "ab"}, "code must look like ^[A-Z]{2}$, not 'ab'."),
        ({"day": "monday", "notes": []}, "notes must have at least 1 items."),
        ({"day": "monday", "notes": ["a", "b", "c"]}, "notes must have at most 2 items."),
        ({"day": "monday", "notes": ["a", 2]}, "notes[1] must be string, not 2."),
        ({"day": "monday", "who": {}}, "who.name is missing."),
        ({"day": "monday", "price": "3"}, "price must be number or null, not '3'."),
        ({"day": "monday", "agreed": False}, "agreed must be True."),
        ({"day": "monday", "dya": 1}, "dya is not known; known are day, people, code, notes, who, price, agreed."),
        ([], "the arguments must be object, not []."),
    ],
)
def test_what_does_not_fit_is_said(wrong: object, said: str) -> None:
    assert list(faults(SCHEMA, wrong)) == [said]


def test_lengths_of_text_are_held() -> None:
    schema = {"minLength": 2, "maxLength": 3}
    assert list(faults(schema, "a", "name")) == ["name must have at least 2 letters."]
    assert list(faults(schema, "abcd", "name")) == ["name must have at most 3 letters."]


def test_further_names_may_have_a_schema_of_their_own() -> None:
    assert list(faults({"additionalProperties": {"type": "string"}}, {"a": 1})) == ["a must be string, not 1."]


def test_an_open_schema_takes_anything() -> None:
    assert list(faults({}, {"a": [1, {"b": None}]})) == []
    assert list(faults({"type": "something_new"}, 5)) == []
