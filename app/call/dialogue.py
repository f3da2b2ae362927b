"""The memory of a call: what each side said, and of the agent's words only those that were heard.

A line of the agent is open while it is being spoken. It closes whole when its last sound was played, or cut with the
words that were; a line of which nothing was heard leaves no trace.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.call.actions import Message, Said, Used
from app.call.events import ToolAnswer, ToolCall

ELLIPSIS = "…"
_NO_ANSWER_YET = "No answer yet: the caller went on talking."


@dataclass(slots=True)
class _AgentLine:
    question: int
    text: str


@dataclass(slots=True)
class _ToolLine:
    question: int
    calls: tuple[ToolCall, ...]
    answers: dict[str, ToolAnswer]

    def used(self) -> Used:
        waiting = {call.id: ToolAnswer(call.id, _NO_ANSWER_YET, failed=True) for call in self.calls}
        return Used(self.calls, tuple(self.answers.get(call.id, waiting[call.id]) for call in self.calls))


class Dialogue:
    def __init__(self, memory: tuple[Message, ...] = ()) -> None:
        self._lines: list[Message | _AgentLine | _ToolLine] = list(memory)

    def messages(self, heard: Callable[[int], str]) -> tuple[Message, ...]:
        """The conversation so far; `heard` gives the words of an open line that the caller has heard by now."""
        messages: list[Message] = []
        for line in self._lines:
            match line:
                case _AgentLine():
                    if words := heard(line.question):
                        messages.append(Said("agent", words))
                case _ToolLine():
                    messages.append(line.used())
                case _:
                    messages.append(line)
        return tuple(messages)

    def last_asked(self) -> str:
        """What the agent said last: the caller's words are an answer to it."""
        for line in reversed(self._lines):
            if isinstance(line, _AgentLine) or (isinstance(line, Said) and line.who == "agent"):
                return line.text
        return ""

    def caller_said(self, text: str) -> None:
        self._lines.append(Said("caller", text))

    def platform_noted(self, text: str) -> None:
        self._lines.append(Said("platform", text))

    def agent_begins(self, question: int) -> None:
        self._lines.append(_AgentLine(question, ""))

    def agent_adds(self, question: int, text: str) -> None:
        if (line := self._open(question)) is not None:
            line.text += text

    def agent_rewords(self, question: int, text: str) -> None:
        """Only this part of the line was voiced; the rest is spoken anew, as a line of its own."""
        if (line := self._open(question)) is not None:
            line.text = text

    def agent_heard_all(self, question: int) -> None:
        if (line := self._open(question)) is not None:
            self._replace(line, Said("agent", line.text.strip()) if line.text.strip() else None)

    def agent_cut(self, question: int, heard: str) -> None:
        """Only `heard` was heard of this line, which ends here."""
        if (line := self._open(question)) is not None:
            self._replace(line, Said("agent", f"{heard}{ELLIPSIS}") if heard else None)

    def tools_used(self, question: int, calls: tuple[ToolCall, ...]) -> None:
        self._lines.append(_ToolLine(question, calls, {}))

    def tools_answered(self, question: int, answers: tuple[ToolAnswer, ...]) -> None:
        for line in self._lines:
            if isinstance(line, _ToolLine) and line.question == question:
                line.answers.update((answer.id, answer) for answer in answers)

    def open_calls(self, question: int) -> tuple[ToolCall, ...]:
        """The tool calls of this question that have no answer yet."""
        for line in self._lines:
            if isinstance(line, _ToolLine) and line.question == question:
                return tuple(call for call in line.calls if call.id not in line.answers)
        return ()

    def _open(self, question: int) -> _AgentLine | None:
        return next(
            (line for line in reversed(self._lines) if isinstance(line, _AgentLine) and line.question == question),
            None,
        )

    def _replace(self, line: _AgentLine, said: Said | None) -> None:
        place = next(n for n, other in enumerate(self._lines) if other is line)
        self._lines[place : place + 1] = [said] if said else []
