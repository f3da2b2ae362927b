"""One answer on its way: who is thinking about it, what of it is being spoken, what is to follow it."""

from dataclasses import dataclass, field

from app.call.actions import HangUp, Transfer
from app.call.agent import Agent
from app.call.events import ToolAnswer, ToolCall

# What the core does itself, because it is about the call and not about the world.
END_CALL = "end_call"
TRANSFER = "transfer"
PRESS_KEYS = "press_keys"
OWN_TOOLS = frozenset({END_CALL, TRANSFER, PRESS_KEYS})

Farewell = HangUp | Transfer


@dataclass(slots=True)
class Reply:
    """`asked` are the caller's words that it answers; empty for what the platform says by itself."""

    asked: str = ""
    committed: bool = False
    question: int = 0  # the first request, by which the turn is known
    thinking: set[int] = field(default_factory=set)  # requests that are open: one, or one and its hedge
    chosen: int | None = None  # the request that began to answer first
    second_mind: bool = False  # the fallback model has been asked
    rounds: int = 0
    utterance: int | None = None  # takes the pieces of the answer
    cover: int | None = None  # an acknowledgement that is to be heard before them
    unspoken: list[str] = field(default_factory=list)  # pieces that wait for the commit
    spoken: list[int] = field(default_factory=list)  # utterances begun
    said: bool = False  # there is something for the caller to hear
    written: str = ""  # what the mind has said so far
    over: str = ""  # why the thought ended, once it has
    wanted: tuple[ToolCall, ...] = ()
    wanted_by: int = 0
    working: int | None = None  # tools are at work for this request
    farewell: Farewell | None = None

    @property
    def busy(self) -> bool:
        """Is there more to come of it than the sound that is already with the mouth?"""
        return bool(self.thinking) or self.working is not None or bool(self.wanted) or bool(self.unspoken)


@dataclass(frozen=True, slots=True)
class OwnWork:
    """What the core's own tools come to: answers for the mind, keys to press, and perhaps the end of the call."""

    answers: tuple[ToolAnswer, ...]
    keys: str
    farewell: Farewell | None

    @property
    def failed(self) -> bool:
        return any(answer.failed for answer in self.answers)


def own_work(calls: tuple[ToolCall, ...], agent: Agent) -> OwnWork:
    answers: list[ToolAnswer] = []
    keys = ""
    farewell: Farewell | None = None
    for call in calls:
        if call.name == END_CALL:
            farewell = farewell or HangUp("agent said goodbye", "agent")
            answers.append(ToolAnswer(call.id, "The call ends when your goodbye has been heard."))
        elif call.name == PRESS_KEYS:
            pressed = "".join(key for key in str(call.arguments.get("keys", "")) if key in "0123456789*#ABCD")
            keys += pressed
            answers.append(ToolAnswer(call.id, f"Pressed {pressed}." if pressed else "No such keys.", not pressed))
        elif call.name == TRANSFER:
            to = str(call.arguments.get("to", ""))
            number = agent.transfers.get(to)
            if number is None:
                known = ", ".join(agent.transfers) or "nobody"
                answers.append(ToolAnswer(call.id, f"There is no {to!r} to transfer to, only: {known}.", True))
            else:
                farewell = Transfer(number, str(call.arguments.get("summary", "")))
                answers.append(ToolAnswer(call.id, f"The caller is being put through to {to}."))
    return OwnWork(tuple(answers), keys, farewell)
