"""What a call adds to the kept figures, and the difference to what it had added before."""

from decimal import Decimal

from app.store.rollups import Tally, tally
from app.store.tables import CallRow, TurnRow, UsageRow
from tests.store.ledgers import DAY, START

PLACE = (DAY, "reception", "", "+15005550001")
CALL = CallRow(agent="reception", campaign="", number="+15005550001", started_at=START, duration_seconds=60.0)


def used(quantity: int, cost: str | None, wasted: str = "") -> UsageRow:
    price = None if cost is None else Decimal(cost)
    return UsageRow(vendor="v", product="p", unit="u", quantity=Decimal(quantity), cost_usd=price, wasted=wasted)


def test_rows_of_one_item_are_one_sum_and_the_wasted_stand_apart() -> None:
    made = tally(CALL, [], [used(1, "0.1"), used(2, "0.2"), used(5, None), used(3, "0.3", "unheard")])
    assert made.calls == {PLACE: (1, 1, 60.0)}
    assert made.costs == {
        (*PLACE, "v", "p", "u", ""): (8, Decimal("0.3"), 1),
        (*PLACE, "v", "p", "u", "unheard"): (3, Decimal("0.3"), 0),
    }


def test_stages_of_equal_length_are_counted_together() -> None:
    turns = [TurnRow(heard_end=at, sent_first=at + 0.5) for at in (1.0, 2.0, 3.0)]
    assert list(tally(CALL, turns, []).latencies.values()) == [(3,)]


def test_the_same_again_is_no_difference() -> None:
    made = tally(CALL, [TurnRow(heard_end=1.0, sent_first=2.0)], [used(1, "0.1")])
    assert made.minus(made) == Tally()
    assert made.minus(Tally()) == made


def test_what_is_no_longer_so_is_taken_back() -> None:
    less = tally(CALL, [], []).minus(tally(CALL, [], [used(1, "0.1")]))
    assert less.costs == {(*PLACE, "v", "p", "u", ""): (-1, Decimal("-0.1"), 0)}
    assert less.calls == {}
