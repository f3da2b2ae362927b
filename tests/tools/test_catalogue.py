"""What the mind is told that it may do, and what it is told when it asks for something else."""

import json
from dataclasses import replace

import pytest

from app.call.agent import Agent, HttpTool
from app.call.events import ToolCall
from app.errors import SettingsError
from app.mind import claude_wire
from app.tools.catalogue import BY_THE_CALL, NOTES, UNREADABLE, fault_of, has_effect, offered, own_tool

SLOTS = HttpTool(
    "find_slot",
    "Find a free time.",
    "https://example.com/slots",
    parameters={"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    effect=False,
)
BOOK = HttpTool("book", "Book a time.", "https://example.com/book")
AGENT = Agent("desk", "Hello.", "You answer.", tools=(SLOTS, BOOK), transfers={"sales": "+1555", "a person": "+1556"})


def names(agent: Agent) -> list[str]:
    return [tool["name"] for tool in offered(agent)]


def test_the_tools_of_the_house_come_before_the_agents_own() -> None:
    assert set(names(AGENT)[:-2]) == BY_THE_CALL | NOTES
    assert names(AGENT)[-2:] == ["find_slot", "book"]


def test_what_is_offered_is_the_same_text_for_every_call() -> None:
    other = replace(AGENT, transfers=dict(reversed(list(AGENT.transfers.items()))))
    assert json.dumps(offered(AGENT)) == json.dumps(offered(other))


def test_transfers_are_offered_by_name_and_only_when_there_are_any() -> None:
    (transfer,) = [tool for tool in offered(AGENT) if tool["name"] == "transfer"]
    assert transfer["input_schema"]["properties"]["to"]["enum"] == ["a person", "sales"]
    assert "transfer" not in names(replace(AGENT, transfers={}))


def test_tools_of_the_house_have_an_effect_and_own_ones_say_so() -> None:
    assert has_effect(AGENT, "opt_out")
    assert has_effect(AGENT, "book")
    assert not has_effect(AGENT, "find_slot")
    assert has_effect(AGENT, "never_heard_of")


def test_own_tools_are_found_by_name() -> None:
    assert own_tool(AGENT, "book") is BOOK
    assert own_tool(AGENT, "opt_out") is None


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (ToolCall("t", "find_slot", {"day": "monday"}), ""),
        (ToolCall("t", "find_slot", {}), "day is missing."),
        (ToolCall("t", "fly", {}), "There is no tool named 'fly'."),
        (ToolCall("t", "find_slot", {"unreadable": '{"day'}), "not valid JSON"),
        (ToolCall("t", "transfer", {"to": "the moon", "summary": "x"}), "to must be one of 'a person', 'sales'"),
        (ToolCall("t", "press_keys", {"keys": "1w2"}), "keys must look like"),
        (ToolCall("t", "schedule_callback", {"when": "tomorrow", "about": "x"}), "when must look like"),
        (ToolCall("t", "schedule_callback", {"when": "2026-11-21T09:30", "about": "x"}), ""),
        (ToolCall("t", "take_message", {"name": "Ann", "message": "Call me."}), ""),
        (ToolCall("t", "opt_out", {}), ""),
        (ToolCall("t", "end_call", {"reason": "done"}), ""),
    ],
)
def test_a_call_that_does_not_fit_is_told_why(call: ToolCall, fault: str) -> None:
    said = fault_of(AGENT, call)
    assert bool(said) == bool(fault)
    assert fault in said


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        (replace(BOOK, name="opt_out"), "two tools are named 'opt_out'"),
        (replace(BOOK, name="book a table"), "must be 1 to 64 of"),
        (replace(BOOK, parameters={"day": "string"}), "must have type: object"),
    ],
)
def test_a_tool_that_cannot_be_offered_is_the_operators_fault(tool: HttpTool, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        offered(replace(AGENT, tools=(tool,)))


def test_the_mind_and_the_desk_have_one_name_for_arguments_that_cannot_be_read() -> None:
    assert claude_wire.UNREADABLE == UNREADABLE
