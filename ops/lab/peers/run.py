"""Start a peer in its own process and environment, pointed at the lab's vendors, and stop it again.

with pipecat("http://127.0.0.1:9100", turn="flux") as peer:
    ...ring peer.socket_url...
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from ops.lab.peers import install

# Pipecat imports for two seconds on an idle core; a busy one may need ten times that.
START_SECONDS = 40.0
STOP_SECONDS = 10.0


class PeerError(Exception):
    """The peer did not start; the text says where its log is."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer: `name` says how it is set up, `socket_url` is what a carrier's media stream connects to."""

    name: str
    socket_url: str
    stats_url: str
    pid: int

    def stats(self) -> Mapping[str, Any]:
        """Its calls, its asyncio tasks, the processor seconds used so far, its largest memory in kB."""
        with urlopen(self.stats_url, timeout=5) as answer:
            counted: Mapping[str, Any] = json.load(answer)
        return counted


@contextmanager
def pipecat(
    vendors_url: str,
    *,
    turn: str = "deepgram",
    eager: bool = True,
    tts: str = "sentence",
    start: str = "voice",
    core: int | None = None,
    agent: Mapping[str, str] | None = None,
) -> Iterator[Peer]:
    """Pipecat on a free port. `core` pins it to one; `agent` sets GREETING, PROMPT, MODEL, VOICE.

    Installs it first where it is not installed. Raises PeerError when it does not come up.
    """
    python = install.ready("pipecat")
    port = _free_port()
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "DEEPGRAM_URL": vendors_url,
        "ANTHROPIC_BASE_URL": vendors_url,
        "ELEVENLABS_BASE_URL": vendors_url,
        "TURN": turn,
        "EAGER": "1" if eager else "0",
        "TTS_MODE": tts,
        "START": start,
        **(agent or {}),
    }
    script = Path(__file__).with_name("pipecat_bot.py")
    log = install.ENVIRONMENTS / f"pipecat-{turn}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), "-P", str(script), "--port", str(port)], env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    if core is not None and sys.platform == "linux":
        os.sched_setaffinity(process.pid, {core})
    named = f"pipecat {turn}{'+eager' if turn == 'flux' and eager else ''}, {tts}"
    peer = Peer(named, f"ws://127.0.0.1:{port}/ws", f"http://127.0.0.1:{port}/stats", process.pid)
    try:
        _wait_until_up(peer, process, log)
        yield peer
    finally:
        _stop(process)


def _wait_until_up(peer: Peer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            peer.stats()
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)  # the process gives no other sign of being ready
        else:
            return
    lines = log.read_text(errors="replace").splitlines()
    raise PeerError(f"{peer.name} did not start: {lines[-1] if lines else 'no output'} (log: {log})")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
