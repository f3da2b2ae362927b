"""Tales are judged outside of the test's own file; what they say when they fail is to be as plain as there."""

import pytest

pytest.register_assert_rewrite("tests.stories.evidence", "tests.stories.tale", "tests.stories.tales")
