"""Grammars are read, searched with and spoken from."""

import re
from random import Random

import pytest

from app.errors import SettingsError
from app.mind.offline_grammar import Grammar
from app.mind.offline_meaning import grammar, source

SMALL = """#JSGF V1.0;
grammar small;
// A comment.
public <said> = [please] (call | ring) <who>+ | /0/ never;
<who> = a. {A} | twenty first {21} | twenty {20};
"""


def test_an_expression_finds_the_longest_alternative() -> None:
    finder = re.compile(Grammar(SMALL).expression("said"))
    assert finder.match("ring twenty first a ")[0] == "ring twenty first a "  # type: ignore[index]
    assert finder.search("cancel that ") is None


def test_the_meaning_of_an_alternative_is_its_tag() -> None:
    assert Grammar(SMALL).meanings("who") == {"a": "A", "twenty first": "21", "twenty": "20"}


def test_examples_are_what_the_rule_allows_and_as_often_as_it_says() -> None:
    small, chance = Grammar(SMALL), Random(1)
    examples = {small.example("said", chance) for _ in range(300)}
    assert "never" not in examples
    assert "please call a." in examples
    assert all(re.fullmatch(small.expression("said"), f"{example.replace('.', '')} ") for example in examples)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("<a> = (b;", "lacks a '\\)'"),
        ("<a> = b ];", "']' too many"),
        ("<a> = b | ;", "an alternative without a word"),
        ("a = b;", "no rule of a grammar: 'a = b;'"),
    ],
)
def test_what_is_no_grammar_is_told(rule: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        Grammar(rule)


def test_the_clinics_grammar_has_all_the_rules_that_it_names() -> None:
    named = set(re.findall(r"<(\w+)>", source()))
    assert all(grammar().expression(rule) for rule in named)
    assert "appointment" in grammar().words()
