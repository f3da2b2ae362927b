"""Anthropic's HTTP interface: messages, streamed or whole, and the counting of tokens. It keeps what it was sent."""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ops.lab.brain import Answer, Brain, Rule, last_words
from ops.lab.door import CREDENTIAL_REFUSED, Gone, Patience, Request, clock
from ops.lab.profile import Fault, Faults, Profile
from ops.lab.refusals import Refused
from ops.lab.stamps import AnswerWatch, Stamps

_KEPT = 200  # request bodies
_ACCOUNTS = 5000
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(slots=True)
class Account:
    """What one request will cost. `output_tokens` are those that were sent before it ended or was broken off."""

    model: str
    usage: dict[str, Any]
    output_tokens: int = 0
    stop_reason: str | None = None
    cancelled: bool = False

    def told(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "input_tokens": self.usage["input_tokens"],
            "cache_creation_input_tokens": self.usage["cache_creation_input_tokens"],
            "cache_read_input_tokens": self.usage["cache_read_input_tokens"],
            "output_tokens": self.output_tokens,
            "stop_reason": self.stop_reason,
            "cancelled": self.cancelled,
        }


class Anthropic:
    """All of Anthropic that this lab has."""

    def __init__(self, profile: Profile, faults: Faults, seed: int, stamps: Stamps, rules: Sequence[Rule] = ()) -> None:
        self._stamps = stamps
        self.requests: deque[Any] = deque(maxlen=_KEPT)
        self._brain = Brain(profile, rules)
        self._faults = faults
        self._seed = seed
        self._numbers = itertools.count(1)
        self._accounts: deque[Account] = deque(maxlen=_ACCOUNTS)
        self._refused = 0

    def counts(self) -> dict[str, Any]:
        requests = [account.told() for account in self._accounts]
        kinds = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
        totals = {kind: sum(request[kind] for request in requests) for kind in kinds}
        cancelled = sum(request["cancelled"] for request in requests)
        return {"requests": requests, "refused": self._refused, "cancelled": cancelled, **totals}

    def reset(self) -> None:
        self.requests.clear()
        self._accounts.clear()
        self._refused = 0
        self._numbers = itertools.count(1)
        self._brain.forget()

    async def messages(self, request: Request) -> None:
        """POST /v1/messages."""
        number = next(self._numbers)
        name = f"req_lab{number:08d}"
        fault = self._faults.next("anthropic")
        body = await request.json()
        began = clock()
        self.requests.append(body)
        try:
            self._admit(request)
            if fault is not None and fault.kind == "quota":
                raise Refused("Your credit balance is too low to access the Anthropic API.")
            if fault is not None and fault.kind == "refuse":
                kind = _KINDS.get(fault.status, "api_error")
                raise Refused("Overloaded" if fault.status == 529 else "refused", status=fault.status, kind=kind)
            watch = self._watch(body, f"anthropic {number}")
            answer = self._answer(body, began, Random(f"{self._seed} anthropic {number}"), fault)
        except Refused as refused:
            return await self._refuse(request, refused, name, fault)
        account = Account(body["model"], dict(answer.usage))
        self._accounts.append(account)
        async with asyncio.TaskGroup() as group:
            patience = Patience(request, group)
            telling = _Telling(request, answer, account, began, fault, watch)
            try:
                await (telling.stream(patience, name) if body.get("stream") else telling.whole(patience, name))
            except Gone:
                account.cancelled = True
            finally:
                patience.over()

    async def count_tokens(self, request: Request) -> None:
        """POST /v1/messages/count_tokens."""
        body = await request.json()
        try:
            self._admit(request)
            tokens = _shaped(lambda: self._brain.count(body))
        except Refused as refused:
            return await self._refuse(request, refused, "req_lab_count", None)
        await request.answer(200, {"input_tokens": tokens})

    def _admit(self, request: Request) -> None:
        key = request.token("bearer") or request.headers.get("x-api-key")
        if not key or key == CREDENTIAL_REFUSED:
            raise Refused("invalid x-api-key", status=401, kind="authentication_error")
        if "anthropic-version" not in request.headers:
            raise Refused("anthropic-version: header is required")

    def _answer(self, body: Any, now: float, chance: Random, fault: Fault | None) -> Answer:
        answer = _shaped(lambda: self._brain.answer(body, now, chance, fault))
        assert isinstance(answer, Answer)
        return answer

    def _watch(self, body: Any, place: str) -> AnswerWatch | None:
        return AnswerWatch(self._stamps, place, _shaped(lambda: last_words(body))) if self._stamps.on else None

    async def _refuse(self, request: Request, refused: Refused, name: str, fault: Fault | None) -> None:
        self._refused += 1
        headers = [("request-id", name)]
        if fault is not None and fault.retry_after is not None:
            headers.append(("retry-after", f"{fault.retry_after:g}"))
        await request.answer(refused.status, {**refused.body, "request_id": name}, headers)


def _shaped(work: Any) -> Any:
    """Do the work of a request; what is of a shape that nobody foresaw is refused as a vendor would refuse it."""
    try:
        return work()
    except (AttributeError, KeyError, TypeError) as wrong:
        raise Refused(f"Input is of an unexpected shape: {wrong}") from None


class _Telling:
    """One answer on its way out: an account of it, and what goes wrong with it."""

    def __init__(
        self,
        request: Request,
        answer: Answer,
        account: Account,
        began: float,
        fault: Fault | None,
        watch: AnswerWatch | None,
    ) -> None:
        self._request = request
        self._watch = watch
        self._answer = answer
        self._account = account
        self._began = began
        self._fault = fault if fault is not None and fault.kind in ("mute", "drop", "error") else None

    async def whole(self, patience: Patience, name: str) -> None:
        await patience.until(self._began + self._answer.events[-1][0])
        message = self._answer.whole()
        self._account.output_tokens = message["usage"]["output_tokens"]
        self._account.stop_reason = message["stop_reason"]
        await self._request.answer(200, message, [("request-id", name)])

    async def stream(self, patience: Patience, name: str) -> None:
        """Events at their times; those of one moment leave together."""
        begun = False
        for moment, together in itertools.groupby(self._answer.events, key=lambda each: each[0]):
            if self._fault is not None and moment >= self._fault.after:
                return await self._happen(self._fault, patience, name, begun=begun)
            await patience.until(self._began + moment)
            if not begun:
                begun = True
                await self._request.begin(200, "text/event-stream; charset=utf-8", [("request-id", name)])
            events = [event for _, event in together]
            if self._watch is not None:
                for event in events:
                    self._watch.told(event)
            await self._request.put(b"".join(map(_sent, events)))
            for event in events:
                self._count(event)
        await self._request.put(b"", more=False)

    def _count(self, event: dict[str, Any]) -> None:
        if event["type"] == "content_block_delta" and any(event["delta"].get(key) for key in _COSTLY):
            self._account.output_tokens += 1
        elif event["type"] == "message_delta":
            self._account.output_tokens = event["usage"]["output_tokens"]
            self._account.stop_reason = event["delta"]["stop_reason"]

    async def _happen(self, fault: Fault, patience: Patience, name: str, *, begun: bool) -> None:
        await patience.until(self._began + fault.after)
        if fault.kind == "drop":
            self._account.cancelled = True
            return self._request.drop()
        if not begun:
            await self._request.begin(200, "text/event-stream; charset=utf-8", [("request-id", name)])
        if fault.kind == "error":
            error = {"type": "overloaded_error", "message": "Overloaded"}
            await self._request.put(_sent({"type": "error", "error": error}), more=False)
            return
        await patience.until(self._began + 3600.0)  # mute: nothing comes, until the other side gives up


_COSTLY = ("text", "thinking", "partial_json")


def _sent(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
