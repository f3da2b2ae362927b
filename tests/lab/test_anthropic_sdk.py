"""Anthropic's wire of the lab, spoken to by its own SDK."""

import asyncio
from time import perf_counter
from typing import Any

import httpx2
import pytest
from anthropic import APIStatusError, RateLimitError

from ops.lab.vendors import Lab
from tests.lab.clients import answer_to, anthropic, ask

PAGE = "a" * 8000


async def test_claude_streams_through_the_sdk_at_the_pace_of_the_profile(lab: Lab) -> None:
    began = perf_counter()
    first, text, kinds = 0.0, "", []
    async with answer_to(lab, "Are you open on Sundays?") as stream:
        async for event in stream:
            kinds.append(event.type)
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                first = first or perf_counter() - began
                text += event.delta.text
    assert text == "No, we are closed on Sundays. On Saturdays we are open from ten to two."
    assert 0.29 <= first <= 0.6
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert lab.requests()[-1]["messages"][-1]["content"] == "Are you open on Sundays?"
    (request,) = lab.counts()["anthropic"]["requests"]
    assert request["stop_reason"] == "end_turn"
    assert request["output_tokens"] > 10


async def test_an_answer_that_is_broken_off_is_metered_as_cancelled(lab: Lab) -> None:
    async with answer_to(lab, "Tell me about the clinic") as stream:
        async for event in stream:
            if event.type == "content_block_delta":
                break
    for _ in range(200):  # the server notices in its own time, which is not ours
        if lab.counts()["anthropic"]["cancelled"]:
            break
        await asyncio.sleep(0.01)
    (request,) = lab.counts()["anthropic"]["requests"]
    assert 1 <= request["output_tokens"] < 30
    assert request["stop_reason"] is None


async def test_tools_come_with_their_arguments_and_their_results_come_back_as_words(lab: Lab) -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
    tools: list[Any] = [{"name": "book", "description": "Book.", "input_schema": schema}]
    wanted = await ask(lab, "I'd like to book an appointment", tools=tools)
    assert wanted.stop_reason == "tool_use"
    use = wanted.content[1]
    assert (use.name, use.input) == ("book", {"day": "Tuesday at ten"})
    async with anthropic(lab) as client:
        done = await client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=200,
            tools=tools,
            messages=[
                {"role": "user", "content": "I'd like to book an appointment"},
                {"role": "assistant", "content": [use.model_dump(include={"type", "id", "name", "input"})]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "Booked."}]},
            ],
        )
    assert [block.text for block in done.content if block.type == "text"] == ["Here is what I found: Booked."]


async def test_a_prompt_is_written_to_the_cache_once_and_read_from_then_on(lab: Lab) -> None:
    system = [{"type": "text", "text": PAGE * 3, "cache_control": {"type": "ephemeral"}}]
    warm = await ask(lab, "hello", system=system)
    assert (warm.usage.cache_creation_input_tokens, warm.usage.cache_read_input_tokens) == (6002, 0)
    again = await ask(lab, "Are you open?", system=system)
    assert (again.usage.cache_creation_input_tokens, again.usage.cache_read_input_tokens) == (0, 6002)
    assert again.usage.input_tokens == 5
    async with anthropic(lab) as client:
        counted = await client.messages.count_tokens(
            model="claude-haiku-4-5",
            system=system,  # type: ignore[arg-type]
            messages=[{"role": "user", "content": "Are you open?"}],
        )
    assert counted.input_tokens == 6007


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"extra_body": {"temperature": 0.2}, "model": "claude-haiku-5-5"}, "temperature"),
        ({"model": "claude-sonnet-5-5", "thinking": {"type": "disabled"}}, "disabled"),
        ({"system": [{"type": "text", "text": ""}]}, "non-empty"),
    ],
)
async def test_claude_refuses_what_the_vendor_refuses(lab: Lab, more: dict[str, Any], complaint: str) -> None:
    given = {"model": "claude-haiku-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}], **more}
    async with anthropic(lab) as client:
        with pytest.raises(APIStatusError) as refused:
            await client.messages.create(**given)
    assert refused.value.status_code == 400
    assert complaint in str(refused.value)


async def test_faults_of_claude_come_as_the_sdk_knows_them(lab: Lab) -> None:
    lab.faults(vendor="anthropic", kind="refuse", status=429, retry_after=7)
    with pytest.raises(RateLimitError) as limited:
        await ask(lab, "hello")
    assert limited.value.response.headers["retry-after"] == "7"
    lab.faults(vendor="anthropic", kind="error", after=0.35)
    async with answer_to(lab, "Tell me about the clinic") as stream:
        with pytest.raises(APIStatusError) as broken:
            [event async for event in stream]
    assert broken.value.type == "overloaded_error"
    lab.faults(vendor="anthropic", kind="drop", after=0.35)
    async with answer_to(lab, "Tell me about the clinic") as stream:
        with pytest.raises(httpx2.TransportError):
            [event async for event in stream]
    began = perf_counter()
    lab.faults(vendor="anthropic", kind="slow", after=0.3)
    await ask(lab, "hello")
    assert perf_counter() - began >= 0.6
