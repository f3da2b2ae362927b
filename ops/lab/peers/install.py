"""Make a peer's own environment under var/peers, from its hashed lock: `python -m ops.lab.peers.install`.

A peer never shares an environment with the product: their packages disagree, and a bench must not bend either.
"""

import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[2] / "var" / "peers"
PEERS = ("pipecat",)

# Half a gigabyte over a slow line, and one package that may have to be compiled.
INSTALL_SECONDS = 1800.0


def python_of(peer: str) -> Path:
    return ENVIRONMENTS / peer / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def ready(peer: str = "pipecat") -> Path:
    """The Python of the peer's environment, made now unless it was made from this very lock before."""
    lock = HERE / f"{peer}.lock"
    made_from = ENVIRONMENTS / peer / "made_from"
    fingerprint = sha256(lock.read_bytes()).hexdigest()
    python = python_of(peer)
    if made_from.exists() and made_from.read_text() == fingerprint and python.exists():
        return python
    print(f"Installing {peer} in {ENVIRONMENTS.name}/{peer}, once: about 500 MB, a minute or so", flush=True)
    venv.create(ENVIRONMENTS / peer, clear=True, with_pip=True)
    asked = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*asked, "-r", str(lock)], check=True, timeout=INSTALL_SECONDS)
    made_from.write_text(fingerprint)
    return python


if __name__ == "__main__":
    for name in PEERS:
        print(ready(name))
