"""Percentiles by nearest rank, exact or out of a histogram."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.report.percentiles import RATIO, Percentiles, bucket, middle, percentiles, percentiles_of_histogram

durations = st.lists(st.floats(0.0001, 60), min_size=1, max_size=300)


def test_of_a_hundred_values_each_percentile_is_the_value_of_its_number() -> None:
    assert percentiles(range(100, 0, -1)) == Percentiles(100, 50, 90, 95, 99)


def test_of_twenty_values_the_95th_is_the_nineteenth() -> None:
    assert percentiles(range(1, 21)) == Percentiles(20, 10, 18, 19, 20)


def test_of_one_value_all_are_that_value_and_of_none_there_are_none() -> None:
    assert percentiles([0.7]) == Percentiles(1, 0.7, 0.7, 0.7, 0.7)
    assert percentiles([]) == percentiles_of_histogram({}) == Percentiles(0)


@given(durations)
def test_a_percentile_is_a_value_that_occurred_and_so_many_do_not_exceed_it(values: list[float]) -> None:
    found = percentiles(values)
    for rank, value in ((50, found.p50), (90, found.p90), (95, found.p95), (99, found.p99)):
        assert value in values
        assert sum(each <= (value or 0) for each in values) * 100 >= rank * len(values)
        assert sum(each < (value or 0) for each in values) * 100 < rank * len(values)


@given(durations)
def test_a_histogram_is_within_one_per_cent_of_the_values(values: list[float]) -> None:
    exact, kept = percentiles(values), percentiles_of_histogram(Counter(map(bucket, values)))
    assert kept.n == exact.n
    for ours, true in ((kept.p50, exact.p50), (kept.p95, exact.p95), (kept.p99, exact.p99)):
        assert ours == pytest.approx(true, rel=0.01 + 1e-9)


@given(st.integers(0, 1000))
def test_the_middle_of_a_bucket_lies_in_it(number: int) -> None:
    assert bucket(middle(number)) == number
    assert bucket(middle(number) * RATIO) == number + 1


def test_what_took_no_time_lies_in_the_first_bucket() -> None:
    assert bucket(0.0) == bucket(-1.0) == 0
