"""Each contract about imports really fails when it is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import tree

BREACHES = {
    "a new room without a floor": ("app/attic/__init__.py", "", "app.attic"),
    "a sense that reads settings": ("app/ears/breach.py", "import app.settings", "app.ears is not allowed"),
    "a sense that talks to another": ("app/ears/breach.py", "import app.mouth.breach", "app.ears is not allowed"),
    "a sense that knows the switchboard": (
        "app/line/breach.py",
        "import app.switchboard.ports",
        "app.line is not allowed",
    ),
    "a core that reads the clock": ("app/call/breach.py", "import time", "app.call is not allowed to import time"),
    "a lab that uses the product": ("ops/lab/breach.py", "import app.audio", "ops.lab is not allowed to import app"),
    "a product that leans on its lab": ("app/audio_breach.py", "import ops.lab", "app is not allowed to import ops"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in [*tree.python("app", "ops"), Path("pyproject.toml")]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree.ROOT / path, tmp_path / path)
    for room in ("ears", "mouth", "line"):
        (tmp_path / "app" / room).mkdir(exist_ok=True)
        (tmp_path / "app" / room / "__init__.py").touch()
    (tmp_path / "app/mouth/breach.py").touch()
    return tmp_path


def test_the_house_keeps_its_floors(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES.keys())
def test_the_contracts_notice(copy: Path, breach: tuple[str, str, str]) -> None:
    file, code, complaint = breach
    (copy / file).parent.mkdir(exist_ok=True)
    (copy / file).write_text(code + "\n")
    result = lint(copy)
    assert result.returncode == 1
    assert complaint in " ".join(result.stdout.split())


def test_every_room_is_a_package() -> None:
    """A folder without __init__.py would be invisible to the contracts."""
    folders = {path.parent for path in tree.python("app", "ops")}
    assert {str(folder) for folder in folders if not (tree.ROOT / folder / "__init__.py").exists()} == set()
