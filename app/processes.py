"""Several servers on one port: `patchcord serve --processes N`. Each is a process of its own with its own calls.

The kernel hands connections to them in turn. A call's stream may come to another process than its webhook did, so they
share a live store; whoever dies is replaced, and its calls are taken up by the others.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

from app.errors import SettingsError
from app.settings import Settings

_LOOK_SECONDS = 0.2
_QUICK_DEATH = 5.0  # a server that dies sooner has not started, and will not start the next time
_QUICK_DEATHS = 3


def check(settings: Settings, count: int) -> None:
    """Raises SettingsError for what several processes cannot do."""
    if count < 1:
        raise SettingsError(f"--processes {count} is no number of processes: write 1 or more.")
    if count > 1 and not settings.redis_url:
        raise SettingsError(
            "Several processes need REDIS_URL: a call's stream may come to another one than its webhook did. "
            "Write for example REDIS_URL=redis://127.0.0.1:6379/0."
        )


class Family:
    """The servers of one machine. `run` returns when all have ended: the exit code."""

    def __init__(self, count: int, environ: Mapping[str, str]) -> None:
        self._count = count
        self._environ = dict(environ)
        self._born: dict[subprocess.Popen[bytes], float] = {}
        self._stopping = False
        self._quick_deaths = 0

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping and len(self._born) < self._count:
            self._bear()
        code = 0
        while self._born:
            time.sleep(_LOOK_SECONDS)
            for process in [each for each in self._born if each.poll() is not None]:
                lived = time.monotonic() - self._born.pop(process)
                code = max(code, abs(process.returncode)) if lived < _QUICK_DEATH else code
                if not self._stopping:
                    self._replace(lived)
        return code

    def _replace(self, lived: float) -> None:
        self._quick_deaths = self._quick_deaths + 1 if lived < _QUICK_DEATH else 0
        if self._quick_deaths >= _QUICK_DEATHS:
            self._stop()
        else:
            self._bear()

    def _bear(self) -> None:
        command = [sys.executable, "-m", "app.cli", "serve", "--one-of-many"]
        self._born[subprocess.Popen(command, env=self._environ)] = time.monotonic()

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for process in self._born:
            process.send_signal(signal.SIGTERM)


def shared_port(host: str, port: int) -> socket.socket:
    """A listening socket on a port that others of the family listen at too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    listening.listen(1024)
    return listening
