"""How the tests are dealt out when several processes run them side by side (`make test`).

Test by test, so that nobody is left with a long file at the end; only what shares an expensive start stays together.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

# These hold calls at the pace of speech, one after the other: they wait more than they compute, so they begin first,
# beside each other, and whatever only computes fills the rest. The longest come first.
AT_THE_PACE_OF_SPEECH = (
    "tests/test_demo.py",
    "tests/stories/test_over_sockets.py",
    "tests/test_ledger_end_to_end.py",
    "tests/browser",
    "tests/test_processes.py",
    "tests/lab/test_bench.py",
    "tests/test_main.py",
    "tests/lab/test_carrier.py",
    "tests/lab/test_people.py",
    "tests/lab/test_load.py",
    "tests/lab/test_turns.py",
)

# Many calls are played at once, and all tests of the file look at what is left of them.
PLAYED_ONCE = ("tests/stories/test_over_sockets.py", "tests/test_ledger_end_to_end.py")


def place(item: pytest.Item) -> int:
    """Where a test stands in the order, among all that have the same place in the order in which they were found."""
    places = (place for place, first in enumerate(AT_THE_PACE_OF_SPEECH) if item.nodeid.startswith(first))
    return next(places, len(AT_THE_PACE_OF_SPEECH))


def processes(cores: int) -> int:
    """How many pay: two a core, since much of what is tested waits; each brings servers of its own."""
    return max(2, min(8, 2 * cores))


class Dealt(LoadScopeScheduling):  # type: ignore[misc]  # no types in this package
    """The next test, or file that is played once, to whoever has nothing left to do."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in PLAYED_ONCE else nodeid
