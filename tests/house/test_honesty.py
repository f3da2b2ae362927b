"""Tests that cannot fail are worse than none, and so are things that work on one machine alone."""

import ast
import re
from pathlib import Path

from tests.house import tree

SLACK = re.compile(
    r"\b(pytest\.skip|mark\.skip\w*|mark\.xfail|pytest\.xfail|importorskip|unittest\.mock|time\.sleep\()"
)
UNFINISHED = re.compile(r"\b(" + "TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

# Written in halves, so that this file does not find itself.
MACHINE_PATH = re.compile(
    r"(?<![\w.:}/])/(" + "|".join(["ro" + "ot", "wo" + "rk", "ho" + r"me/\w+", "Us" + r"ers/\w+"]) + r")/\w"
)
REGISTRY = re.compile(
    "|".join(["py" + r"pi\.org", "python" + r"hosted\.", "npm" + r"js\.(org|com)", "yarn" + r"pkg\.com"])
)

MINE = Path("tests/house/test_honesty.py")


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(tree.text(path).splitlines(), 1)
        if pattern.search(line)
    ]


def readable() -> list[Path]:
    return [path for path in tree.files() if b"\0" not in (tree.ROOT / path).read_bytes()[:8192] and path != MINE]


def test_no_test_is_skipped_expected_to_fail_mocked_or_asleep() -> None:
    tests = [path for path in tree.python("tests") if path.name.startswith("test_") and path != MINE]
    assert lines_with(SLACK, tests) == []


def test_every_test_can_fail() -> None:
    """A test asserts, expects an exception, or asks somebody whose name says so."""
    toothless = [
        f"{tree.where(path, function)} {function.name}"
        for path in tree.python("tests")
        if path.name.startswith("test_")
        for function in tree.functions(path)
        if function.name.startswith("test_") and not any(has_teeth(node) for node in ast.walk(function))
    ]
    assert toothless == []


def has_teeth(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert | ast.Raise):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name == "raises" or name.startswith(("assert", "check", "expect"))


def test_nothing_names_a_path_of_one_machine() -> None:
    assert lines_with(MACHINE_PATH, readable()) == []


def test_nothing_names_a_host_that_packages_are_fetched_from() -> None:
    assert lines_with(REGISTRY, readable()) == []


def test_nothing_is_left_to_be_done_later() -> None:
    assert lines_with(UNFINISHED, [path for path in tree.python("app", "ops", "tests") if path != MINE]) == []


def test_the_patterns_find_what_they_look_for() -> None:
    assert MACHINE_PATH.search("open('/wo" + "rk/main')")
    assert REGISTRY.search("https://py" + "pi.org/simple")
    assert not MACHINE_PATH.search("https://example.com/work/with-us")
