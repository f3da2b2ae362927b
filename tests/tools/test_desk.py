"""The desk answers every call, whatever comes of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest_asyncio

from app.call.actions import UseTools
from app.call.agent import Agent, HttpTool
from app.call.events import Event, ToolAnswer, ToolCall, ToolsAnswered
from app.tools import desk
from app.tools.desk import Desk, Note
from app.tools.http import HttpTools, open_client

TOOL = HttpTool("find_slot", "Find a free time.", "http://127.0.0.1:1/slots", timeout=0.5)
AGENT = Agent("desk", "Hello.", "You answer.", tools=(TOOL,))
MESSAGE = {"name": "Ann", "message": "Call me."}


@pytest_asyncio.fixture
async def http() -> AsyncIterator[HttpTools]:
    async with open_client() as client:
        yield HttpTools(client, {})


async def used(http: HttpTools, notes: Mapping[str, Note], *calls: ToolCall) -> tuple[ToolAnswer, ...]:
    events: list[Event] = []
    await Desk(AGENT, events.append, http=http, notes=notes).use(UseTools(4, calls))
    (answered,) = events
    assert isinstance(answered, ToolsAnswered)
    assert answered.question == 4
    return answered.answers


async def test_all_calls_run_together_and_are_answered_in_their_order(http: HttpTools) -> None:
    second_ran = asyncio.Event()

    async def take(arguments: Mapping[str, Any]) -> str:
        await asyncio.wait_for(second_ran.wait(), 2)  # would never come if the second waited for the first
        return f"Taken from {arguments['name']}."

    async def opt_out(arguments: Mapping[str, Any]) -> str:
        second_ran.set()
        return "Done."

    calls = (ToolCall("a", "take_message", MESSAGE), ToolCall("b", "opt_out", {}))
    answers = await used(http, {"take_message": take, "opt_out": opt_out}, *calls)
    assert answers == (ToolAnswer("a", "Taken from Ann."), ToolAnswer("b", "Done."))


async def test_no_calls_are_no_answers(http: HttpTools) -> None:
    assert await used(http, {}) == ()


async def test_a_tool_that_nobody_knows_is_a_failed_answer(http: HttpTools) -> None:
    (answer,) = await used(http, {}, ToolCall("a", "fly", {}))
    assert answer.failed
    assert "no tool named 'fly'" in answer.text


async def test_a_note_that_this_call_cannot_take_is_a_failed_answer(http: HttpTools) -> None:
    (answer,) = await used(http, {}, ToolCall("a", "opt_out", {}))
    assert answer == ToolAnswer("a", "opt_out cannot be used in this call.", failed=True)


async def test_arguments_that_do_not_fit_never_reach_the_note(http: HttpTools) -> None:
    async def take(arguments: Mapping[str, Any]) -> str:
        raise AssertionError(arguments)

    (answer,) = await used(http, {"take_message": take}, ToolCall("a", "take_message", {"name": "Ann"}))
    assert answer == ToolAnswer("a", "message is missing.", failed=True)


async def test_a_note_that_breaks_is_a_failed_answer_and_hurts_no_other(http: HttpTools) -> None:
    async def take(arguments: Mapping[str, Any]) -> str:
        raise RuntimeError("disk of node 7 is full")

    async def opt_out(arguments: Mapping[str, Any]) -> str:
        return "Done."

    calls = (ToolCall("a", "take_message", MESSAGE), ToolCall("b", "opt_out", {}))
    failed, fine = await used(http, {"take_message": take, "opt_out": opt_out}, *calls)
    assert failed == ToolAnswer("a", "take_message failed: RuntimeError.", failed=True)
    assert fine == ToolAnswer("b", "Done.")


async def test_a_note_that_takes_too_long_is_a_failed_answer(http: HttpTools, monkeypatch: Any) -> None:
    monkeypatch.setattr(desk, "NOTE_SECONDS", 0.01)

    async def opt_out(arguments: Mapping[str, Any]) -> str:
        await asyncio.Event().wait()
        return "Never."

    (answer,) = await used(http, {"opt_out": opt_out}, ToolCall("a", "opt_out", {}))
    assert answer.failed
    assert "too long" in answer.text


async def test_a_long_answer_is_shortened(http: HttpTools) -> None:
    async def opt_out(arguments: Mapping[str, Any]) -> str:
        return "word " * 2000

    (answer,) = await used(http, {"opt_out": opt_out}, ToolCall("a", "opt_out", {}))
    assert len(answer.text) < 4020
    assert answer.text.endswith("(cut)")


async def test_an_http_tool_is_run_and_its_failure_is_an_answer(http: HttpTools) -> None:
    (answer,) = await used(http, {}, ToolCall("a", "find_slot", {}))
    assert answer == ToolAnswer("a", "find_slot: its address is private, which is not allowed.", failed=True)


async def test_cancelling_the_desk_cancels_what_it_does_and_reports_nothing(http: HttpTools) -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    events: list[Event] = []

    async def opt_out(arguments: Mapping[str, Any]) -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "Never."

    it = Desk(AGENT, events.append, http=http, notes={"opt_out": opt_out})
    async with asyncio.TaskGroup() as call:
        using = call.create_task(it.use(UseTools(4, (ToolCall("a", "opt_out", {}),))))
        await began.wait()
        using.cancel()
    assert ended.is_set()
    assert using.cancelled()
    assert events == []
