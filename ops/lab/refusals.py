"""What Anthropic refuses: a request body in, the complaint out, as strict as the vendor. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Model:
    """What matters of a model here. Thinking is one of: off unless asked, on unless disabled, between_tools, always."""

    thinking: str
    cache_from: int  # tokens; a shorter prompt is silently not cached
    prefill: bool = False
    sampling: bool = False  # takes temperature, top_p and top_k


MODELS = {
    "claude-haiku-5-5": Model("on", 512),
    "claude-sonnet-5-5": Model("between_tools", 512),
    "claude-opus-5-5": Model("always", 512),
    "claude-opus-5": Model("on", 512),
    "claude-sonnet-5": Model("on", 1024),
    "claude-opus-4-8": Model("on", 1024),
    "claude-sonnet-4-6": Model("off", 1024, sampling=True),
    "claude-sonnet-4-5": Model("off", 1024, prefill=True, sampling=True),
    "claude-sonnet-4-5-20250929": Model("off", 1024, prefill=True, sampling=True),
    "claude-opus-4-5": Model("off", 4096, prefill=True, sampling=True),
    "claude-haiku-4-5": Model("off", 4096, prefill=True, sampling=True),
    "claude-haiku-4-5-20251001": Model("off", 4096, prefill=True, sampling=True),
}
_FIELDS = """
    max_tokens messages model cache_control container diagnostics inference_geo metadata output_config service_tier
    speed stop_sequences stream system thinking tool_choice tools user_profile_id workspace_id temperature top_p top_k
    betas context_management mcp_servers
"""
FIELDS = frozenset(_FIELDS.split())
EFFORTS = ("low", "medium", "high", "xhigh", "max")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_KINDS = "text image document tool_use tool_result thinking redacted_thinking search_result server_tool_use"
_BLOCKS = frozenset(_KINDS.split())


class Refused(Exception):
    """A request that the vendor answers with an error, and its status."""

    def __init__(self, what: str, *, status: int = 400, kind: str = "invalid_request_error") -> None:
        super().__init__(what)
        self.status = status
        self.kind = kind

    @property
    def body(self) -> dict[str, Any]:
        return {"type": "error", "error": {"type": self.kind, "message": str(self)}}


def check(body: Any, *, counting: bool = False) -> None:
    """Raise `Refused` for the first thing that is wrong. `counting`: a request to count tokens needs no max_tokens."""
    if not isinstance(body, dict):
        raise Refused("request body must be a JSON object")
    for needed in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if needed not in body:
            raise Refused(f"{needed}: Field required")
    for unknown in sorted(set(body) - FIELDS):
        raise Refused(f"{unknown}: Extra inputs are not permitted")
    model = MODELS.get(body["model"]) if isinstance(body["model"], str) else None
    if model is None:
        raise Refused(f"model: {body['model']}", status=404, kind="not_found_error")
    if not counting:
        _check_numbers(body, model)
    _check_thinking(body, model)
    _check_tools(body)
    _check_system(body)
    _check_messages(body["messages"], model)
    _check_marks(body)


def thinks(body: Body) -> bool:
    """Whether the model thinks before it speaks: on current models it does, unless told otherwise."""
    asked = body.get("thinking", {}).get("type")
    usual = MODELS[body["model"]].thinking
    return usual == "always" or asked in ("enabled", "adaptive") or (asked is None and usual != "off")


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """Content as a list of blocks: a bare text is one of them."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def marked(body: Body) -> Iterator[Mapping[str, Any]]:
    """Every cache mark of a request, in the order in which the prompt is read."""
    prompt = [*body.get("tools", ()), *blocks_of(body.get("system", ()))]
    for message in body["messages"]:
        prompt += blocks_of(message["content"])
    for block in prompt:
        if block.get("cache_control"):
            yield block["cache_control"]
    if body.get("cache_control"):
        yield body["cache_control"]


def _check_numbers(body: Body, model: Model) -> None:
    most = body["max_tokens"]
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise Refused("max_tokens: Input should be a valid integer greater than or equal to 0")
    if not isinstance(body.get("stream", False), bool):
        raise Refused("stream: Input should be a valid boolean")
    for dial in ("temperature", "top_p", "top_k"):
        if dial in body and not model.sampling:
            raise Refused(f"{dial}: not supported by {body['model']}")
    if "temperature" in body and not 0 <= body["temperature"] <= 1:
        raise Refused("temperature: range: 0..1")


def _check_thinking(body: Body, model: Model) -> None:
    effort = body.get("output_config", {}).get("effort", "medium")
    if effort not in EFFORTS:
        raise Refused(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if "thinking" not in body:
        return
    thinking = body["thinking"]
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in ("enabled", "disabled", "adaptive", "between_tools"):
        raise Refused("thinking: Input tag does not match any of the expected tags")
    name = body["model"]
    if kind == "disabled" and model.thinking in ("between_tools", "always"):
        raise Refused(f'thinking.type: "disabled" is not supported by {name}')
    if kind == "disabled" and model.thinking == "on" and EFFORTS.index(effort) > EFFORTS.index("medium"):
        raise Refused(f"thinking.type: {name} cannot disable thinking at effort {effort}")
    if kind == "between_tools":
        if model.thinking != "between_tools":
            raise Refused(f'thinking.type: "between_tools" is not supported by {name}')
        if set(thinking) != {"type"} or EFFORTS.index(effort) > EFFORTS.index("high"):
            raise Refused("thinking: between_tools takes no other field and no effort above high")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < 1024:
            raise Refused("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= body.get("max_tokens", budget + 1):
            raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`")


def _check_tools(body: Body) -> None:
    tools = body.get("tools", [])
    if not isinstance(tools, list):
        raise Refused("tools: Input should be a valid list")
    for place, tool in enumerate(tools):
        if not _NAME.fullmatch(str(tool.get("name", ""))):
            raise Refused(f"tools.{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        schema = tool.get("input_schema")
        if not isinstance(schema, dict):
            raise Refused(f"tools.{place}.custom.input_schema: Field required")
        if schema.get("type") != "object":
            raise Refused(f"tools.{place}.custom.input_schema.type: Input should be 'object'")
    names = [tool["name"] for tool in tools]
    if len(set(names)) < len(names):
        raise Refused("tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        raise Refused("tool_choice: Input tag does not match any of the expected tags")
    if not tools and choice["type"] != "none":
        raise Refused("tool_choice may only be specified while providing tools")
    if choice["type"] in ("any", "tool") and MODELS[body["model"]].thinking == "between_tools":
        raise Refused(f"tool_choice: forced tool use is not supported by {body['model']}")
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise Refused(f"tool_choice.tool.name: Tool '{choice.get('name')}' not found in provided tools")


def _check_system(body: Body) -> None:
    system = body.get("system", [])
    if isinstance(system, str):
        return  # an empty text is as good as none here, though not inside a block
    for place, block in enumerate(system):
        if block.get("type") != "text":
            raise Refused(f"system.{place}.type: Input should be 'text'")
        _check_text(block, "system")


def _check_text(block: Body, where: str) -> None:
    text = block.get("text")
    if not isinstance(text, str):
        raise Refused(f"{where}: text: Field required")
    if not text:
        raise Refused(f"{where}: text content blocks must be non-empty")
    if not text.strip():
        raise Refused(f"{where}: text content blocks must contain non-whitespace text")


def _check_messages(messages: Any, model: Model) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: at least one message is required")
    open_tools: list[str] = []
    before = ""
    for place, message in enumerate(messages):
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            raise Refused(f"messages.{place}.role: Input should be 'user', 'assistant' or 'system'")
        if not isinstance(message.get("content"), str | list):
            raise Refused(f"messages.{place}.content: Field required")
        blocks = blocks_of(message["content"])
        if not blocks:
            raise Refused(f"messages.{place}: all messages must have non-empty content")
        for block in blocks:
            _check_block(block, place, role)
        # Two messages of one side in a row are read as one.
        if not (role == before == "user" and not open_tools):
            _check_answers(place, blocks, open_tools)
        before = role
        open_tools = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if open_tools:
        raise Refused(_unanswered(len(messages) - 1, open_tools))
    if before == "assistant" and not model.prefill:
        raise Refused("This model does not support assistant message prefill. The last message must be from the user.")


def _check_block(block: Body, place: int, role: str) -> None:
    kind = block.get("type")
    if kind not in _BLOCKS:
        raise Refused(f"messages.{place}.content: Input tag '{kind}' does not match any of the expected tags")
    if kind == "text":
        _check_text(block, "messages")
    elif kind == "tool_use":
        if role != "assistant":
            raise Refused(f"messages.{place}: `tool_use` blocks can only be in `assistant` messages")
        if not isinstance(block.get("input"), dict) or not block.get("name") or not block.get("id"):
            raise Refused(f"messages.{place}.content.tool_use: id, name and input (a dictionary) are required")
    elif kind == "tool_result":
        if role != "user":
            raise Refused(f"messages.{place}: `tool_result` blocks can only be in `user` messages")
        if not block.get("tool_use_id"):
            raise Refused(f"messages.{place}.content.tool_result.tool_use_id: Field required")
        for inner in block["content"] if isinstance(block.get("content"), list) else ():
            if inner.get("type") == "text":
                _check_text(inner, "messages")


def _check_answers(place: int, blocks: list[dict[str, Any]], open_tools: list[str]) -> None:
    """The results in a message must answer exactly the tools of the message before it, and come first."""
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    missing = [name for name in open_tools if name not in answered]
    if missing:
        raise Refused(_unanswered(place - 1, missing))
    strange = [name for name in answered if name not in open_tools]
    if strange:
        raise Refused(
            f"messages.{place}.content: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(strange)}. "
            "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
        )
    if len(set(answered)) < len(answered):
        raise Refused(f"messages.{place}.content: each tool_use must have a single result.")
    kinds = [block["type"] for block in blocks]
    if "tool_result" in kinds[len(answered) :]:
        raise Refused(f"messages.{place}.content: `tool_result` blocks must come before all others")


def _unanswered(place: int, ids: list[str]) -> str:
    return (
        f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _check_marks(body: Body) -> None:
    marks = list(marked(body))
    if len(marks) > 4:
        raise Refused(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}.")
    times = [mark.get("ttl", "5m") for mark in marks]
    if any(mark.get("type") != "ephemeral" for mark in marks) or not set(times) <= {"5m", "1h"}:
        raise Refused("cache_control: type must be ephemeral and ttl one of 5m and 1h")
    if times != sorted(times):  # "1h" sorts before "5m"
        raise Refused("cache_control: a ttl='1h' block must not come after a ttl='5m' block")
