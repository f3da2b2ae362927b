"""Claude's wire, without waiting: the memory of a call into a request, and the event stream back into events.

Nothing here knows of sockets or clocks. A stream that breaks its own rules becomes a `VendorError`, never a crash.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.call.actions import Message, Said, Used
from app.call.events import Event, Metered, Thought, ThoughtBegan, ThoughtEnded, ToolCall, ToolsWanted
from app.errors import VendorError
from app.mind.briefing import Briefing
from app.mind.sentences import Sentences

VENDOR = "anthropic"
LONGEST_ANSWER = 400  # tokens: about two minutes of speech, longer than any caller listens
LONGEST_WITH_THINKING = 2000  # where thinking cannot be turned off it is paid from the same purse
LETTERS_PER_TOKEN = 3.5  # English text and JSON with the tokenizer of the 5.5 generation, for estimates only
UNREADABLE = "unreadable"  # the one argument of a tool call whose JSON was broken: whoever does it answers with a fault

_MARK = {"type": "ephemeral"}  # five minutes, and every read starts them anew: longer than a silence in a busy line
_THINKING_OFF: Mapping[str, Mapping[str, Any]] = {
    "claude-haiku-5-5": {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
    "claude-sonnet-5-5": {"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}},
}
_THINKS_ALWAYS = ("claude-opus-5-5", "claude-fable-5", "claude-mythos-5")
_REASONS = {
    "end_turn": "finished",
    "stop_sequence": "finished",
    "pause_turn": "finished",
    "tool_use": "tools",
    "max_tokens": "too_long",
    "model_context_window_exceeded": "too_long",
    "refusal": "refused",
}
_HOPELESS = frozenset(
    (
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "billing_error",
    )
)


# --- asking -------------------------------------------------------------------------------------------------------


def request(model: str, briefing: Briefing, facts_line: str, messages: Sequence[Message]) -> dict[str, Any]:
    """The arguments of one request. Three of the four cache marks: tools, system, and the end of the memory."""
    asked: dict[str, Any] = {
        "model": model,
        "max_tokens": LONGEST_WITH_THINKING if model.startswith(_THINKS_ALWAYS) else LONGEST_ANSWER,
        "system": _marked([{"type": "text", "text": text} for text in briefing.system if text.strip()]),
        "messages": conversation(facts_line, messages),
        **thinking(model),
    }
    if briefing.tools:
        asked["tools"] = _marked(briefing.tools)
    return asked


def warming(model: str, briefing: Briefing) -> dict[str, Any]:
    """A request that only makes the vendor read what all calls share. One token, since streams of none are unproven."""
    asked = request(model, briefing, "", ())
    return {**asked, "max_tokens": 1, "messages": [{"role": "user", "content": "[The line is being tested.]"}]}


def thinking(model: str) -> Mapping[str, Any]:
    """Thinking costs the caller seconds of silence: off, in the words that this model takes for it."""
    if model in _THINKING_OFF:
        return _THINKING_OFF[model]
    return {"output_config": {"effort": "low"}} if model.startswith(_THINKS_ALWAYS) else {}


def conversation(facts_line: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The memory in the vendor's form: the user first and last, roles in turn, each tool's answer right behind it."""
    turns: list[dict[str, Any]] = []
    _append(turns, "user", [_text(f"[{facts_line.strip() or 'The call begins.'}]")])
    for message in messages:
        if isinstance(message, Said):
            _append(turns, "assistant" if message.who == "agent" else "user", _spoken(message))
        elif message.calls:
            _append(turns, "assistant", [_tool_use(call) for call in message.calls])
            _append(turns, "user", _tool_results(message))
    if turns[-1]["role"] == "assistant":
        _append(turns, "user", [_text("[The caller says nothing. Go on.]")])
    turns[-1]["content"] = _marked(turns[-1]["content"])
    return turns


def _append(turns: list[dict[str, Any]], role: str, blocks: list[dict[str, Any]]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"].extend(blocks)  # as blocks, not joined: what is cached already stays a prefix
    else:
        turns.append({"role": role, "content": blocks})


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _spoken(said: Said) -> list[dict[str, Any]]:
    text = said.text.strip()
    if not text:
        return []
    if said.who == "platform":
        return [_text(f"[{text}]")]
    if said.who == "caller":  # nobody speaks brackets, and only the platform may write them
        text = text.translate({ord("["): "(", ord("]"): ")"})
    return [_text(text)]


def _tool_use(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}


def _tool_results(used: Used) -> list[dict[str, Any]]:
    answers = {answer.id: answer for answer in used.answers}
    results = []
    for call in used.calls:
        answer = answers.get(call.id)
        text, failed = (answer.text.strip() or "Done.", answer.failed) if answer else ("No answer came.", True)
        block = {"type": "tool_result", "tool_use_id": call.id, "content": text}
        results.append({**block, "is_error": True} if failed else block)
    return results


def _marked(blocks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same blocks, the last one with a cache mark."""
    return [*map(dict, blocks[:-1]), *({**block, "cache_control": _MARK} for block in blocks[-1:])]


# --- reading ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Usage:
    """What one request costs, in tokens. `guessed`: the units of which the vendor did not get to say how many."""

    input: int = 0
    cache_write: int = 0
    cache_read: int = 0
    output: int = 0
    guessed: frozenset[str] = frozenset()

    def metered(self, model: str, question: int | None, wasted: str = "") -> list[Metered]:
        units = {
            "input_token": self.input,
            "cache_write_5m_token": self.cache_write,
            "cache_read_token": self.cache_read,
            "output_token": self.output,
        }
        return [
            Metered(VENDOR, model, unit, str(tokens), question, estimated=unit in self.guessed, wasted=wasted)
            for unit, tokens in units.items()
            if tokens
        ]


def tokens_of(letters: int) -> int:
    """How many tokens so many letters are, roughly."""
    return round(letters / LETTERS_PER_TOKEN)


def unanswered(asked: Mapping[str, Any], cached: int) -> Usage:
    """What a request costs of which nothing came back, when `cached` tokens of it were read from the cache before."""
    letters = len(json.dumps([asked["system"], asked["messages"], asked.get("tools", [])], ensure_ascii=False))
    tokens = tokens_of(letters)
    return Usage(
        input=max(0, tokens - cached),
        cache_read=min(cached, tokens),
        guessed=frozenset({"input_token", "cache_read_token"}),
    )


@dataclass(slots=True)
class _Wanted:
    """A tool call whose arguments are still arriving."""

    id: str
    name: str
    parts: list[str] = field(default_factory=list)

    def call(self) -> ToolCall:
        text = "".join(self.parts)
        try:
            arguments = json.loads(text) if text.strip() else {}
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            arguments = {UNREADABLE: text}
        return ToolCall(self.id, self.name, arguments)


class Reading:
    """One answer as it arrives: takes the stream's messages, gives events. `ended` after the last one."""

    def __init__(self, question: int) -> None:
        self.question = question
        self.started = False
        self.ended = False
        self._began = False
        self._sentences = Sentences()
        self._texts: set[int] = set()
        self._wanted: dict[int, _Wanted] = {}
        self._stop_reason = ""
        self._letters = 0
        self._usage = Usage()

    def receive(self, message: Mapping[str, Any]) -> list[Event]:
        """Raises VendorError for a fault of the vendor, told or untold. Kinds that are new to us are ignored."""
        try:
            return list(self._receive(message))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise VendorError(VENDOR, f"sent what nobody understands: {error!r}") from error

    def usage(self, unanswered: Usage | None = None) -> Usage:
        """What is to be paid by now. A cut answer is estimated by its letters, an unbegun one is `unanswered`."""
        if not self.started:
            return unanswered or Usage()
        if self.ended:
            return self._usage
        known = self._usage
        output = max(known.output, tokens_of(self._letters))
        return Usage(known.input, known.cache_write, known.cache_read, output, guessed=frozenset({"output_token"}))

    def _receive(self, message: Mapping[str, Any]) -> Iterable[Event]:
        kind = message["type"]
        if kind == "content_block_delta":
            return self._grow(message["index"], message["delta"])
        if kind == "content_block_start":
            return self._open(message["index"], message["content_block"])
        if kind == "content_block_stop":
            return self._speak(self._sentences.end()) if message["index"] in self._texts else ()
        if kind == "message_start":
            self.started = True
            self._count(message["message"]["usage"])
        elif kind == "message_delta":
            self._stop_reason = message["delta"].get("stop_reason") or self._stop_reason
            self._count(message.get("usage") or {})
        elif kind == "message_stop":
            return self._close()
        elif kind == "error":
            raise fault(message["error"])
        return ()

    def _open(self, index: int, block: Mapping[str, Any]) -> Iterable[Event]:
        if block["type"] == "text":
            self._texts.add(index)
            return self._grow(index, {"type": "text_delta", "text": block.get("text", "")})
        if block["type"] == "tool_use":
            given = json.dumps(block["input"]) if block.get("input") else ""
            self._wanted[index] = _Wanted(block["id"], block["name"], [given] if given else [])
            return self._begin()
        return ()

    def _grow(self, index: int, delta: Mapping[str, Any]) -> Iterable[Event]:
        if delta["type"] == "text_delta":
            text = delta["text"]
            self._letters += len(text)
            return [*self._begin(), *self._speak(self._sentences.add(text))] if text else ()
        if delta["type"] == "input_json_delta":
            self._letters += len(delta["partial_json"])
            self._wanted[index].parts.append(delta["partial_json"])
            return ()
        if delta["type"] == "thinking_delta":  # paid for and never kept; but it shows that the mind is alive
            self._letters += len(delta["thinking"])
            return self._begin()
        return ()

    def _begin(self) -> list[Event]:
        if self._began:
            return []
        self._began = True
        return [ThoughtBegan(self.question)]

    def _speak(self, pieces: list[str]) -> list[Event]:
        return [Thought(self.question, piece) for piece in pieces]

    def _close(self) -> Iterable[Event]:
        self.ended = True
        reason = _REASONS.get(self._stop_reason, "finished")
        yield from self._speak(self._sentences.end())
        if reason == "tools" and self._wanted:
            calls = tuple(self._wanted[index].call() for index in sorted(self._wanted))
            yield ToolsWanted(self.question, calls)
        elif reason == "tools":
            reason = "finished"
        yield ThoughtEnded(self.question, reason)

    def _count(self, told: Mapping[str, Any]) -> None:
        """The vendor counts up: a later figure replaces an earlier one."""
        names = {
            "input": "input_tokens",
            "cache_write": "cache_creation_input_tokens",
            "cache_read": "cache_read_input_tokens",
            "output": "output_tokens",
        }
        for name, wire_name in names.items():
            if isinstance(told.get(wire_name), int):
                setattr(self._usage, name, told[wire_name])


def fault(error: Mapping[str, Any]) -> VendorError:
    """An `error` object of the wire, mid-stream or as the body of a refusal."""
    kind = str(error.get("type", "error"))
    return VendorError(VENDOR, f"{kind}: {error.get('message', '')}".rstrip(": "), again=kind not in _HOPELESS)
