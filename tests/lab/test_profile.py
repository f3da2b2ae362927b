"""Timings are drawn as published, and faults hit whom they say."""

from random import Random
from statistics import quantiles

import pytest

from ops.lab.profile import PUBLISHED, REFERENCE, Fault, Faults, Spread


def test_the_reference_never_varies() -> None:
    assert {REFERENCE.first_token.draw(Random(seed)) for seed in range(9)} == {0.3}


def test_what_is_drawn_has_the_published_median_and_tail() -> None:
    chance = Random(1)
    cuts = quantiles((PUBLISHED.first_token.draw(chance) for _ in range(20_000)), n=100)
    assert cuts[49] == pytest.approx(0.637, rel=0.03)
    assert cuts[94] == pytest.approx(1.615, rel=0.05)


def test_one_seed_gives_one_run() -> None:
    assert [Spread(1, 2).draw(Random(4)) for _ in range(3)] == [Spread(1, 2).draw(Random(4)) for _ in range(3)]


def test_a_fault_hits_as_often_as_it_says() -> None:
    faults = Faults()
    faults.add(Fault("deepgram", "mute", times=2))
    assert faults.next("anthropic") is None
    assert [faults.next("deepgram") is not None for _ in range(4)] == [True, True, False, False]


def test_a_fault_hits_the_calls_that_it_names() -> None:
    faults = Faults()
    faults.add(Fault("anthropic", "slow", times=None, for_calls=(2, 4)))
    assert [faults.next("anthropic") is not None for _ in range(5)] == [False, True, False, True, False]
    faults.clear()
    assert faults.next("anthropic") is None


@pytest.mark.parametrize("given", [{"vendor": "acme", "kind": "mute"}, {"vendor": "twilio", "kind": "error"}])
def test_a_fault_that_makes_no_sense_is_not_read(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a fault needs"):
        Fault.read(given)
