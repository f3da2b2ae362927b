"""Short tails: in good code and bad the median function is short; the longest ones differ."""

from tests.house import tree

FUNCTION_LINES = 60  # what one sees without scrolling
MODULE_LINES = 450  # what one can still hold in mind


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{tree.where(path, function)} {function.name}: {lines} lines"
        for path in tree.python("app", "ops", "migrations")
        for function in tree.functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]
    assert long == []


def test_no_module_is_longer_than_one_can_hold_in_mind() -> None:
    sizes = {str(path): len(tree.text(path).splitlines()) for path in tree.python("app", "ops")}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE_LINES} == {}
