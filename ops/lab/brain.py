"""How Claude answers: a request body in, and out come the events of its answer, each with the moment it is due.

What it says comes from rules: those of the run first, then those of a small clinic. Caches are kept as the vendor
keeps them, so that what a request costs can be checked. Nothing here waits; `now` is an argument.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Any

from ops.lab.profile import Fault, Profile
from ops.lab.refusals import MODELS, Body, blocks_of, check, thinks

Event = dict[str, Any]
_KEPT = {"5m": 300.0, "1h": 3600.0}  # seconds that a cached prompt lives after its last use
_SWEEP = 500  # requests after which forgotten prompts are swept out
_LOOKBACK = 20  # blocks before a mark in which an older mark is looked for
_THOUGHT = "The caller wants an answer. Let me think about what they need and say it in a sentence or two."
_NOT_USED_ALONE = ("transfer", "end_call", "press_keys", "opt_out")


@dataclass(frozen=True, slots=True)
class Rule:
    """When the caller's last words match, say this and use these tools. `delay` is added before the first token.

    A tool is a name, or {"name", "input"}; of an input that is not given, the required fields are made up. Tools that
    the request does not offer are left out, and `otherwise` is said if none is left.
    """

    when: str
    say: str
    tools: tuple[Any, ...] = ()
    delay: float = 0.0
    otherwise: str = ""
    stop_reason: str = ""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Rule":
        re.compile(given["when"])
        return cls(**{**given, "tools": tuple(given.get("tools", ()))})


CLINIC = (
    Rule(r"\bboth\b", "Let me look both of them up.", ("*", "*")),
    Rule(r"\b(good)?bye\b|that.s all", "Thank you for calling. Goodbye.", ("end_call",)),
    Rule(
        r"transfer|operator|(talk|speak) to|a (human|person)",
        "I'm putting you through to the front desk.",
        ("transfer",),
        otherwise="I'm sorry, nobody is free at the moment. Can I take a message?",
    ),
    Rule(r"sunday", "No, we are closed on Sundays. On Saturdays we are open from ten to two."),
    Rule(r"\bopen|hours|\bclose", "We are open from nine to five, Monday to Friday."),
    Rule(
        r"\bbook|appointment",
        "Let me look at the calendar.",
        ("book",),
        otherwise="I can offer you Tuesday at ten. Shall I book that for you?",
    ),
    Rule(
        r"\btell me",
        "Our clinic was founded in nineteen fifty two by two sisters who had just come home from the coast. "
        "In the first years they had one room, one nurse and a bicycle. "
        "Later the town grew, and the clinic moved into the old school by the river. "
        "Today eleven doctors work here, and three of them are grandchildren of the founders. "
        "Every spring we open the garden for our patients and their families. "
        "If you like, I can tell you more about any of that.",
    ),
    Rule(r"^\W*(hello|hi|hey)\b", "Hello, how can I help you?"),
    Rule(r"", "I see. Could you tell me a little more about that?"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one request: its events, each so many seconds after the request, and what it costs."""

    id: str
    events: tuple[tuple[float, Event], ...]
    usage: Mapping[str, Any]  # of the beginning; the tokens put out come with the events

    def whole(self) -> Event:
        """The same answer as one message, for a request that does not stream."""
        message: Event = {**self.events[0][1]["message"], "content": []}
        blocks: list[dict[str, Any]] = message["content"]
        arguments = ""
        for _, event in self.events:
            if event["type"] == "content_block_start":
                blocks.append(dict(event["content_block"]))
                arguments = ""
            elif event["type"] == "content_block_delta":
                for key in ("text", "thinking", "signature"):
                    if key in event["delta"]:
                        blocks[-1][key] = blocks[-1].get(key, "") + event["delta"][key]
                arguments += event["delta"].get("partial_json", "")
            elif event["type"] == "content_block_stop" and blocks[-1]["type"] == "tool_use":
                blocks[-1]["input"] = json.loads(arguments or "{}")
            elif event["type"] == "message_delta":
                message = {**message, **event["delta"], "usage": {**message["usage"], **event["usage"]}}
        return message


@dataclass(slots=True)
class Brain:
    """All of Claude that this lab has: its rules and its caches."""

    profile: Profile
    rules: Sequence[Rule] = ()
    _cache: dict[bytes, tuple[float, float]] = field(default_factory=dict)  # prompt -> (readable from, until)
    _answered: int = 0

    def forget(self) -> None:
        self._cache.clear()

    def answer(self, body: Any, now: float, chance: Random, fault: Fault | None = None) -> Answer:
        """The whole answer, made up at once. Raises `Refused`."""
        check(body)
        self._answered += 1
        usage = self._usage(body, now)
        speech, tools, reason, delay = self._decide(body)
        if fault is not None and fault.kind == "hollow":
            speech, tools, reason = "", [], "end_turn"
        start = self.profile.first_token.draw(chance) + delay
        start += fault.after if fault is not None and fault.kind == "slow" else 0.0
        script = _Script(start, self.profile.per_token.draw(chance), most=body["max_tokens"])
        name = f"msg_lab{self._answered:08d}"
        script.put({"type": "message_start", "message": _message(name, body["model"], usage)})
        script.put({"type": "ping"})
        if body["max_tokens"] > 0 and not (fault is not None and fault.kind == "hollow"):
            if thinks(body):
                script.think()
            script.speak(speech)
            for place, (tool, given) in enumerate(tools):
                script.use(f"toolu_lab{self._answered:06d}{place:02d}", tool, given)
        script.end("max_tokens" if script.cut or body["max_tokens"] == 0 else reason)
        return Answer(name, tuple(script.events), usage)

    def count(self, body: Any) -> int:
        """The tokens of a prompt. Raises `Refused`."""
        check(body, counting=True)
        return sum(_tokens(text) for text, _ in _prompt(body))

    def _decide(self, body: Body) -> tuple[str, list[tuple[str, dict[str, Any]]], str, float]:
        last = blocks_of(_last_of("user", body))
        offered = {tool["name"]: tool["input_schema"] for tool in body.get("tools", ())}
        results = [_result_text(block) for block in last if block["type"] == "tool_result"]
        if results:
            return f"Here is what I found: {'; '.join(results)}.", [], "end_turn", 0.0
        said = last_words(body)
        rule = next(rule for rule in (*self.rules, *CLINIC) if re.search(rule.when, said, re.IGNORECASE))
        tools = list(_choose(rule.tools, offered))
        if rule.tools and not tools and rule.otherwise:
            return rule.otherwise, [], "end_turn", rule.delay
        return rule.say, tools, rule.stop_reason or ("tool_use" if tools else "end_turn"), rule.delay

    def _usage(self, body: Body, now: float) -> dict[str, Any]:
        """What the prompt costs: read from the cache as far as one has it, written to it up to the last mark."""
        if self._answered % _SWEEP == 0:
            self._cache = {prompt: times for prompt, times in self._cache.items() if times[1] > now}
        digest = blake2b(body["model"].encode(), digest_size=16)
        total = 0
        points: list[tuple[bytes, int, str | None]] = []  # of every block: the prompt so far, its tokens, its mark
        for text, mark in _prompt(body):
            digest.update(text.encode() + b"\0")
            total += _tokens(text)
            points.append((digest.digest(), total, mark))
        least = MODELS[body["model"]].cache_from
        marks = [place for place, (_, tokens, mark) in enumerate(points) if mark and tokens >= least]
        read = self._read(points, marks, now)
        written = {"5m": 0, "1h": 0}
        done = read
        for place in marks:
            prompt, tokens, ttl = points[place]
            assert ttl is not None
            written[ttl] += max(0, tokens - done)
            done = max(done, tokens)
            # Others can read it as soon as the first answer has begun.
            ready, until = self._cache.get(prompt, (0.0, 0.0))
            ready = ready if now < until else now + self.profile.first_token.p50
            self._cache[prompt] = (ready, now + _KEPT[ttl])
        return {
            "input_tokens": total - done,
            "cache_creation_input_tokens": sum(written.values()),
            "cache_read_input_tokens": read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": written["5m"],
                "ephemeral_1h_input_tokens": written["1h"],
            },
            "output_tokens": 1,
            "service_tier": "standard",
        }

    def _read(self, points: Sequence[tuple[bytes, int, str | None]], marks: list[int], now: float) -> int:
        places = {place for mark in marks for place in range(max(0, mark - _LOOKBACK), mark + 1)}
        for place in sorted(places, reverse=True):
            prompt, tokens, _ = points[place]
            ready, until = self._cache.get(prompt, (math.inf, 0.0))
            if ready <= now < until:
                return tokens
        return 0


def last_words(body: Body) -> str:
    """What the caller said last."""
    return " ".join(block["text"] for block in blocks_of(_last_of("user", body)) if block["type"] == "text")


class _Script:
    """Events of one answer, a token at a time, until the tokens run out."""

    def __init__(self, start: float, per_token: float, *, most: int) -> None:
        self.events: list[tuple[float, Event]] = []
        self.cut = False
        self._at = start
        self._per_token = per_token
        self._left = most
        self._tokens = 0
        self._thought = 0
        self._index = 0

    def put(self, event: Event) -> None:
        self.events.append((self._at, event))

    def think(self) -> None:
        before = self._tokens
        self._block(
            {"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking", _split(_THOUGHT)
        )
        self._thought = self._tokens - before

    def speak(self, text: str) -> None:
        if text:
            self._block({"type": "text", "text": ""}, "text_delta", "text", _split(text))

    def use(self, name: str, tool: str, given: Mapping[str, Any]) -> None:
        block = {"type": "tool_use", "id": name, "name": tool, "input": {}}
        arguments = json.dumps(given)
        pieces = ["", *(arguments[at : at + 12] for at in range(0, len(arguments), 12))]
        self._block(block, "input_json_delta", "partial_json", pieces)

    def end(self, reason: str) -> None:
        usage: dict[str, Any] = {"output_tokens": max(1, self._tokens)}
        if self._thought:
            usage["output_tokens_details"] = {"thinking_tokens": self._thought}
        self.put({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage})
        self.put({"type": "message_stop"})

    def _block(self, block: Event, kind: str, key: str, pieces: Sequence[str]) -> None:
        if self.cut:
            return
        self.put({"type": "content_block_start", "index": self._index, "content_block": block})
        for piece in pieces:
            if self._left == 0:
                self.cut = True
                break
            self._delta({"type": kind, key: piece})
            if piece:
                self._left -= 1
                self._tokens += 1
                self._at += self._per_token
        if kind == "thinking_delta" and not self.cut:
            self._delta({"type": "signature_delta", "signature": "bGFi" * 8})
        self.put({"type": "content_block_stop", "index": self._index})
        self._index += 1

    def _delta(self, delta: Event) -> None:
        self.put({"type": "content_block_delta", "index": self._index, "delta": delta})


def _message(name: str, model: str, usage: Mapping[str, Any]) -> Event:
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": dict(usage),
    }


def _split(text: str) -> list[str]:
    """Text as a model puts it out: a short word is a token, a long one two."""
    return re.findall(r"\s*\S{1,8}", text)


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _prompt(body: Body) -> Iterator[tuple[str, str | None]]:
    """The prompt in the order in which it is read, block by block, each with the time to live of its cache mark."""
    blocks: list[tuple[str, Mapping[str, Any]]] = [("tool", tool) for tool in body.get("tools", ())]
    blocks += [("system", block) for block in blocks_of(body.get("system", ()))]
    for message in body["messages"]:
        blocks += [(message["role"], block) for block in blocks_of(message["content"])]
    for place, (role, block) in enumerate(blocks):
        mark = block.get("cache_control")
        if mark is None and place == len(blocks) - 1:
            mark = body.get("cache_control")  # of the whole request: it stands at the end
        plain = {key: value for key, value in block.items() if key != "cache_control"}
        text = plain["text"] if set(plain) == {"type", "text"} else json.dumps(plain, sort_keys=True)
        yield f"{role}: {text}", mark.get("ttl", "5m") if mark else None


def _last_of(role: str, body: Body) -> Any:
    return next((message["content"] for message in reversed(body["messages"]) if message["role"] == role), "")


def _result_text(block: Mapping[str, Any]) -> str:
    content = block.get("content", "")
    text = " ".join(inner.get("text", "") for inner in blocks_of(content))
    return text.strip().rstrip(".")[:300] or "nothing"


def _choose(wanted: Sequence[Any], offered: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tools of a rule that the request offers; "*" is any that only looks something up or writes it down."""
    harmless = [name for name in offered if name not in _NOT_USED_ALONE]
    any_tool = iter((harmless * 2)[: max(2, len(harmless))])
    for one in wanted:
        name = one["name"] if isinstance(one, Mapping) else one
        if name == "*":
            name = next(any_tool, None)
        if name in offered:
            given = one.get("input") if isinstance(one, Mapping) else None
            yield name, given if given is not None else arguments_for(offered[name])


def arguments_for(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that satisfy a tool's schema: its required fields, made up."""
    fields = schema.get("properties", {})
    return {name: _made_up(fields.get(name, {})) for name in schema.get("required", fields)}


def _made_up(schema: Mapping[str, Any]) -> Any:
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        return arguments_for(schema)
    if kind == "array":
        return [_made_up(schema.get("items", {}))]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(kind, "Tuesday at ten")
