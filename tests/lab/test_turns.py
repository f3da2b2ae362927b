"""The battery of turn-taking: its recipes sound as they read, and the agent does not become worse at them."""

import pytest

from app.audio import to_linear
from app.call.events import SpeechStarted
from app.ears.detector import Detector
from ops.lab.speech import Reader, silence
from ops.lab.turns import Case, battery
from ops.lab.turns_sounds import RecipeError, at_level, mixed, moments, sound_of, wordless
from ops.turns import EARS, verdict

# How many of the cases are judged right, on each kind of ears. These numbers may only grow.
RIGHT = {"nova-3": 152, "flux-general-en": 152}


def words(sound: bytes) -> list[str]:
    return [word.text for word in Reader().feed(sound + silence(0.1))]


def peak(sound: bytes) -> int:
    linear = to_linear(sound)
    return max(abs(int.from_bytes(linear[n : n + 2], "little", signed=True)) for n in range(0, len(linear), 2))


def onsets(sound: bytes) -> int:
    detector, padded = Detector(), silence(1.0) + sound + silence(1.0)
    told = [detector.frame(padded[start : start + 160]) for start in range(0, len(padded) - 159, 160)]
    return sum(isinstance(event, SpeechStarted) for event in told)


def test_a_recipe_is_speech_and_quiet() -> None:
    sound = sound_of("When are you | 0.5 | open?")
    assert words(sound) == ["When", "are", "you", "open?"]
    (first, last) = moments("When are you | 0.5 | open?")
    assert last[0] - first[1] == pytest.approx(0.5)
    assert len(sound) / 8000 == pytest.approx(last[1])


@pytest.mark.parametrize("recipe", ["(cough)", "(door)", "(click)", "(bark)", "(side 1.0)", "(hiss 1.0 400)"])
def test_a_sound_in_brackets_has_no_words(recipe: str) -> None:
    assert words(sound_of(recipe)) == []
    assert peak(sound_of(recipe)) > 500


@pytest.mark.parametrize(("recipe", "times"), [("(cough)", 1), ("(door)", 1), ("(click)", 0), ("(side 1.0)", 1)])
def test_a_detector_takes_coughs_and_doors_for_voices_and_clicks_for_nothing(recipe: str, times: int) -> None:
    assert onsets(sound_of(recipe)) == times


def test_a_microphone_loses_no_word_and_adds_none() -> None:
    voice, other = sound_of("When are you open?"), wordless(sound_of("on Sundays and on Mondays too"), -10)
    assert words(mixed(voice, other[: len(voice)])) == ["When", "are", "you", "open?"]
    assert words(mixed(silence(len(other) / 8000), other)) == []


def test_a_softer_voice_says_the_same() -> None:
    voice = sound_of("When are you open?")
    assert words(at_level(voice, -20)) == words(voice)
    assert peak(at_level(voice, -20)) == pytest.approx(peak(voice) / 10, rel=0.05)


@pytest.mark.parametrize(("wrong", "why"), [("(trumpet)", "is no sound"), ("(side a)", "in brackets stands")])
def test_a_recipe_that_cannot_be_cooked_says_why(wrong: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        Case("x", "y", wrong, "answer")


def test_a_case_expects_something_that_can_be_judged() -> None:
    with pytest.raises(RecipeError, match="nobody can expect"):
        Case("x", "y", "yes", "applause")


def test_the_battery_is_large_and_every_case_has_its_own_name() -> None:
    cases = battery()
    assert len(cases) >= 60
    assert len({(case.kind, case.name) for case in cases}) == len(cases)
    assert {case.noise for case in cases} >= {0.0, 100.0, 400.0, 1200.0}
    assert {case.echo for case in cases} >= {None, -30.0, -25.0, -20.0}


@pytest.mark.parametrize("ears", EARS)
def test_the_agent_takes_turns_no_worse_than_before(ears: str) -> None:
    verdicts = [verdict(case, ears) for case in battery()]
    wrong = [f"{one.case.kind}: {one.case.name}: {one.wrong}" for one in verdicts if one.wrong]
    assert len(verdicts) - len(wrong) >= RIGHT[ears], "\n".join(wrong)
