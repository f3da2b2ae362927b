"""What the house tests look at: the files of this repository, and the Python in them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_GENERATED = {".git", ".venv", "var", "build", "dist", "__pycache__"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    """Every file that is in the repository or about to be, relative to its root; without git, every file there is."""
    if (ROOT / ".git").exists():
        asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        found = [Path(name) for name in names if name and (ROOT / name).is_file()]
    else:
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
    return tuple(
        sorted(
            p
            for p in found
            if not _GENERATED & set(p.parts) and ".egg-info" not in str(p) and "cache" not in p.parts[0]
        )
    )


def python(*tops: str) -> list[Path]:
    return [path for path in files() if path.suffix == ".py" and path.parts[0] in tops]


@cache
def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), filename=str(path))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def where(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path}:{node.lineno}"
