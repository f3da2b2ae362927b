"""What Anthropic refuses is refused here, with its status; what it takes is taken."""

from typing import Any

import pytest

from ops.lab.refusals import Refused, check

USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "book", "input": {}}]}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
TEXT = {"type": "text", "text": "hi"}
MARKED = {**TEXT, "cache_control": {"type": "ephemeral"}}
TOOL = {"name": "book", "input_schema": {"type": "object"}}
SONNET, HAIKU, OPUS = "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"


def body(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"model": HAIKU, "max_tokens": 10, "messages": list(messages) or [user(TEXT)], **more}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


GOOD = {
    "plain": body(),
    "results of two tools in a row": body(user(TEXT), USE, user(RESULT, TEXT), tools=[TOOL]),
    "two users in a row": body(user(TEXT), user(TEXT)),
    "an assistant first": body({"role": "assistant", "content": "hi"}, user(TEXT)),
    "four marks": body(user(MARKED, MARKED), user(MARKED), system=[MARKED]),
    "no tokens": body(max_tokens=0),
    "thinking off": body(thinking={"type": "disabled"}, output_config={"effort": "low"}),
    "thinking between tools": body(model=SONNET, thinking={"type": "between_tools"}),
    "temperature of old models": body(model="claude-haiku-4-5", temperature=0.2),
    "prefill of old models": body(user(TEXT), {"role": "assistant", "content": "I"}, model="claude-haiku-4-5"),
}
BAD = {
    "an array": ([], "JSON object"),
    "no model": ({"max_tokens": 1, "messages": [user(TEXT)]}, "model: Field required"),
    "no max_tokens": ({"model": HAIKU, "messages": [user(TEXT)]}, "max_tokens: Field required"),
    "no messages": (body(**{"messages": []}), "at least one message"),
    "a field that nobody knows": (body(speaker="loud"), "speaker: Extra inputs"),
    "temperature": (body(temperature=0.2), "temperature"),
    "top_k": (body(model=SONNET, top_k=3), "top_k"),
    "an empty text": (body(user({"type": "text", "text": ""})), "non-empty"),
    "a blank text": (body(user({"type": "text", "text": "  "})), "non-whitespace"),
    "an empty content": (body(user()), "non-empty content"),
    "a tool without result": (body(user(TEXT), USE, user(TEXT)), "without `tool_result`"),
    "a tool at the end": (body(user(TEXT), USE), "without `tool_result`"),
    "a result after text": (body(user(TEXT), USE, user(TEXT, RESULT)), "must come before"),
    "a result of nothing": (body(user(RESULT)), "unexpected `tool_use_id`"),
    "prefill": (body(user(TEXT), {"role": "assistant", "content": "I"}), "prefill"),
    "five marks": (body(user(MARKED, MARKED, MARKED, MARKED), system=[MARKED]), "maximum of 4"),
    "a long mark after a short one": (
        body(user({**TEXT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}), system=[MARKED]),
        "must not come after",
    ),
    "thinking off in Sonnet": (body(model=SONNET, thinking={"type": "disabled"}), "not supported"),
    "thinking off in Opus": (body(model=OPUS, thinking={"type": "disabled"}), "not supported"),
    "thinking off with effort": (
        body(thinking={"type": "disabled"}, output_config={"effort": "high"}),
        "cannot disable",
    ),
    "forced tools in Sonnet": (body(model=SONNET, tools=[TOOL], tool_choice={"type": "any"}), "forced tool use"),
    "a tool without schema": (body(tools=[{"name": "book"}]), "input_schema"),
    "a tool with a bad name": (body(tools=[{**TOOL, "name": "book it"}]), "pattern"),
    "two tools of one name": (body(tools=[TOOL, TOOL]), "unique"),
    "a negative number": (body(max_tokens=-1), "max_tokens"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_requests_pass(name: str) -> None:
    check(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_are_refused_with_400(name: str) -> None:
    given, complaint = BAD[name]
    with pytest.raises(Refused) as refused:
        check(given)
    assert refused.value.status == 400
    assert complaint in str(refused.value)
    assert refused.value.body["error"]["type"] == "invalid_request_error"


def test_a_model_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(Refused) as refused:
        check(body(model="claude-2"))
    assert (refused.value.status, refused.value.kind) == (404, "not_found_error")


def test_counting_tokens_needs_no_maximum() -> None:
    check({"model": HAIKU, "messages": [user(TEXT)]}, counting=True)
