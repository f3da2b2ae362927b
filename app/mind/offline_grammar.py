"""Grammars in JSGF, as far as we write them: read once, and used as expressions to find words with, and as examples.

A tag gives the meaning of the alternative that it ends. Pure; recursion is refused, because an expression has none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from app.errors import SettingsError

_COMMENT = re.compile(r"//[^\n]*|^#JSGF[^;]*;|^grammar [^;]*;", re.MULTILINE)
_RULE = re.compile(r"\s*(?:public )?<(\w+)> = ([^;]*);")
_TOKEN = re.compile(r"<\w+>|\{[^}]*\}|/[\d.]+/|[()\[\]|+]|[^\s<>{}()\[\]|+]+")


@dataclass(frozen=True, slots=True)
class Word:
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """One after another; an alternative, when it stands in a choice."""

    parts: tuple["Part", ...]
    tag: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[Row, ...]
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Many:
    part: "Part"


Part = Word | Rule | Row | Choice | Many


def bare(word: str) -> str:
    """A word as it stands in plain text: the dictionary of the ears writes letters with a point."""
    return word.rstrip(".")


class Grammar:
    """Rules by name. Every method takes the name of a rule."""

    def __init__(self, text: str) -> None:
        self._rules: dict[str, Choice] = {}
        body = _COMMENT.sub("", text)
        position = 0
        while found := _RULE.match(body, position):
            self._rules[found[1]] = _Reading(_TOKEN.findall(found[2]), found[1]).whole()
            position = found.end()
        if rest := body[position:].strip():
            raise SettingsError(f"This is no rule of a grammar: {rest.splitlines()[0]!r}")

    def expression(self, name: str) -> str:
        """A regular expression for text in which every word is followed by one space."""
        return self._expression(self._rules[name])

    def meanings(self, name: str) -> dict[str, str]:
        """Every phrase of a rule whose alternatives are plain words, with its tag, and without one with itself."""
        found = {}
        for option in self._rules[name].options:
            phrase = " ".join(bare(part.text) for part in option.parts if isinstance(part, Word))
            found[phrase] = option.tag or phrase
        return found

    def example(self, name: str, chance: Random) -> str:
        """Something that the rule allows, each alternative as often as its weight says."""
        return " ".join(self._example(self._rules[name], chance))

    def words(self) -> set[str]:
        """The whole vocabulary, as it is written here."""
        return {word for rule in self._rules.values() for word in self._words(rule)}

    def _expression(self, part: Part) -> str:
        match part:
            case Word(text):
                return re.escape(bare(text)) + " "
            case Rule(name):
                return self.expression(name)
            case Row(parts):
                return "".join(self._expression(each) for each in parts)
            case Many(repeated):
                return f"(?:{self._expression(repeated)})+"
            case Choice(options, needed):
                # The longest first: "twenty first" is not to be read as "twenty".
                every = sorted(map(self._expression, options), key=len, reverse=True)
                return f"(?:{'|'.join(every)}){'' if needed else '?'}"

    def _example(self, part: Part, chance: Random) -> Iterator[str]:
        match part:
            case Word(text):
                yield text
            case Rule(name):
                yield from self._example(self._rules[name], chance)
            case Row(parts):
                for each in parts:
                    yield from self._example(each, chance)
            case Many(repeated):
                for _ in range(chance.randint(1, 6)):
                    yield from self._example(repeated, chance)
            case Choice(options, needed):
                if needed or chance.random() < 0.5:
                    [chosen] = chance.choices(options, [option.weight for option in options])
                    yield from self._example(chosen, chance)

    def _words(self, part: Part) -> Iterator[str]:
        match part:
            case Word(text):
                yield text
            case Row(parts):
                for each in parts:
                    yield from self._words(each)
            case Many(repeated):
                yield from self._words(repeated)
            case Choice(options):
                for each in options:
                    yield from self._words(each)


class _Reading:
    """The body of one rule, token by token."""

    def __init__(self, tokens: list[str], rule: str) -> None:
        self._tokens = tokens
        self._rule = rule

    def whole(self) -> Choice:
        choice = self._choice(needed=True)
        if self._tokens:
            raise SettingsError(f"The rule <{self._rule}> has a {self._tokens[0]!r} too many")
        return choice

    def _choice(self, *, needed: bool) -> Choice:
        options = [self._row()]
        while self._tokens and self._tokens[0] == "|":
            self._tokens.pop(0)
            options.append(self._row())
        return Choice(tuple(options), needed)

    def _row(self) -> Row:
        parts: list[Part] = []
        tag, weight = "", 1.0
        while self._tokens and self._tokens[0] not in "|)]":
            token = self._tokens.pop(0)
            if token == "+":
                parts[-1] = Many(parts[-1])
            elif token[0] == "/":
                weight = float(token.strip("/"))
            elif token[0] == "{":
                tag = token[1:-1]
            elif token[0] == "<":
                parts.append(Rule(token[1:-1]))
            elif token in "([":
                parts.append(self._choice(needed=token == "("))
                self._close(")" if token == "(" else "]")
            else:
                parts.append(Word(token))
        if not parts:
            raise SettingsError(f"The rule <{self._rule}> has an alternative without a word")
        return Row(tuple(parts), tag, weight)

    def _close(self, bracket: str) -> None:
        if not self._tokens or self._tokens.pop(0) != bracket:
            raise SettingsError(f"The rule <{self._rule}> lacks a {bracket!r}")
