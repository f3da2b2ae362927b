"""One lab for all tests of a file, which begins each of them with a clean sheet."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ops.lab.vendors import Lab, vendors


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_lab() -> AsyncIterator[Lab]:
    async with vendors() as lab:
        yield lab


@pytest.fixture
def lab(one_lab: Lab) -> Lab:
    one_lab.reset()
    return one_lab
