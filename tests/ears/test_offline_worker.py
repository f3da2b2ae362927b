"""What the process does with its letters, with the real decoders."""

import json
from pathlib import Path

from app.audio import RATE
from app.ears.offline_wire import Kind, Letter
from app.ears.offline_worker import AGREEMENT, AT_ONCE, Listener, agreement
from tests.ears.offline_stage import listener, spoken

PIECE = RATE // 10


def letters(utterance: int, text: str, line: str = "") -> list[Letter]:
    sound = spoken(text, before=0.3, after=0.14)
    pieces = [Letter(Kind.SOUND, utterance, sound[at : at + PIECE]) for at in range(0, len(sound), PIECE)]
    return [Letter(Kind.BEGIN, utterance, line.encode()), *pieces, Letter(Kind.FINISH, utterance)]


def answers(to: list[Letter], by: Listener | None = None) -> list[Letter]:
    asked = by or listener()
    return [answer for letter in to for answer in asked.take(letter)]


def settled(found: list[Letter]) -> dict[int, str]:
    return {letter.utterance: json.loads(letter.body)["text"] for letter in found if letter.kind is Kind.SETTLED}


def test_words_come_while_they_are_spoken_and_are_settled_at_the_end() -> None:
    *news, last = answers(letters(1, "i would like to book an appointment"))
    assert settled([last]) == {1: "i would like to book an appointment"}
    assert {letter.kind for letter in news} == {Kind.WORDS}
    assert news[-1].body == b"i would like to book an appointment"
    assert len(json.loads(last.body)["line"].split(",")) == 13


def test_what_is_not_in_the_grammar_has_not_been_heard() -> None:
    for text in ("my grandmother has a red bicycle", "please order two large pizzas with cheese"):
        found = answers(letters(1, text))
        assert settled(found) == {1: ""}, text


def test_silence_is_no_word() -> None:
    quiet = [Letter(Kind.BEGIN, 1), Letter(Kind.SOUND, 1, b"\xff" * RATE), Letter(Kind.FINISH, 1)]
    assert settled(answers(quiet)) == {1: ""}


def test_utterances_of_several_callers_are_kept_apart() -> None:
    one, other = letters(1, "cancel my appointment"), letters(2, "when are you open")
    longest = max(len(one), len(other))
    mixed = [letter for n in range(longest) for each in (one, other) for letter in each[n : n + 1]]
    assert settled(answers(mixed)) == {1: "cancel my appointment", 2: "when are you open"}


def test_who_comes_when_all_are_busy_waits_and_loses_nothing(tmp_path: Path) -> None:
    grammar = "#JSGF V1.0;\ngrammar g;\npublic <g> = cancel my appointment | when are you open;\n"
    small = Listener(grammar, ["cancel my appointment", "when are you open"] * 20, tmp_path)
    for number in range(AT_ONCE):
        assert answers([Letter(Kind.BEGIN, number)], small) == []
    assert answers(letters(50, "cancel my appointment"), small) == []
    assert answers([Letter(Kind.BEGIN, 51), Letter(Kind.FORGET, 51)], small) == []
    assert settled(answers([Letter(Kind.FORGET, 0)], small)) == {50: "cancel my appointment"}


def test_letters_about_what_was_forgotten_are_harmless() -> None:
    begin, *rest = letters(1, "goodbye")
    assert answers([begin, Letter(Kind.FORGET, 1), *rest]) == []
    assert settled(answers(letters(2, "goodbye"))) == {2: "goodbye"}


def test_agreement_is_about_letters() -> None:
    assert agreement("yes that's right", "yeah that right") >= AGREEMENT
    assert agreement("eleven o'clock", "how i'm it q. oh") < AGREEMENT
    assert agreement("", "") == 0.0
