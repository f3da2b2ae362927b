"""Every tale in virtual time: a minute of talk takes a fraction of a second, and always goes the same way."""

import pytest

from ops.lab.profile import PUBLISHED
from tests.stories.evidence import expect_honesty
from tests.stories.stage import play
from tests.stories.tale import Tale
from tests.stories.tales import TALES

EARS = ("nova-3", "flux-general-en")


@pytest.mark.parametrize("ears", EARS)
@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.name)
def test_the_call_goes_as_the_tale_says(tale: Tale, ears: str) -> None:
    tale.expect(play(tale, ears=ears))


@pytest.mark.parametrize("ears", EARS)
@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.name)
def test_the_call_keeps_its_promises_with_vendors_as_slow_as_they_say(tale: Tale, ears: str) -> None:
    expect_honesty(play(tale, ears=ears, profile=PUBLISHED))
