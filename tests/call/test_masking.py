"""What nobody may keep is not kept, and what somebody needs is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.call.agent import Patience
from app.call.masking import masked, masked_data, masked_fields, masked_piece, shape
from app.call.patience import more_patience

CARDS = {
    "4111 1111 1111 1111": "xxxx xxxx xxxx 1111",
    "4111-1111-1111-1111.": "xxxx-xxxx-xxxx-1111.",
    "My card is 4111111111111111, thanks.": "My card is xxxxxxxxxxxx1111, thanks.",
    "3782 822463 10005": "xxxx xxxxxx x0005",
    "It is 4222222222222": "It is xxxxxxxxx2222",
    "6304 0000 0000 0000 000": "xxxx xxxx xxxx xxx0 000",
    "4111, 1111, uh, 1111, and 1111": "xxxx, xxxx, uh, xxxx, and 1111",
    "four one one one one one one one one one one one one one one one": "x x x x x x x x x x x x one one one one",
    "Four one one one, one one one one. One one one one, 1111": "x x x x, x x x x. x x x x, 1111",
}


@pytest.mark.parametrize(("said", "kept"), CARDS.items())
def test_a_cards_number_keeps_its_last_four_digits(said: str, kept: str) -> None:
    assert masked(said) == kept


@pytest.mark.parametrize(
    "said",
    ["123-45-6789", "123 45 6789", "my number is 123456789", "one two three four five six seven eight nine"],
)
def test_a_social_security_number_keeps_nothing(said: str) -> None:
    kept = masked(said)
    assert not any(digit.isdigit() for digit in kept)
    assert "nine" not in kept
    assert len(kept.split()) == len(said.split())


def test_nine_digits_are_social_security_when_somebody_says_so() -> None:
    assert masked("My social is 123 456 789.") == "My social is xxx xxx xxx."


@pytest.mark.parametrize(
    "said",
    [
        "Call me at +1 415 555 0100.",
        "Meu número é 912 345 678.",
        "+44 20 7946 0958",
        "It was 2026-11-21, at 10:30, for 1,250.00 dollars.",
        "one of the two doors, at nine or ten",
        "Order 12345678",
        "toolu_4111111111111111",
        "CA41111111111111111111111111111111ff",
        "the ex of x, and xx",
        "",
    ],
)
def test_other_numbers_stay(said: str) -> None:
    assert masked(said) == said


def test_a_part_of_a_number_is_hidden_when_somebody_speaks_of_a_card() -> None:
    assert masked("My card is 4111 1111") == "My card is xxxx xxxx"
    assert masked("I have 2 cards and 1 debit card, since 2 or 3 years") == (
        "I have 2 cards and 1 debit card, since 2 or 3 years"
    )


def test_the_date_and_the_code_behind_a_cards_number_go_with_it() -> None:
    assert masked("4111 1111 1111 1111 12 27 123") == "xxxx xxxx xxxx xxxx xx xx xxx"
    assert masked("4111 1111 1111 1111 123") == "xxxx xxxx xxxx xxxx xxx"


@pytest.mark.parametrize("said", [*CARDS, "123-45-6789", "4111 1111 1111 1111 12 27 123"])
def test_masking_twice_is_masking_once(said: str) -> None:
    assert masked(masked(said)) == masked(said)


def test_pieces_keep_no_group_of_a_cards_number() -> None:
    assert masked_piece("my card is 4111") == "my card is xxxx"
    assert masked_piece("4111 1111 11") == "xxxx xxxx xx"
    assert masked_piece("four one one one") == "x x x x"
    assert masked_piece("at 930, for two") == "at 930, for two"


def test_words_of_a_voice_are_masked_across_one_another() -> None:
    words = [{"text": text, "start": 0.0, "end": 0.1} for text in "It ends in one one one one .".split()]
    told = masked_fields("Voiced", {"question": 1, "clip": 800, "words": words})
    assert [word["text"] for word in told["words"]] == "It ends in x x x x .".split()
    assert told["question"] == 1


def test_keys_are_masked_one_by_one() -> None:
    assert masked_fields("Digit", {"key": "4"}) == {"key": "x"}
    assert masked_fields("Digit", {"key": "#"}) == {"key": "#"}


def test_arguments_of_tools_are_masked_at_any_depth_and_names_are_not() -> None:
    wanted = {
        "is": "ToolsWanted",
        "calls": [{"id": "4111111111111111", "arguments": {"card": 4111111111111111, "n": 2}}],
    }
    assert masked_fields("ToolsWanted", wanted) == {
        "is": "ToolsWanted",
        "calls": [{"id": "4111111111111111", "arguments": {"card": "xxxxxxxxxxxx1111", "n": 2}}],
    }
    assert masked_data([{"text": "4111 1111 1111 1111"}, True, None, 1.5]) == [
        {"text": "xxxx xxxx xxxx 1111"},
        True,
        None,
        1.5,
    ]


words = st.sampled_from("four one oh 4111 1111 11 x xx uh, and - . hello nine twenty double 123-45-6789".split())


@given(st.lists(words, max_size=30).map(" ".join))
def test_any_text_keeps_its_words_and_its_shape(said: str) -> None:
    for kept in (masked(said), masked_piece(said)):
        assert len(kept.split()) == len(said.split())
        assert shape(kept) == shape(said)


@given(st.text(alphabet="0123456789 -", min_size=13, max_size=40))
def test_no_card_of_digits_survives(said: str) -> None:
    kept = masked(said)
    if sum(map(str.isdigit, said)) >= 13:
        assert sum(map(str.isdigit, kept)) <= 4


@given(st.text(max_size=60))
def test_whatever_is_said_can_be_masked(said: str) -> None:
    assert len(masked(said)) <= len(said)


def test_the_core_waits_for_the_rest_of_a_masked_number_as_for_a_real_one() -> None:
    patience = Patience()
    for answer in ("4111 1111", "xxxx xxxx"):
        assert more_patience("What is your card number?", answer, patience) == patience.digits_more
