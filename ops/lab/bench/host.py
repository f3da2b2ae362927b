"""The processes of a bench: the vendors, whoever is measured, and the callers; on which core, and what they use.

Whoever is measured has one core for itself, and everything else shares the others. Memory and processor are read from
/proc; where there is none, those columns stay empty.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from ops.lab.peers.run import pipecat

FOLDER = Path("var/bench")
START_SECONDS = 40.0
LOOK_SECONDS = 0.5  # between two looks at the one who is measured: each takes it a millisecond or two
GREETING = "Hello, this is the clinic. How can I help?"
NUMBERS = {"nova-3": "+15005550001", "flux": "+15005550002"}
_KEY = "bench"


class BenchError(Exception):
    """The bench cannot go on; the text says why, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core whoever is measured runs on, and which are left to everybody else; None: all share what there is."""

    measured: int | None
    others: frozenset[int] | None

    @classmethod
    def here(cls) -> "Cores":
        if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
            return cls(None, None)
        *others, measured = sorted(os.sched_getaffinity(0))
        return cls(measured, frozenset(others))


@dataclass(frozen=True, slots=True)
class Measured:
    """Whoever answers the calls of a run: `target` is what a `Target` is made of, `look` an address to knock at."""

    name: str
    target: Mapping[str, str]
    look: str
    pid: int


# --- processes --------------------------------------------------------------------------------------------------------


@contextmanager
def vendors(cores: Cores, profile: str, rules: Sequence[Mapping[str, str]], seed: int) -> Iterator[str]:
    """The lab's vendors, noting when each message passed. Gives their address."""
    script = FOLDER / "rules.json"
    script.write_text(json.dumps(rules))
    port = _free_port()
    lab = [sys.executable, "-m", "ops.lab", "vendors", "--port", str(port), "--profile", profile]
    with _process([*lab, "--script", str(script), "--seed", str(seed), "--stamps"], "vendors", cores.others) as process:
        address = f"http://127.0.0.1:{port}"
        _await(f"{address}/lab/counts", process, "vendors")
        yield address


@contextmanager
def patchcord(vendors_url: str, ears: str, cores: Cores) -> Iterator[Measured]:
    """Patchcord as it is served, with nothing kept from an earlier run."""
    for old in FOLDER.glob("patchcord.db*"):
        old.unlink()
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        **{"PORT": str(port), "HOST": "127.0.0.1", "PUBLIC_URL": address, "DATA_DIR": str(FOLDER), "MAX_CALLS": "1000"},
        **{"DATABASE_URL": f"sqlite:///{FOLDER}/patchcord.db", "REDIS_URL": "", "TWILIO_AUTH_TOKEN": _KEY},
        **{name: _KEY for name in ("DEEPGRAM_API_KEY", "ANTHROPIC_API_KEY", "ELEVENLABS_API_KEY")},
        **{n: vendors_url for n in ("DEEPGRAM_URL", "ANTHROPIC_BASE_URL", "ELEVENLABS_BASE_URL", "TWILIO_API_BASE")},
        "LOG_LEVEL": "warning",
    }
    program = str(Path(sys.executable).parent / "patchcord")
    roster = FOLDER / "roster.yaml"
    roster.write_text(_roster())
    subprocess.run([program, "apply", str(roster)], env=environment, check=True, stdout=subprocess.DEVNULL)
    only = frozenset({cores.measured}) if cores.measured is not None else None
    with _process([program, "serve"], "patchcord", only, environment) as process:
        _await(f"{address}/readyz", process, "patchcord")
        target = {"url": address, "auth_token": _KEY, "to": NUMBERS[ears]}
        yield Measured("patchcord", target, f"{address}/healthz", process.pid)


@contextmanager
def peer(vendors_url: str, ears: str, cores: Cores) -> Iterator[Measured]:
    """Pipecat with the same agent, in its fastest setting."""
    turn = "flux" if ears == "flux" else "deepgram"
    with pipecat(vendors_url, turn=turn, core=cores.measured, agent={"GREETING": GREETING}) as running:
        yield Measured("pipecat", {"socket": running.socket_url}, running.stats_url, running.pid)


def call(measured: Measured, names: Sequence[str], seconds: float, cores: Cores) -> dict[str, Any]:
    """Place one call for each name, and give what the callers saw."""
    wanted = json.dumps({"target": dict(measured.target), "names": list(names), "seconds": seconds})
    patience = 120.0 + seconds + len(names)
    done = subprocess.run(
        [sys.executable, "-m", "ops.lab.bench.caller"],
        input=wanted,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
        preexec_fn=_pinning(cores.others),
    )
    if done.returncode:
        raise BenchError(f"the callers broke: {done.stderr[-2000:]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@contextmanager
def _process(
    command: Sequence[str], name: str, only: frozenset[int] | None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (FOLDER / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, preexec_fn=_pinning(only)
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _pinning(only: frozenset[int] | None) -> Any:
    return (lambda: os.sched_setaffinity(0, only)) if only is not None else None


def _await(url: str, process: subprocess.Popen[bytes], name: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)  # the process gives no other sign of being ready
    log = (FOLDER / f"{name}.log").read_text(errors="replace")
    raise BenchError(f"{name} did not start within {START_SECONDS:g} s. It said:\n{log[-1500:]}")


def _roster() -> str:
    agents = "".join(
        f"  - name: {ears}\n"
        f'    greeting: "{GREETING}"\n'
        f'    prompt: "You answer the phone of a small clinic."\n'
        f"    ears: {'flux-general-en' if ears == 'flux' else ears}\n"
        f"    work_ahead: eager\n"
        for ears in NUMBERS
    )
    numbers = "".join(f'  - number: "{number}"\n    agent: {ears}\n' for ears, number in NUMBERS.items())
    return f"agents:\n{agents}numbers:\n{numbers}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- what they use ----------------------------------------------------------------------------------------------------


def processor_seconds(pid: int) -> float | None:
    """What the process has used since its start."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float | None:
    """Megabytes that belong to the process alone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    private = (line for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))
    return sum(int(line.split()[1]) for line in private) / 1024


@dataclass(slots=True)
class Used:
    """What one run took of whoever was measured."""

    processor_seconds: float | None = None
    megabytes: float | None = None  # more than before the run, at the most
    knocks: list[float] = field(default_factory=list)  # how long each look took to be answered
    lags: list[float] = field(default_factory=list)  # of the event loop, as it says itself; a peer does not say it
    tasks: float | None = None  # for a call, when there were most calls


@contextmanager
def watching(measured: Measured) -> Iterator[Used]:
    """Look at whoever is measured twice a second, as long as the run lasts; the figures stand at its end."""
    used, over = Used(), threading.Event()
    before_processor, before_memory = processor_seconds(measured.pid), memory(measured.pid)
    idle = _knock(measured.look)[1]
    most: list[float] = []

    def look() -> None:
        busiest = 0
        while not over.wait(LOOK_SECONDS):
            took, told = _knock(measured.look)
            if took is not None:
                used.knocks.append(took)
            if "lag_seconds" in told:
                used.lags.append(told["lag_seconds"])
            if told.get("calls", 0) > busiest and "tasks" in told:
                busiest = told["calls"]
                used.tasks = (told["tasks"] - idle["tasks"]) / busiest
            if (now := memory(measured.pid)) is not None:
                most.append(now)

    looking = threading.Thread(target=look, name="bench: looks", daemon=True)
    looking.start()
    try:
        yield used
    finally:
        over.set()
        looking.join(10)
        after = processor_seconds(measured.pid)
        if after is not None and before_processor is not None:
            used.processor_seconds = after - before_processor
        if most and before_memory is not None:
            used.megabytes = max(most) - before_memory


def _knock(look: str) -> tuple[float | None, dict[str, Any]]:
    """How long the answer took, and what it was; None where there was none."""
    address = urlsplit(look)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=10)
    began = time.monotonic()
    try:
        connection.request("GET", address.path)
        told = connection.getresponse().read()
        took = time.monotonic() - began
        return took, json.loads(told)
    except (OSError, ValueError):
        return None, {}
    finally:
        connection.close()
