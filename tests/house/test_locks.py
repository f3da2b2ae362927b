"""The locks name every version with its hashes, and nothing about where a file comes from."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.house import tree

LOCKS = [Path("requirements.lock"), Path("ops/lab/peers/pipecat.lock")]


def entries(lock: Path) -> dict[str, list[str]]:
    """Each package with the lines of its versions, their hashes included."""
    found: dict[str, list[str]] = {}
    for entry in tree.text(lock).replace("\\\n", " ").splitlines():
        found.setdefault(re.split("[=<>~!; ]", entry)[0], []).append(entry)
    return found


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_package_is_pinned_and_hashed(lock: Path) -> None:
    loose = [
        line
        for lines in entries(lock).values()
        for line in lines
        if not re.search(r"==\S+ .*--hash=sha256:\w{64}", line)
    ]
    assert loose == []


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_no_lock_holds_an_address(lock: Path) -> None:
    assert not re.search(r"://| @ |index-url|find-links", tree.text(lock))


def test_everything_that_is_asked_for_is_locked() -> None:
    project = tomllib.loads(tree.text(Path("pyproject.toml")))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {normal(re.split(r"[\[=<>~!; ]", requirement)[0]) for requirement in asked}
    assert names - set(entries(LOCKS[0])) == set()


def test_the_peer_is_the_version_that_its_page_names() -> None:
    pinned = entries(LOCKS[1])["pipecat-ai"][0].split()[0]
    assert pinned == "pipecat-ai==1.14.0"
    assert "## Pipecat 1.14.0" in tree.text(Path("ops/lab/peers/README.md"))
