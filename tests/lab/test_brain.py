"""What the lab's Claude says, when, and what it costs."""

import json
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from ops.lab.brain import Answer, Brain, Rule
from ops.lab.profile import REFERENCE, Fault

TOOL = {"name": "book", "input_schema": {"type": "object", "properties": {"day": {"type": "string"}}}}
MARK = {"type": "ephemeral"}


def body(text: Any = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": [{"role": "user", "content": text}], **more}


def answer(given: dict[str, Any], *rules: Rule, now: float = 0.0, fault: Fault | None = None) -> Answer:
    return Brain(REFERENCE, rules).answer(given, now, Random(1), fault)


def said(answer: Answer) -> str:
    return "".join(block["text"] for block in answer.whole()["content"] if block["type"] == "text")


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        ("What are your opening hours?", "nine to five"),
        ("And on Sunday?", "closed on Sundays"),
        ("Can I book an appointment?", "Tuesday at ten"),
        ("Hello?", "how can I help"),
        ("Can I talk to a human", "nobody is free"),
        ("mumble", "a little more"),
    ],
)
def test_the_clinic_answers_its_callers(caller: str, words: str) -> None:
    assert words in said(answer(body(caller)))


def test_a_story_has_six_sentences() -> None:
    assert said(answer(body("Tell me about the clinic"))).count(". ") == 5


def test_the_first_token_takes_300_ms_and_each_one_15() -> None:
    deltas = [at for at, event in answer(body("Sundays?")).events if event["type"] == "content_block_delta"]
    assert deltas[0] == pytest.approx(0.3)
    assert all(later - earlier == pytest.approx(0.015) for earlier, later in pairwise(deltas))


def test_rules_of_the_run_come_first_and_may_be_slow() -> None:
    rule = Rule.read({"when": "sunday", "say": "Never on a Sunday.", "delay": 1.0})
    slow = answer(body("Sunday?"), rule)
    assert said(slow) == "Never on a Sunday."
    assert slow.events[0][0] == pytest.approx(1.3)


def test_both_means_two_tools_at_once() -> None:
    given = body("Do both please", tools=[TOOL, {**TOOL, "name": "lookup"}, {**TOOL, "name": "end_call"}])
    message = answer(given).whole()
    assert [block["name"] for block in message["content"] if block["type"] == "tool_use"] == ["book", "lookup"]
    assert message["stop_reason"] == "tool_use"
    alone = answer(body("Do both please", tools=[TOOL])).whole()
    uses = [block for block in alone["content"] if block["type"] == "tool_use"]
    assert [use["name"] for use in uses] == ["book", "book"]
    assert uses[0]["id"] != uses[1]["id"]


def test_arguments_come_in_pieces_that_make_json() -> None:
    events = [event for _, event in answer(body("I'd like to book", tools=[TOOL])).events]
    pieces = [event["delta"]["partial_json"] for event in events if "partial_json" in event.get("delta", {})]
    assert pieces[0] == ""
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == {"day": "Tuesday at ten"}


def test_results_are_told() -> None:
    messages = [
        {"role": "user", "content": "book"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": str(i), "name": "book", "input": {}} for i in (1, 2)],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "Tuesday is free."},
                {"type": "tool_result", "tool_use_id": "2", "content": [{"type": "text", "text": "Friday is not"}]},
            ],
        },
    ]
    assert said(answer({**body(), "messages": messages})) == "Here is what I found: Tuesday is free; Friday is not."


def test_an_answer_ends_when_its_tokens_run_out() -> None:
    message = answer(body("Tell me a story", max_tokens=5)).whole()
    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] == 5


def test_no_tokens_at_all_warm_the_cache_and_say_nothing() -> None:
    brain = Brain(REFERENCE)
    system = [{"type": "text", "text": "x" * 40_000, "cache_control": MARK}]
    warm = brain.answer(body(system=system, max_tokens=0), 0.0, Random(1))
    assert warm.whole()["content"] == []
    assert warm.usage["cache_creation_input_tokens"] == 10_002
    later = brain.answer(body("Sundays?", system=system), 1.0, Random(1))
    assert later.usage["cache_read_input_tokens"] == 10_002


def test_a_cache_grows_with_the_conversation_and_dies_after_five_minutes() -> None:
    brain = Brain(REFERENCE)
    system = [{"type": "text", "text": "x" * 40_000, "cache_control": MARK}]

    def usage(now: float, *turns: str) -> Any:
        roles = ("user", "assistant")
        messages: list[Any] = [{"role": roles[place % 2], "content": turn} for place, turn in enumerate(turns)]
        messages[-1] = {"role": "user", "content": [{"type": "text", "text": turns[-1], "cache_control": MARK}]}
        found = brain.answer({**body(system=system), "messages": messages}, now, Random(1)).usage
        return found["cache_read_input_tokens"], found["cache_creation_input_tokens"], found["input_tokens"]

    assert usage(0.0, "a" * 94) == (0, 10_027, 0)
    assert usage(9.0, "a" * 94, "b" * 89, "c" * 94) == (10_027, 50, 0)
    assert usage(200.0, "a" * 94, "b" * 89, "c" * 94) == (10_077, 0, 0)
    assert usage(600.0, "a" * 94) == (0, 10_027, 0)
    assert usage(600.1, "a" * 94)[0] == 0  # the first answer has not begun yet
    assert usage(600.4, "a" * 94)[0] == 10_027


def test_a_short_prompt_is_silently_not_cached() -> None:
    system = [{"type": "text", "text": "x" * 4000, "cache_control": MARK}]
    assert answer(body(system=system)).usage["cache_creation_input_tokens"] == 0
    assert answer(body(system=system, model="claude-haiku-5-5")).usage["cache_creation_input_tokens"] == 1002


def test_current_models_think_unless_they_are_told_not_to() -> None:
    thoughtful = answer(body("Sundays?", model="claude-haiku-5-5")).whole()
    assert [block["type"] for block in thoughtful["content"]] == ["thinking", "text"]
    assert thoughtful["usage"]["output_tokens_details"]["thinking_tokens"] > 5
    quick = answer(body("Sundays?", model="claude-haiku-5-5", thinking={"type": "disabled"})).whole()
    assert [block["type"] for block in quick["content"]] == ["text"]


def test_a_hollow_answer_has_no_text() -> None:
    hollow = answer(body("Sundays?"), fault=Fault("anthropic", "hollow")).whole()
    assert (hollow["content"], hollow["stop_reason"]) == ([], "end_turn")
