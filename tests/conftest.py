"""What tests ask for by name: databases and a Redis, real ones, fresh for each test."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import settings
from redis import Redis
from sqlalchemy import make_url

from app.store.database import Database
from app.store.migrate import migrate
from tests import servers, side_by_side

# Tales are judged outside of the test's own file; what they say when they fail is to be as plain as there.
pytest.register_assert_rewrite("tests.stories.evidence", "tests.stories.tale", "tests.stories.tales")

OFFLINE_EARS = ("ears/test_offline.py", "ears/test_offline_recognisers.py", "ears/test_offline_worker.py")

# The recogniser has no wheel for some Pythons, and a fresh machine has no compiler: there it is said, and left out.
HAS_OFFLINE_EARS = find_spec("pocketsphinx") is not None
collect_ignore = [] if HAS_OFFLINE_EARS else ["stories/test_offline.py", *OFFLINE_EARS]

# The same examples in every run, so that none fails for whom it does not concern; to look for new ones:
# make test ARGS=--hypothesis-profile=explore
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")

KINDS = ("sqlite", "postgresql")

_count = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with servers.redis() as url:
        yield url


async def _administer(server: str, *commands: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        for command in commands:
            await connection.execute(command)
    finally:
        await connection.close()


def _fresh_name() -> str:
    return f"patchcord_test_{os.getpid()}_{next(_count)}"


def _database_on(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The name of a database with all tables and no rows: copying it is ten times as fast as migrating."""
    name = _fresh_name()
    asyncio.run(_administer(postgres_server, f"CREATE DATABASE {name}"))
    asyncio.run(migrate(_database_on(postgres_server, name)))
    yield name
    asyncio.run(_administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "all-tables.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest_asyncio.fixture
async def postgres_url(postgres_server: str, postgres_template: str) -> AsyncIterator[str]:
    """A PostgreSQL database with all tables."""
    name = _fresh_name()
    await _administer(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield _database_on(postgres_server, name)
    await _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An SQLite database with all tables."""
    shutil.copy(sqlite_template, tmp_path / "patchcord.db")
    return f"sqlite:///{tmp_path / 'patchcord.db'}"


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with all tables, of each kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest_asyncio.fixture
async def postgres_bare_url(postgres_server: str) -> AsyncIterator[str]:
    name = _fresh_name()
    await _administer(postgres_server, f"CREATE DATABASE {name}")
    yield _database_on(postgres_server, name)
    await _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=KINDS)
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    url: str = request.getfixturevalue("postgres_bare_url")
    return url


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with all tables, of each kind in turn."""
    database = Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """An empty Redis."""
    with Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


def pytest_report_header() -> str:
    return "" if HAS_OFFLINE_EARS else "offline ears are left out: pocketsphinx is not installed, see pyproject.toml"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of several processes
        items.sort(key=side_by_side.place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return side_by_side.processes(os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.Dealt:
    config.option.loadscopereorder = False
    return side_by_side.Dealt(config, log)
