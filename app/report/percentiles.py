"""Percentiles, always four of them with n, never a mean alone.

By nearest rank: a percentile is a value that really occurred, the smallest that at least so many of the values do not
exceed. Of a histogram it is the middle of the bucket in which that value lies, so within one part in a hundred of it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RANKS = (50, 90, 95, 99)

# Buckets grow by two per cent: the middle of one is within one per cent of all that is in it. The first begins at a
# tenth of a millisecond; nothing that a person could hear is shorter.
RATIO = 1.02
FIRST = 0.0001
GROWTH = math.log(RATIO)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of n values. None of nothing."""

    n: int
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


def percentiles(values: Iterable[float]) -> Percentiles:
    """Exact ones, of the values themselves."""
    ordered = sorted(values)
    if not ordered:
        return Percentiles(0)
    return Percentiles(len(ordered), *(ordered[_rank(rank, len(ordered)) - 1] for rank in RANKS))


def percentiles_of_histogram(counts: Mapping[int, int]) -> Percentiles:
    """Of how many values lay in each bucket; within one per cent of the exact ones."""
    n = sum(counts.values())
    if n <= 0:
        return Percentiles(0)
    return Percentiles(n, *(middle(_bucket_of_rank(counts, _rank(rank, n))) for rank in RANKS))


def bucket(seconds: float) -> int:
    """The bucket that a duration lies in."""
    return math.floor(math.log(max(seconds, FIRST) / FIRST) / GROWTH)


def middle(number: int) -> float:
    """The duration that stands for all in this bucket, in seconds."""
    return FIRST * math.exp((number + 0.5) * GROWTH)


def _rank(rank: int, n: int) -> int:
    return -(-rank * n // 100)  # in whole numbers, so that 0.95 times 20 is 19 and no hair more


def _bucket_of_rank(counts: Mapping[int, int], rank: int) -> int:
    below = 0
    for number in sorted(counts):
        below += counts[number]
        if below >= rank:
            return number
    raise AssertionError("a rank lies beyond n")
