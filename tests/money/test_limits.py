"""What a cap allows, when somebody is told, and which cap holds for whom."""

from datetime import date
from decimal import Decimal

import pytest

from app.errors import SettingsError
from app.money.limits import DEFAULTS, Cap, Use, caps_for, checked, occasion, verdict, with_defaults

DAY = date(2026, 11, 21)


def cap(amount: int, action: str = "pause", measure: str = "calls", period: str = "day", scope: str = "agent") -> Cap:
    return Cap(scope, "", period, measure, Decimal(amount), action)


def use(of: Cap, used: str) -> Use:
    return Use(of, "reception", Decimal(used))


def test_the_last_call_that_a_cap_allows_is_let_in_and_the_next_is_not() -> None:
    assert verdict([use(cap(500), "500")]).against is None
    against = verdict([use(cap(500), "501")]).against
    assert against is not None
    assert against.told() == "reception has used 501 of each agent: 500 calls a day"


def test_money_that_is_spent_is_spent() -> None:
    assert verdict([use(cap(20, measure="usd"), "19.999999")]).against is None
    assert verdict([use(cap(20, measure="usd"), "20")]).against is not None


def test_a_cap_that_only_warns_lets_in() -> None:
    found = verdict([use(cap(10, "warn"), "99")])
    assert found.against is None
    assert [told.level for told in found.told] == [100]


def test_what_stops_is_said_rather_than_what_pauses() -> None:
    found = verdict([use(cap(1), "5"), use(cap(1, "stop", "usd"), "5"), use(cap(1), "6")])
    assert found.against is not None
    assert found.against.cap.action == "stop"
    assert found.words == "This number does not take calls at the moment. Goodbye."


@pytest.mark.parametrize(
    ("used", "level"), [("49.99", 0), ("50", 50), ("79", 50), ("80", 80), ("100", 100), ("300", 100)]
)
def test_somebody_is_told_at_50_80_and_100_per_cent(used: str, level: int) -> None:
    found = verdict([use(cap(100, measure="usd"), used)])
    assert [told.level for told in found.told] == ([level] if level else [])


def test_a_caller_who_calls_often_is_told_of_only_when_he_is_refused() -> None:
    often = cap(30, period="minute", scope="caller")
    assert verdict([use(often, "29")]).told == ()
    assert len(verdict([use(often, "31")]).told) == 1


def test_a_subjects_own_cap_takes_the_place_of_everybodys() -> None:
    own = Cap("agent", "reception", "day", "calls", Decimal(5000), "warn")
    money = Cap("agent", "", "month", "usd", Decimal(100))
    caps = with_defaults([own, money])
    assert caps_for(caps, "agent", "reception") == [own, money]
    assert caps_for(caps, "agent", "sales") == [DEFAULTS[0], money]
    assert caps_for(caps, "number", "+1") == []


def test_an_operators_word_replaces_a_default() -> None:
    assert with_defaults([cap(9)])[0].cap == 9
    assert len(with_defaults([cap(9)])) == len(DEFAULTS)


def test_an_occasion_is_one_level_in_one_period() -> None:
    of_month = cap(100, measure="usd", period="month")
    assert occasion(use(of_month, "81"), DAY) == "budget:agent:reception:usd:month:2026-11:80"
    assert occasion(use(cap(100), "50"), DAY) == "budget:agent:reception:calls:day:2026-11-21:50"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (Cap("moon", "", "day", "calls", Decimal(1)), "choose one of account"),
        (Cap("caller", "", "minute", "usd", Decimal(1)), "choose one of calls"),
        (Cap("caller", "", "day", "calls", Decimal(1)), "choose one of minute, hour"),
        (Cap("agent", "", "day", "calls", Decimal(0)), "number above 0"),
        (Cap("agent", "", "day", "calls", Decimal("NaN")), "number above 0"),
    ],
)
def test_a_cap_without_sense_is_refused(wrong: Cap, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        checked(wrong)


def test_the_defaults_make_sense() -> None:
    assert [checked(each) for each in DEFAULTS] == list(DEFAULTS)
