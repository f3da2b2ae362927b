"""Text becomes pieces for the ear; how it arrives changes nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mind.sentences import FIRST_PIECE, FIRST_PIECE_LONGEST, FIRST_SENTENCE, PIECE_LONGEST, Sentences, clean


def pieces_of(*deltas: str) -> list[str]:
    sentences = Sentences()
    return [piece for delta in deltas for piece in sentences.add(delta)] + sentences.end()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("We open at nine, and close at five.", ["We open at nine, ", "and close at five."]),
        ("Sure. I can help you with that, just tell me.", ["Sure. ", "I can help you with that, ", "just tell me."]),
        (
            "No. Sorry. We are closed, I am afraid. Goodbye.",
            ["No. ", "Sorry. ", "We are closed, I am afraid. ", "Goodbye."],
        ),
        ("Oh, no, I am sorry, that is sold out.", ["Oh, no, I am sorry, ", "that is sold out."]),
        ("That is all for today. Goodbye.", ["That is all for today. ", "Goodbye."]),
        ("I can help with that—just tell me. OK?", ["I can help with that—", "just tell me. ", "OK?"]),
        ("We have it – the blue one.", ["We have it – the blue one."]),
        ("There are two kinds: red, and blue.", ["There are two kinds: ", "red, and blue."]),
        ("Yes", ["Yes"]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_first_a_clause_then_whole_sentences(text: str, pieces: list[str]) -> None:
    assert pieces_of(text) == pieces


def test_the_first_piece_is_given_as_soon_as_the_word_after_it_begins() -> None:
    sentences = Sentences()
    assert sentences.add("We open at nine,") == []  # might be 9,000
    assert sentences.add(" and") == ["We open at nine, "]


def test_a_long_first_sentence_without_a_comma_is_cut_at_a_word() -> None:
    first, rest = pieces_of(
        "this is a first sentence that goes on without any comma or other place to breathe in at all."
    )
    assert FIRST_PIECE_LONGEST <= len(first.rstrip()) < FIRST_PIECE_LONGEST + 12
    assert first.endswith(" ")
    assert rest.endswith("at all.")


def test_an_endless_later_sentence_is_cut_too() -> None:
    later = pieces_of("Here it is for you. " + "word " * 200)[1:]
    assert max(map(len, later)) <= PIECE_LONGEST + len("word ")


@pytest.mark.parametrize(
    "text",
    [
        "Please ask for Dr. Smith and Mrs. Jones tomorrow.",
        "It costs $4.50 or 3.5 percent of it today.",
        "We sell fruit, e.g. apples and pears.",
        "It opens at 9 a.m. every day of the week.",
        "You want no. 5 of the list.",
        "Ask for J. Smith at the front desk.",
        "Bring keys etc. when you come here.",
        "Let me think... yes we have it.",
    ],
)
def test_an_abbreviation_ends_no_sentence(text: str) -> None:
    later = pieces_of("This one comes first. " + text)[1:]
    assert later == [text]


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("It opens at 9 a.m. The shop is small.", "The shop is small."),
        ("We say no. It is closed.", "It is closed."),
        ('He says "We are open." Please come.', "Please come."),
        ("Is it so? Yes it is.", "Yes it is."),
        ("I made a cake by Acme Inc. Nobody ate it.", "Nobody ate it."),
    ],
)
def test_but_a_sentence_may_end_in_one(text: str, second: str) -> None:
    assert pieces_of("This one comes first. " + text)[2:] == [second]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("**Note:** we *really* open at `nine`.", "Note: we really open at nine."),
        ("See [our page](https://www.example.com/a?x=1#y).", "See our page."),
        ("Go to https://www.example.com/shop/?utm=1&b=2, please.", "Go to example.com/shop, please."),
        ("Or www.example.org.", "Or example.org."),
        ("Write to mailto:me@example.org now.", "Write to me@example.org now."),
        ("Great! 😀👍🏽 See you", "Great! See you"),
        ("We offer:\n- Monday\n- Tuesday 😀\n* Friday.", "We offer: Monday. Tuesday. Friday."),
        ("Steps\n1. Call\n2) Wait", "Steps. 1, Call. 2, Wait"),
        ("## Hours\n\nNine to five.", "Hours. Nine to five."),
        ("a | b\n|---|---|\n| c | d |", "a b. c d "),
        ("It is 5*3 and snake_case.", "It is 5*3 and snake_case."),
        ("Paris [1] is big[2].", "Paris is big."),
        ("line one<br>\nline two", "line one. line two"),
        ("It is minus -5 degrees.", "It is minus -5 degrees."),
    ],
)
def test_what_is_only_for_the_eye_is_not_spoken(text: str, spoken: str) -> None:
    assert clean(text) == spoken


def test_scripts_without_spaces_are_cut_at_their_own_stops() -> None:
    assert pieces_of("你好，今天我能帮您做些什么呢？请告诉我您的名字。") == [
        "你好，今天我能帮您做些什么呢？",
        "请告诉我您的名字。",
    ]


def test_text_after_an_end_does_not_stick_to_what_was_said() -> None:
    sentences = Sentences()
    assert sentences.add("Let me check.") + sentences.end() == ["Let me check."]
    assert sentences.add("Done.") + sentences.end() == [" Done."]
    assert sentences.add("Is there anything else?") + sentences.end() == [" Is there anything else?"]


_SCRAPS = [
    "Sure,",
    "I",
    "we",
    "the",
    "open",
    "at",
    "nine.",
    "a.m.",
    "Dr.",
    "$4.50",
    "3.5",
    "—",
    "–",
    "-",
    "*",
    "**",
    "**b**",
    "`c`",
    "😀",
    "👍🏽",
    "1.",
    "#",
    "\n",
    "\n\n",
    "...",
    "…",
    "e.g.",
    "no.",
    "5",
    "U.S.",
    "https://www.example.com/a?b=c,",
    "[link](https://x.org)",
    "word?",
    "word!",
    "你好，请。",
    "_x_",
    "|",
    "|---|",
    "(",
    ")",
    "'",
    ":",
    ";",
    '"',
]
_TEXTS = st.lists(st.sampled_from(_SCRAPS), max_size=60).map(" ".join)


@given(_TEXTS, st.data())
def test_the_same_pieces_however_the_text_arrives(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    deltas = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    pieces = pieces_of(*deltas)
    assert pieces == pieces_of(text) == pieces_of(*text)
    assert "".join(pieces) == clean(text)


@given(_TEXTS)
def test_every_piece_says_something_and_joins_the_next(text: str) -> None:
    pieces = pieces_of(text)
    assert all(piece.strip() for piece in pieces)
    assert all(re.search(r"[ —，。]$", piece) for piece in pieces[:-1])
    if len(pieces) > 1:
        first = pieces[0].strip()
        assert len(first) >= FIRST_PIECE or (len(first) >= FIRST_SENTENCE and first[-1] in ".?!…。\"'")


@given(st.text(max_size=80))
def test_plain_words_are_never_lost(text: str) -> None:
    words = re.findall(r"\b[a-z]{2,}\b", "".join(letter for letter in text if letter.isalnum() or letter == " "))
    assert re.findall(r"\b[a-z]{2,}\b", clean(" ".join(words))) == words
