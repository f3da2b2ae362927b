"""Decide without waiting: what imports cannot show about the pure rooms and the wires."""

import ast
from pathlib import Path

from tests.house import tree

PURE_ROOMS = ("call", "campaign", "money", "report")
IMPURE_MODULES = {"asyncio", "logging", "random", "secrets", "selectors", "socket", "subprocess", "threading", "time"}
CLOCK_AND_WORLD = {"now", "utcnow", "today", "urandom", "uuid1", "uuid4", "monotonic", "perf_counter"}
WAITING = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


def pure_files() -> list[Path]:
    return [p for p in tree.python("app") if p.parts[1] in PURE_ROOMS or p.stem.endswith("_wire")]


def impurities(module: ast.Module) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(module):
        if isinstance(node, WAITING):
            found.append((node.lineno, "waits"))
        elif isinstance(node, ast.Import):
            found += [(node.lineno, f"imports {a.name}") for a in node.names if a.name.split(".")[0] in IMPURE_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in IMPURE_MODULES:
            found.append((node.lineno, f"imports {node.module}"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_AND_WORLD:
            found.append((node.lineno, f"calls {node.func.attr}()"))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"open", "print", "input"}
        ):
            found.append((node.lineno, f"calls {node.func.id}()"))
    return found


def test_pure_rooms_and_wires_neither_wait_nor_look_at_the_world() -> None:
    found = [f"{path}:{line} {what}" for path in pure_files() for line, what in impurities(tree.tree(path))]
    assert found == []


def test_the_core_is_among_the_pure_files() -> None:
    assert Path("app/call/events.py") in pure_files()


def test_every_kind_of_impurity_is_found() -> None:
    source = "import time\nfrom asyncio import sleep\nasync def f():\n    await sleep(1)\nx = date.today()\nopen('f')\n"
    assert [line for line, _ in impurities(ast.parse(source))] == [1, 2, 3, 5, 6, 4]
