"""A call as a picture, read back as XML."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from app.call.account import Account
from app.call.actions import Commit, Play, Think, Write
from app.call.events import LineOpened
from app.report.timeline import picture
from tests.call.playbook import second

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Write) -> Element:
    account = Account()
    account.add(100.0, LineOpened())
    for line in lines:
        account.add(line.ended, line)
    account.add(103.2, Think(2, ()))
    account.add(103.3, Commit(1, 2, "When?", 103.0))
    account.add(103.6, Play(second(0.5), 1))
    return ElementTree.fromstring(picture(account, "Ann & <Bob>"))


def texts(root: Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_every_turn_shows_how_long_the_caller_waited() -> None:
    root = drawn(Write("caller", "When?", "When?", 102.0, 103.0))
    assert "600 ms" in texts(root)
    assert "Ann & <Bob>" in texts(root)
    gap = next(each for each in root.iter(f"{SVG}rect") if each.get("height") == "10")
    assert float(gap.get("width", 0)) == pytest.approx(0.3 * 72.0)  # the part until the turn was over


def test_what_was_cut_off_is_crossed_out() -> None:
    root = drawn(Write("agent", "We open at nine.", "We open", 104.0, 106.0, interrupted=True))
    crossed = [element for element in root.iter(f"{SVG}text") if element.get("text-decoration")]
    assert [element.text for element in crossed] == ["at nine."]
    assert "We open" in texts(root)


def test_a_long_call_has_a_row_for_every_fifteen_seconds() -> None:
    root = drawn(Write("agent", "Goodbye now.", "Goodbye now.", 144.0, 148.0))
    assert len(list(root.iter(f"{SVG}clipPath"))) == 4
    assert {"0 s", "15 s", "30 s", "45 s", "60 s"} <= set(texts(root))
    assert texts(root).count("Goodbye now.") == 1  # though it lies in two rows


def test_words_that_do_not_fit_are_shortened_and_kept_in_the_title() -> None:
    long = "one two three four five six seven eight nine ten"
    root = drawn(Write("agent", long, long, 104.0, 105.0))
    assert long in [element.text for element in root.iter(f"{SVG}title")]
    assert any(text.endswith("…") for text in texts(root))


def test_a_call_in_which_nothing_was_said_is_a_picture_too() -> None:
    assert ElementTree.fromstring(picture(Account(), "nobody")).tag == f"{SVG}svg"
