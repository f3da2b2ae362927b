"""What the mind is told is equal for all calls of an agent, or the vendor's cache is lost."""

from dataclasses import replace
from datetime import datetime

from app.call.agent import Agent
from app.mind.briefing import MANNERS, briefing, facts_line

AGENT = Agent("desk", "Hello.", "You answer for a bakery.")


def test_manners_come_first_and_are_equal_for_all_agents() -> None:
    assert briefing(AGENT).system[0] == briefing(replace(AGENT, prompt="Else.")).system[0] == MANNERS


def test_the_prompt_and_the_documents_are_in_the_system_text() -> None:
    _, prompt, knowledge = briefing(replace(AGENT, knowledge=("Bread: 4 dollars.", "Closed on Sunday."))).system
    assert "bakery" in prompt
    assert '<document number="2">\nClosed on Sunday.\n</document>' in knowledge


def test_another_language_is_said_in_the_manners() -> None:
    assert "'de'" in briefing(replace(AGENT, language="de")).system[0]


def test_tools_keep_their_order() -> None:
    tools = ({"name": "b"}, {"name": "a"})
    assert briefing(AGENT, tools).tools == tools


def test_the_facts_of_the_call_are_one_line() -> None:
    now = datetime(2026, 11, 20, 9, 5)
    assert facts_line(now=now, direction="inbound", party="+15550100", number="+15550199") == (
        "A caller rings +15550199. The caller's number: +15550100. It is Friday, 20 November 2026, 09:05."
    )
    assert "You are calling +15550100" in facts_line(now=now, direction="outbound", party="+15550100", number="+1555")


def test_a_caller_without_a_number_withheld_it() -> None:
    line = facts_line(now=datetime(2026, 11, 20), direction="inbound", party="Anonymous", number="+1555")
    assert "withheld" in line
