"""The agent is disturbed at any moment of its speech: no word is lost, and none comes twice."""

import pytest

from ops.lab.story import Coughs, Hears, Mutters, Says, Step, TalksOver, Waits
from tests.stories.stage import play
from tests.stories.tale import SAID_GOODBYE, Tale
from tests.stories.tales import GOODBYE, ON_ITS_BEGINNING, expect_the_whole_beginning

EARS = ("nova-3", "flux-general-en")
MOMENTS = [0.397 * n for n in range(16)]


def disturbed(after: float, sound: Step) -> Tale:
    return Tale(
        f"a sound after {after:.3f} s",
        (
            Hears("How can I help"),
            Says("How did it begin?"),
            Hears("Our"),
            Waits(after),
            sound,
            Hears("bicycle", within=20.0),
            *GOODBYE,
        ),
        rules=(ON_ITS_BEGINNING,),
        turns=("how did it begin", "thank you goodbye"),
        ends=SAID_GOODBYE,
        check=expect_the_whole_beginning,
    )


@pytest.mark.parametrize("ears", EARS)
@pytest.mark.parametrize("sound", [Coughs(), Mutters("mhm")], ids=["a cough", "mhm"])
def test_a_sound_at_any_moment_costs_no_word(sound: Step, ears: str) -> None:
    for moment in MOMENTS:
        tale = disturbed(moment, sound)
        tale.expect(play(tale, ears=ears))


@pytest.mark.parametrize("ears", EARS)
def test_an_interruption_at_any_moment_leaves_in_the_memory_what_was_heard(ears: str) -> None:
    for moment in MOMENTS:
        tale = Tale(
            f"an interruption after {moment:.3f} s",
            (
                Hears("How can I help"),
                Says("How did it begin?"),
                Hears("Our"),
                TalksOver("Sorry, are you open on Sundays?", after=moment),
                Hears("closed on Sundays"),
                *GOODBYE,
            ),
            rules=(ON_ITS_BEGINNING,),
            turns=("how did it begin", "sorry are you open on sundays", "thank you goodbye"),
            ends=SAID_GOODBYE,
        )
        told = play(tale, ears=ears)
        tale.expect(told)
        (over,) = [turn for turn in told.caller.turns if turn.over]
        assert over.barge_in is not None
        assert over.barge_in <= 0.1
