"""What the mind may do besides talk: the tools of the house and those of the agent, as the mind is told of them.

Pure: it describes tools and checks what is asked of them. Some are decided in the call itself (ending it, transferring,
pressing keys), the others are done by the desk.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.call.agent import Agent, HttpTool
from app.call.events import ToolCall
from app.errors import SettingsError
from app.tools.schema import faults

BY_THE_CALL = frozenset({"end_call", "transfer", "press_keys"})
"""Decided by the core: they change the call itself, so the desk never sees them."""

NOTES = frozenset({"take_message", "opt_out", "schedule_callback"})
"""Written down by the desk."""

UNREADABLE = "unreadable"
"""The name under which the mind's adapter hands on arguments whose JSON was broken."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what the vendor takes for a tool's name
_NAMES_SHOWN = 20  # of what is known, in a text for the mind


def offered(agent: Agent) -> tuple[Mapping[str, Any], ...]:
    """All that this agent may use, each with name, description and input_schema, in an order that never changes.

    Raises SettingsError when a tool of the agent's cannot be offered.
    """
    own = [_told(tool.name, tool.description, tool.parameters) for tool in agent.tools]
    everything = (*_built_in(agent), *own)
    _refuse_what_cannot_be_offered(agent, [tool["name"] for tool in everything])
    return everything


def has_effect(agent: Agent, name: str) -> bool:
    """Whether using it changes something, so that it must wait until the caller has really finished speaking."""
    return all(tool.effect for tool in agent.tools if tool.name == name)


def own_tool(agent: Agent, name: str) -> HttpTool | None:
    """The agent's own tool of this name."""
    return next((tool for tool in agent.tools if tool.name == name), None)


def fault_of(agent: Agent, call: ToolCall) -> str:
    """What is wrong with this call, for the mind to mend; "" when nothing is."""
    tools = {tool["name"]: tool for tool in offered(agent)}
    if call.name not in tools:
        return f"There is no tool named {call.name!r}. There are: {', '.join([*tools][:_NAMES_SHOWN])}."
    if UNREADABLE in call.arguments:
        return "The arguments were not valid JSON. Use the tool again with complete arguments."
    return " ".join(faults(tools[call.name]["input_schema"], call.arguments))


def _refuse_what_cannot_be_offered(agent: Agent, names: list[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"Agent {agent.name!r}: tool name {name!r} must be 1 to 64 of A-Z a-z 0-9 _ -.")
        if names.count(name) > 1:
            raise SettingsError(f"Agent {agent.name!r}: two tools are named {name!r}; rename yours.")
    for tool in agent.tools:
        if tool.parameters.get("type") != "object":
            raise SettingsError(f"Agent {agent.name!r}: the parameters of {tool.name!r} must have type: object.")


def _built_in(agent: Agent) -> list[Mapping[str, Any]]:
    transfer = [_transfer(agent.transfers)] if agent.transfers else []
    return [_END_CALL, *transfer, _PRESS_KEYS, _TAKE_MESSAGE, _OPT_OUT, _SCHEDULE_CALLBACK]


def _told(name: str, description: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"name": name, "description": description, "input_schema": dict(schema)}


def _schema(*optional: str, **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _text(description: str, **limits: Any) -> Mapping[str, Any]:
    return {"type": "string", "description": description, **limits}


def _transfer(transfers: Mapping[str, str]) -> Mapping[str, Any]:
    return _told(
        "transfer",
        "Put the caller through to a person. Tell the caller first that you are doing so.",
        _schema(
            to=_text("Whom to put them through to.", enum=sorted(transfers)),
            summary=_text("Who calls and what they want, in one or two sentences, for the person who answers."),
        ),
    )


_END_CALL = _told(
    "end_call",
    "Hang up. Use it when the caller has said goodbye or wants nothing more, and say goodbye before you use it.",
    _schema(reason=_text("Why the call ends, in a few words, for the record.")),
)
_PRESS_KEYS = _told(
    "press_keys",
    "Press keys of the telephone, for an automatic menu at the other end. Never for a person.",
    _schema(keys=_text("The keys, in order.", pattern="^[0-9*#]{1,32}$")),
)
_TAKE_MESSAGE = _told(
    "take_message",
    "Write down a message for the people you answer for. Read it back to the caller before you use it.",
    _schema(
        "number",
        name=_text("Who leaves the message."),
        number=_text("Where they can be reached, if not at the number they call from."),
        message=_text("The message.", minLength=1),
    ),
)
_OPT_OUT = _told(
    "opt_out",
    "Never call this person again. Use it at once when they ask not to be called any more, and tell them it is done.",
    _schema(),
)
_SCHEDULE_CALLBACK = _told(
    "schedule_callback",
    "Arrange that somebody calls back. Agree on the time with the caller before you use it.",
    _schema(
        "number",
        when=_text("The agreed local time, as YYYY-MM-DDTHH:MM.", pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"),
        number=_text("The number to call, if not the one they call from."),
        about=_text("What it is about."),
    ),
)
