"""What `make demo` shows to somebody who has just fetched it: a call that is held aloud, and a server that stays."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from ops import demo
from tests.diary import booked
from tests.servers import free_port

PATIENCE = 150.0  # the call itself takes 45 s


@asynccontextmanager
async def shown(folder: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The demo in this folder, in a shell that has keys of vendors and an address of somebody's server."""
    foreign = {"DEEPGRAM_API_KEY": "not for the demo", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "MAX_CALLS": "5"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.demo", *options),
        cwd=folder,
        env={**os.environ, **foreign, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def printed(process: asyncio.subprocess.Process, until: str = "") -> str:
    """What it prints up to a line that holds this, or to its end."""
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(PATIENCE):
        while line := (await process.stdout.readline()).decode():
            text += line
            if until and until in line:
                break
    return text


async def test_a_call_is_held_aloud_and_the_server_stays_until_somebody_has_talked_to_it(tmp_path: Path) -> None:
    async with shown(tmp_path) as process:
        text = await printed(process, until="to talk yourself; Ctrl-C ends it")
        assert "hears, thinks and speaks by itself" in text
        assert "We are open" in text
        assert "✂ cut off here" in text
        assert "barge-in: " in text
        assert "agent  You are booked for Monday, " in text
        assert "agent  Goodbye." in text
        assert "all of it  0.000000" in text
        assert "unknown" not in text
        assert "✓ The call went as it should." in text
        assert "✓ In the diary: Robert Wilson, Monday, " in text
        slots = await booked(tmp_path / demo.FOLDER, "+15005550100")
        assert [(slot.weekday(), f"{slot:%H:%M}") for slot in slots] == [(0, "10:30")]

        page = text.rpartition("Open ")[2].split()[0]
        async with httpx.AsyncClient() as client:
            assert "Ready to call." in (await client.get(page)).text
        process.send_signal(signal.SIGINT)
        assert "Goodbye." in await printed(process)
        assert await process.wait() == 0
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient() as client:
                await client.get(page)
    assert "Traceback" not in text
    assert "Traceback" not in (tmp_path / "var/demo/server.log").read_text()


async def test_the_lab_plays_the_vendors_when_it_is_asked_to(tmp_path: Path) -> None:
    async with shown(tmp_path, "--lab", "--once") as process:
        text = await printed(process)
        assert await process.wait() == 0, text
    assert "the lab plays Deepgram, Claude and ElevenLabs" in text
    assert "caller  Sorry, are you open on Sundays?" in text
    assert "elevenlabs  eleven_flash_v2_5" in text
    assert "✓ The call went as it should." in text


# --- what can go wrong ------------------------------------------------------------------------------------------------


class Played:
    """The demo without a server: what it would have done."""

    def __init__(self, *, well: bool) -> None:
        self.well = well
        self.lab: list[bool] = []

    @contextmanager
    def house(self, console: Console, port: int, *, lab: bool) -> Iterator[tuple[str, Any]]:
        self.lab.append(lab)
        yield f"http://127.0.0.1:{port}", None

    def call(self, console: Console, address: str, *, lab: bool) -> bool:
        self.lab.append(lab)
        return self.well


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    before = signal.getsignal(signal.SIGTERM)
    play = Played(well=True)
    monkeypatch.setattr(demo, "_house", play.house)
    monkeypatch.setattr(demo, "_call", play.call)
    monkeypatch.setattr(sys, "argv", ["demo", "--once"])
    yield play
    signal.signal(signal.SIGTERM, before)


def test_where_the_machine_cannot_hear_the_lab_plays_the_vendors(
    played: Played, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "cannot_work", lambda settings: "This machine lacks [ears].")
    assert demo.main() == 0
    assert played.lab == [True, True]
    assert capsys.readouterr().out == (
        "This machine lacks [ears]. Until then the lab plays the vendors.\n"
        "A server, and one call on it that takes about a minute:\n"
    )


def test_a_call_that_did_not_go_as_it_should_is_the_exit_code(played: Played) -> None:
    played.well = False
    assert demo.main() == 1
    assert played.lab == [False, False]


def test_a_call_that_nobody_answers_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    console = Console(file=StringIO(), width=200)
    assert not demo._call(console, f"http://127.0.0.1:{free_port()}", lab=True)
    assert isinstance(console.file, StringIO)
    assert "✗ The call did not go as it should: " in console.file.getvalue()


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    demo.FOLDER.mkdir(parents=True)
    (demo.FOLDER / "server.log").write_text("patchcord: PORT is taken\n")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead, pytest.raises(SystemExit, match="PORT is taken"):
        demo._await(f"http://127.0.0.1:{free_port()}/readyz", dead)


def test_whoever_ends_the_demo_ends_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    demo.FOLDER.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wait = f"import socket; socket.create_connection({listening.getsockname()!r}).recv(1)"
        with demo._process([sys.executable, "-c", wait], os.environ, "server") as server:
            listening.settimeout(20)
            connection, _ = listening.accept()
        assert server.returncode == -signal.SIGTERM
        connection.close()
    with pytest.raises(SystemExit):
        demo._end()
