"""What the documents say is what the code does."""

import re
from pathlib import Path

from app.settings import table
from tests.house import tree

README = Path("README.md")
PLAN = Path("app/README.md")
DECISIONS = Path("ops/decisions")


# Rooms that stand in the plan and are not built yet. This list may only shrink.
NOT_BUILT: set[str] = set()


def between(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0].strip()


def test_the_readme_shows_the_settings_as_they_are() -> None:
    shown = between(tree.text(README), "<!-- settings: printed by `python -m app.settings` -->", "<!-- /settings -->")
    assert shown == table(), "print it anew: python -m app.settings"


def test_the_floor_plan_lists_exactly_the_rooms_that_are_there() -> None:
    listed = set(re.findall(r"^\| \d \| `([\w.]+)/?` \|", tree.text(PLAN), re.MULTILINE))
    rooms = {path.parts[1] for path in tree.python("app")} - {"__init__.py"}
    assert rooms <= listed
    assert listed - rooms <= NOT_BUILT


def test_the_floor_plan_and_the_contract_agree_on_every_floor() -> None:
    planned = {
        name.removesuffix(".py"): int(floor)
        for floor, name in re.findall(r"^\| (\d) \| `([\w.]+)/?` \|", tree.text(PLAN), re.MULTILINE)
    }
    layers = re.findall(r'^\s*"(.+)",', between(tree.text(Path("pyproject.toml")), "layers = [", "\n]"), re.MULTILINE)
    held = {
        name: floor
        for floor, layer in enumerate(reversed(layers), 1)
        for name in re.findall(r"\w+", layer)
        if name in planned
    }
    assert held == planned


def test_the_index_of_decisions_lists_every_decision() -> None:
    listed = re.findall(r"^\* \[([\w.-]+)\]\(\1\): \w", tree.text(DECISIONS / "README.md"), re.MULTILINE)
    there = [path.name for path in tree.files() if path.parent == DECISIONS and path.name != "README.md"]
    assert sorted(listed) == sorted(there)


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^(\w+):", tree.text(Path("Makefile")), re.MULTILINE))
    documents = [path for path in tree.files() if path.suffix == ".md"]
    used = {name for path in documents for name in re.findall(r"(?:`|^)make (\w+)", tree.text(path), re.MULTILINE)}
    assert used - targets == set()
    assert {"demo", "test", "check"} <= used


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{path}: {target}"
        for path in tree.files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#]+)\)", tree.text(path))
        if "://" not in target and not (tree.ROOT / path.parent / target).exists()
    ]
    assert broken == []


def test_the_peers_page_lists_the_variables_that_the_peer_reads() -> None:
    read = set(re.findall(r'environ\.get\("(\w+)"', tree.text(Path("ops/lab/peers/pipecat_bot.py"))))
    page = tree.text(Path("ops/lab/peers/README.md"))
    vendors = {name for name in read if name.startswith(("DEEPGRAM", "ANTHROPIC", "ELEVENLABS")) or name == "LOG_LEVEL"}
    listed = {
        name for row in re.findall(r"^\| (`[A-Z_` ]+) \|", page, re.MULTILINE) for name in re.findall(r"\w+", row)
    }
    assert listed == read - vendors
