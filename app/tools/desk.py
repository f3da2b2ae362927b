"""The desk: does what the mind asks for, everything of one question at once, and always answers.

A tool that fails, or takes too long, or does not exist, gives an answer that says so: only the mind can make the best
of it. What has to be written down is written by the notes that the call was given.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.call.actions import UseTools
from app.call.agent import Agent
from app.call.events import Event, ToolAnswer, ToolCall, ToolsAnswered
from app.errors import PatchcordError
from app.tools.catalogue import fault_of, own_tool
from app.tools.http import HttpTools, shortened

NOTE_SECONDS = 5.0  # a row in a database or a queue: milliseconds, or never while the caller waits

Note = Callable[[Mapping[str, Any]], Awaitable[str]]
Report = Callable[[Event], None]


class Desk:
    """The tools of one call. `notes`: who writes down take_message, opt_out and schedule_callback."""

    def __init__(self, agent: Agent, report: Report, *, http: HttpTools, notes: Mapping[str, Note]) -> None:
        self._agent = agent
        self._report = report
        self._http = http
        self._notes = notes

    async def use(self, ask: UseTools) -> None:
        """Report one `ToolsAnswered` with an answer for each call, in their order. Raises nothing."""
        async with asyncio.TaskGroup() as together:
            tasks = [together.create_task(self._answer(call)) for call in ask.calls]
        self._report(ToolsAnswered(ask.question, tuple(task.result() for task in tasks)))

    async def _answer(self, call: ToolCall) -> ToolAnswer:
        try:
            if fault := fault_of(self._agent, call) or self._fault_of_ours(call):
                return ToolAnswer(call.id, fault, failed=True)
            return ToolAnswer(call.id, shortened(await self._do(call)))
        except TimeoutError:
            return ToolAnswer(call.id, f"{call.name} took too long. It may or may not have been done.", failed=True)
        except PatchcordError as error:
            return ToolAnswer(call.id, f"{error}.", failed=True)
        except Exception as error:  # a note is foreign code; whatever it raises, the caller must not be left waiting
            return ToolAnswer(call.id, f"{call.name} failed: {type(error).__name__}.", failed=True)

    def _fault_of_ours(self, call: ToolCall) -> str:
        known = own_tool(self._agent, call.name) or call.name in self._notes
        return "" if known else f"{call.name} cannot be used in this call."

    async def _do(self, call: ToolCall) -> str:
        if tool := own_tool(self._agent, call.name):
            return await self._http.run(tool, call.arguments)
        async with asyncio.timeout(NOTE_SECONDS):
            return await self._notes[call.name](call.arguments)
