"""Facts become lines; telephone minutes are rounded up, and what the rounding wastes is seen."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.call.events import Metered
from app.money.usage import line, lines, telephone, telephone_product


def minutes(**facts: float) -> list[tuple[str, str, str, str]]:
    told = telephone("inbound", "+14155550001", "+14155550009", **facts)  # type: ignore[arg-type]
    return [(fact.product, fact.unit, fact.quantity, fact.wasted) for fact in told]


def test_a_fact_becomes_a_line_to_the_last_digit() -> None:
    made = line(
        "7", Metered("deepgram", "nova-3", "second", "61.0200004", question=3, estimated=True, wasted="unheard")
    )
    assert (made.key, made.item, made.quantity) == ("7", ("deepgram", "nova-3", "second"), Decimal("61.020000"))
    assert (made.question, made.estimated, made.wasted) == (3, True, "unheard")


def test_nothing_used_is_no_line() -> None:
    assert lines([("1", Metered("anthropic", "m", "cache_read_token", "0"))]) == ()


@pytest.mark.parametrize("quantity", ["-1", "NaN", "Infinity"])
def test_an_impossible_quantity_is_a_bug(quantity: str) -> None:
    with pytest.raises(AssertionError):
        line("1", Metered("v", "p", "u", quantity))


def test_started_minutes_are_charged_and_the_rest_of_the_last_is_wasted() -> None:
    assert minutes(seconds=61, streamed=60) == [
        ("us-local", "inbound_minute", "1.016667", ""),
        ("us-local", "inbound_minute", "0.983333", "rounding"),
        ("media-streams", "stream_minute", "1.000000", ""),
    ]


def test_a_call_that_nobody_answered_costs_no_minute() -> None:
    assert minutes(seconds=0) == []


def test_recording_and_machine_detection_are_lines_of_their_own() -> None:
    told = telephone("outbound", "+14155550001", "+18005550009", seconds=30, recorded=30, machine_detection=True)
    assert [(fact.product, fact.unit) for fact in told if not fact.wasted] == [
        ("us-toll-free", "outbound_minute"),
        ("recording", "recording_minute"),
        ("amd", "amd_call"),
    ]


@given(st.floats(0.001, 100_000))
def test_the_parts_of_a_leg_are_whole_minutes_together(seconds: float) -> None:
    total = sum(Decimal(fact.quantity) for fact in telephone("inbound", "+14155550001", "", seconds=seconds))
    assert total == int(total)
    assert 0 <= total * 60 - Decimal(str(seconds)) < 60 or total == 0


@pytest.mark.parametrize(
    ("number", "product"),
    [
        ("+14155550001", "us-local"),
        ("+18885550001", "us-toll-free"),
        ("+14165550001", "+1416"),  # Toronto
        ("+17875550001", "+1787"),  # Puerto Rico
        ("+442071234567", "+4420"),
    ],
)
def test_a_number_outside_the_price_list_is_told_apart(number: str, product: str) -> None:
    assert telephone_product(number) == product
