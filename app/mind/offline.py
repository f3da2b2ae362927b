"""A mind without a vendor: the rules of a small clinic, which books, moves and cancels appointments.

It answers as Claude's adapter does, from the memory of the call and the clinic's diary alone, so another process can
go on with a call. Nothing is written before the caller's turn is over.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.call.actions import Message, Think, Used
from app.call.agent import Agent
from app.call.events import Event, Metered, Thought, ThoughtBegan, ThoughtEnded, ThoughtFailed, ToolsWanted
from app.errors import VendorError
from app.mind.offline_answers import Answer, Answers, Diary, NotYet
from app.mind.offline_calendar import Clinic
from app.mind.offline_dialogue import wish
from app.mind.sentences import Sentences

VENDOR, PRODUCT = "offline", "rules"
LETTERS_PER_TOKEN = 3.5  # only so that the account shows what a model would have read and written

Report = Callable[[Event], None]


class OfflineMind:
    """The mind of one call. `phone` is the caller's number, or "" when it is not known; `clock` is local time."""

    def __init__(
        self,
        diary: Diary,
        agent: Agent,
        phone: str,
        report: Report,
        *,
        clinic: Clinic | None = None,
        own_tools: Sequence[Mapping[str, Any]] = (),
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._diary = diary
        self._agent = agent
        self._phone = phone
        self._report = report
        self._clinic = clinic or Clinic()
        self._may_use = {tool["name"] for tool in own_tools} | {"end_call"}
        self._clock = clock

    async def warm(self) -> None:
        """Rules need no warming; but the diary's first answer of a day takes the database longer than its second."""
        today = self._clock().date()
        try:
            await self._diary.taken(today, today)
        except VendorError:
            return  # who asks for an appointment will be told

    async def think(self, ask: Think) -> None:
        """Report one answer, or `ThoughtFailed`."""
        self._meter(ask.question, "input_token", sum(len(str(message)) for message in ask.messages))
        try:
            answer = await self._answer(ask.messages, may_write=not ask.ahead)
        except NotYet:
            self._report(ThoughtFailed(ask.question, "the diary is written only when the turn is over"))
        except VendorError as error:
            self._report(ThoughtFailed(ask.question, str(error), again=error.again))
        else:
            self._tell(ask.question, answer)

    async def _answer(self, messages: Sequence[Message], *, may_write: bool) -> Answer:
        now = self._clock()
        answers = Answers(self._diary, self._clinic, self._agent.transfers, self._phone, now, may_write)
        last = messages[-1] if messages else None
        if isinstance(last, Used):
            return answers.to_tools(last.calls[-1].name, failed=any(answer.failed for answer in last.answers))
        answer = await answers.to(wish(messages, now.date(), self._clinic))
        if answer.tool is not None and answer.tool.name == "take_message" and "take_message" not in self._may_use:
            return Answer("I am sorry, I cannot take messages at the moment. Is there anything else I can do for you?")
        return answer

    def _tell(self, question: int, answer: Answer) -> None:
        sentences = Sentences()
        self._report(ThoughtBegan(question))
        for piece in (*sentences.add(answer.text), *sentences.end()):
            self._report(Thought(question, piece))
        if answer.tool is not None:
            self._report(ToolsWanted(question, (answer.tool,)))
        self._report(ThoughtEnded(question, "tools" if answer.tool is not None else "finished"))
        self._meter(question, "output_token", len(answer.text))

    def _meter(self, question: int, unit: str, letters: int) -> None:
        tokens = str(round(letters / LETTERS_PER_TOKEN))
        self._report(Metered(VENDOR, PRODUCT, unit, tokens, question, estimated=True))
