"""What each stage of an answer took, from its moments."""

from dataclasses import dataclass

import pytest

from app.report.stages import DEFINITIONS, GAP, MOMENTS, stages


@dataclass
class Turn:
    heard_end: float | None = None
    transcript: float | None = None
    turn_end: float | None = None
    think_first: float | None = None
    clause_first: float | None = None
    voice_first: float | None = None
    sent_first: float | None = None
    vendor_seconds: float | None = None
    own_seconds: float | None = None
    tool_seconds: float | None = None


def test_every_stage_lies_between_its_moments() -> None:
    found = stages(Turn(10.0, 10.1, 10.3, 10.6, 10.7, 10.82, 10.83, 0.82, 0.01, 0.2))
    assert found == pytest.approx(
        {
            GAP: 0.83,
            "transcript": 0.1,
            "endpointing": 0.3,
            "first token": 0.3,
            "first clause": 0.1,
            "first voice": 0.12,
            "send": 0.01,
            "vendors": 0.82,
            "own share": 0.01,
            "tools": 0.2,
        }
    )
    assert list(found) == list(DEFINITIONS)[:1] + [stage for stage in DEFINITIONS if stage != GAP]


def test_what_was_ready_before_it_was_wanted_took_no_time() -> None:
    worked_ahead = stages(Turn(heard_end=10.0, turn_end=10.5, think_first=10.2, voice_first=10.4, sent_first=10.51))
    assert worked_ahead["first token"] == 0.0
    assert worked_ahead["send"] == pytest.approx(0.01)
    assert worked_ahead[GAP] == pytest.approx(0.51)


def test_a_stage_without_its_moments_is_no_stage_of_zero() -> None:
    assert stages(Turn(heard_end=10.0)) == {}


def test_the_moments_are_the_fields_of_a_turn() -> None:
    assert set(MOMENTS) == set(vars(Turn()))
