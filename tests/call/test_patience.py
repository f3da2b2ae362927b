"""What the words say about their end. How it sounds in a call is played by `make turns`."""

import pytest

from app.call.agent import Patience
from app.call.patience import more_patience

PATIENCE = Patience()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("How can I help?", "She has"),
        ("How can I help?", "My daughter had"),
        ("How can I help?", "I would like to"),
        ("How can I help?", "We come on Monday and"),
        ("How can I help?", "It was yesterday,"),
    ],
)
def test_a_sentence_without_its_end_is_waited_for(asked: str, answer: str) -> None:
    assert more_patience(asked, answer, PATIENCE) == PATIENCE.unfinished_more


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Has she been here before?", "She has."),
        ("How can I help?", "Yes, we have."),
        ("How can I help?", "What do you have?"),
        ("How can I help?", "Who is it with?"),
        ("How can I help?", "That's it, thank you."),
        ("How can I help?", ""),
    ],
)
def test_a_whole_answer_is_not(asked: str, answer: str) -> None:
    assert more_patience(asked, answer, PATIENCE) == 0.0


def test_numbers_come_in_groups_when_they_were_asked_for() -> None:
    assert more_patience("What is your phone number?", "Four four, double", PATIENCE) == PATIENCE.digits_more
    assert more_patience("How many of you?", "Four", PATIENCE) == 0.0


def test_who_thinks_aloud_has_not_begun() -> None:
    assert more_patience("Which day?", "Um, let me see", PATIENCE) == PATIENCE.thinking_more
