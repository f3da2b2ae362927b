"""Names that one could say on the phone."""

import ast
import re

from tests.house import tree

# Words that say nothing: whatever the thing is, it could be called that.
EMPTY_WORDS = {"Manager", "Handler", "Helper", "Helpers", "Util", "Utils", "Service", "Base", "Impl", "Mixin"}


def test_no_class_has_an_empty_word_in_its_name() -> None:
    named = [
        f"{tree.where(path, node)} {node.name}"
        for path in tree.python("app", "ops", "migrations")
        for node in ast.walk(tree.tree(path))
        if isinstance(node, ast.ClassDef) and EMPTY_WORDS & set(re.findall("[A-Z][a-z]*", node.name))
    ]
    assert named == []


def test_no_file_has_an_empty_word_in_its_name() -> None:
    empty = {word.lower() for word in EMPTY_WORDS}
    assert [str(path) for path in tree.python("app", "ops", "tests") if empty & set(re.split("[_/.]", str(path)))] == []
