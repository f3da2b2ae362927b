"""The same tales over real sockets: the server's own process, the vendors' SDKs, the lab's vendors and its caller.

They are told all at once, since calls do not touch each other; each is judged by itself.
"""

import asyncio
from collections.abc import Callable

import pytest

from tests.stories import tales
from tests.stories.whole_house import Part, Told, cast, tell

NOVA, FLUX = "nova-3", "flux-general-en"
PARTS = cast(
    [
        (tales.THREE_TURNS, NOVA),
        (tales.THREE_TURNS, FLUX),
        (tales.BARGE_IN, NOVA),
        (tales.BARGE_IN, FLUX),
        (tales.BACKCHANNEL, NOVA),
        (tales.COUGH, FLUX),
        (tales.SILENCE, NOVA),
        (tales.DIGITS_IN_GROUPS, NOVA),
        (tales.KEYS, FLUX),
        (tales.TOOLS, NOVA),
        (tales.TRANSFER, FLUX),
        (tales.DISCLOSURE, NOVA),
        (tales.SLOW_MIND, NOVA),
        (tales.TOO_SLOW_MIND, FLUX),
        (tales.FAILING_MIND, NOVA),
        (tales.CALLER_LEAVES, NOVA),
        (tales.BROKEN_LINE, NOVA),
        (tales.BROKEN_LINE, FLUX),
    ]
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return asyncio.run(tell(PARTS, tmp_path_factory.mktemp("house")))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_the_call_goes_as_the_tale_says(told: Told, part: Part, record_property: Callable[[str, object], None]) -> None:
    evidence = told.evidence[part.name]
    for turn in evidence.caller.turns:
        record_property("gap", turn.gap)
        record_property("barge-in", turn.barge_in)
    part.tale.expect(evidence)


def test_all_accounts_together_are_what_the_vendors_will_bill(told: Told) -> None:
    def billed(vendor: str, *units: str) -> float:
        return float(sum(evidence.billed(vendor, unit) for evidence in told.evidence.values() for unit in units))

    deepgram, anthropic, elevenlabs = (told.counts[vendor] for vendor in ("deepgram", "anthropic", "elevenlabs"))
    assert billed("deepgram", "second") == pytest.approx(deepgram["socket_seconds"], rel=0.01)
    assert billed("elevenlabs", "character") == elevenlabs["characters"]
    # What a request comes to that was cancelled before it was answered is a guess. All the rest is exact.
    prompts = sum(anthropic[f"{kind}input_tokens"] for kind in ("", "cache_creation_", "cache_read_"))
    read = ("input_token", "cache_write_5m_token", "cache_read_token")
    guessed = float(sum(evidence.guessed("anthropic", unit) for evidence in told.evidence.values() for unit in read))
    assert prompts - (billed("anthropic", *read) - guessed) == pytest.approx(guessed, rel=0.35)
    assert billed("anthropic", "output_token") == pytest.approx(anthropic["output_tokens"], rel=0.05)


def test_the_server_ends_well_and_without_a_complaint(told: Told) -> None:
    assert told.exit_code == 0
    assert "ERROR" not in told.log
    assert "Traceback" not in told.log
