"""Several servers on one port: they start, replace each other, and go together. Calls survive one of them."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from app import processes
from app.errors import SettingsError
from app.settings import Settings
from ops.lab.caller import Caller
from ops.lab.place import Target
from ops.lab.report import Report
from ops.lab.story import Ends, Hears, Says, Story, Waits
from ops.lab.vendors import vendors
from tests.servers import free_port

T = TypeVar("T")

PATCHCORD = Path(sys.executable).with_name("patchcord")
CLINIC = """
agents:
  - {name: reception, greeting: "Hello, this is the clinic.", prompt: "You answer the phone."}
numbers:
  - {number: "+15005550001", agent: reception}
"""
STORY = Story(
    "a process is killed in the middle",
    (
        Hears("clinic"),
        Says("When are you open?"),
        Hears("nine to five"),
        Waits(1.5),
        Hears("line dropped", within=15.0),
        Says("Thank you, goodbye."),
        Hears("goodbye", within=15.0),
        Ends(),
    ),
)


@pytest.mark.parametrize("count", [0, -2])
def test_no_processes_are_refused(count: int) -> None:
    with pytest.raises(SettingsError, match="is no number of processes"):
        processes.check(Settings.read({}), count)


def test_several_processes_need_a_store_that_they_share() -> None:
    with pytest.raises(SettingsError, match="Several processes need REDIS_URL"):
        processes.check(Settings.read({}), 2)
    processes.check(Settings.read({}), 1)
    processes.check(Settings.read({"REDIS_URL": "redis://127.0.0.1:6379/0"}), 2)


async def test_a_killed_process_does_not_end_a_call(redis_url: str, tmp_path: Path) -> None:
    async with vendors() as lab:
        port = free_port()
        async with _family(tmp_path, port, redis_url, lab.url) as (parent, address):
            async with asyncio.TaskGroup() as tasks:
                calling = tasks.create_task(_call(address))
                victim = await _at_last(lambda: _whose_call(tmp_path), "no call came so far")
                os.kill(victim, signal.SIGKILL)
            report = calling.result()
            assert not report.caller.failed, report.as_data()["transcript"]
            assert report.outcome.streams == 2
            alive = await _at_last(lambda: _pair(parent), "the dead process was not replaced")
            assert victim not in alive
    assert parent.returncode == 0


async def _call(address: str) -> Report:
    target = Target(address, auth_token="secret")
    async with target.carrier() as carrier:
        return await target.ring(carrier, Caller(STORY))


async def _at_last(look: Callable[[], T | None], otherwise: str) -> T:
    """What `look` finds, as soon as it finds something."""
    for _ in range(600):
        if (found := await asyncio.to_thread(look)) is not None:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(otherwise)


def _whose_call(folder: Path) -> int | None:
    """The process that holds the call, once its answer has been heard: the one that has its trace open."""
    for trace in (folder / "traces").glob("*.jsonl"):
        if '"heard":"We are open from nine to five' not in trace.read_text():
            continue
        for file in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                if file.resolve() == trace.resolve():
                    return int(file.parts[2])
            except OSError:  # processes come and go while we look
                continue
    return None


def _pair(parent: subprocess.Popen[bytes]) -> list[int] | None:
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    return [int(pid) for pid in children] if len(children) == 2 else None


@asynccontextmanager
async def _family(folder: Path, port: int, redis: str, lab: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], str]]:
    address = f"http://127.0.0.1:{port}"
    environment: Mapping[str, str] = {
        **os.environ,
        **{"PORT": str(port), "PUBLIC_URL": address, "DATA_DIR": str(folder), "REDIS_URL": redis},
        **{"TWILIO_AUTH_TOKEN": "secret", "DATABASE_URL": f"sqlite:///{folder}/calls.db"},
        **{name: "k" for name in ("DEEPGRAM_API_KEY", "ANTHROPIC_API_KEY", "ELEVENLABS_API_KEY")},
        **{name: lab for name in ("DEEPGRAM_URL", "ANTHROPIC_BASE_URL", "ELEVENLABS_BASE_URL")},
    }
    parent = await asyncio.to_thread(_begin, folder, environment)
    try:
        await _at_last(lambda: _answers(f"{address}/healthz"), "nobody answers")
        yield parent, address
    finally:
        parent.send_signal(signal.SIGTERM)
        await asyncio.to_thread(parent.wait, 20)


def _begin(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    (folder / "clinic.yaml").write_text(CLINIC)
    subprocess.run([PATCHCORD, "apply", folder / "clinic.yaml"], env=environment, check=True, capture_output=True)
    with (folder / "serve.log").open("wb") as log:
        return subprocess.Popen([PATCHCORD, "serve", "--processes", "2"], env=environment, stdout=log, stderr=log)


def _answers(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return None
