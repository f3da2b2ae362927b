"""tests/ mirrors app/ file for file, so that everybody knows where the test of a thing is."""

from pathlib import Path

from tests.house import tree

# Modules that hold words and no decision: dataclasses and protocols, tested wherever they are used.
GLOSSARIES = {
    "app/errors.py",
    "app/call/actions.py",
    "app/call/agent.py",
    "app/call/events.py",
    "app/switchboard/ports.py",
}

# Rooms whose files are one machine, tested as a whole by scripts.
SCRIPTS = {"app/call": "tests/call/test_call.py"}

# Not written yet. This list may only shrink.
MISSING: set[str] = set()


def wanted(path: Path) -> Path:
    script = SCRIPTS.get(str(path.parent))
    return Path(script) if script else Path("tests", *path.parts[1:-1], f"test_{path.name}")


def untested() -> set[str]:
    modules = [path for path in tree.python("app") if path.name != "__init__.py"]
    return {str(path) for path in modules if wanted(path) not in tree.files()} - GLOSSARIES


def test_every_module_has_its_test_file() -> None:
    assert untested() - MISSING == set()


def test_the_list_of_missing_tests_only_shrinks() -> None:
    assert MISSING - untested() == set()
