"""Claude over the network: one request for each thought, cancelled at once when nobody wants it any more.

It waits, times and meters; what requests and answers mean is `claude_wire`'s. It never tries twice by itself: whether a
second request is worth it, and to which model, is decided where the caller's patience is known.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import httpx2
from anthropic import APIConnectionError, APIStatusError, AsyncAnthropic, AsyncStream, DefaultAioHttpClient

from app.call.actions import Think
from app.call.agent import Agent
from app.call.events import Event, ThoughtFailed, Troubled
from app.errors import VendorError
from app.mind import claude_wire
from app.mind.briefing import briefing
from app.mind.claude_wire import VENDOR, Reading, Usage

CONNECT_SECONDS = 2.0  # as long as the caller waits for a first token; after that the fallback is asked anyhow
READ_SECONDS = 8.0  # between two pieces of the stream; only thinking models pause for longer than one second
ANSWER_SECONDS = 30.0  # 400 tokens take ten seconds on the slowest day
KEEP_ALIVE_SECONDS = 300.0  # the SDK's five seconds would cost a new handshake at almost every turn
TAIL_SECONDS = 0.5  # the end of the response follows its last message at once; a read-out connection can be used again
WARM_SECONDS = 240.0  # the vendor's cache lives 300 s from its last use

Report = Callable[[Event], None]


def open_client(api_key: str, base_url: str | None = None, *, connections: int = 500) -> AsyncAnthropic:
    """The one client of the process: its connections outlive calls. Close it with `await client.close()`."""
    return AsyncAnthropic(
        api_key=api_key,
        base_url=base_url or None,
        max_retries=0,
        timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
        http_client=DefaultAioHttpClient(  # reads a stream for half of the processor that the usual client takes
            limits=httpx2.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            )
        ),
    )


class _Prefixes:
    """When the vendor last read the parts that calls share, and how many tokens they were, for one client."""

    def __init__(self) -> None:
        self._read_at: dict[str, float] = {}
        self._tokens: dict[str, int] = {}

    def is_warm(self, key: str, now: float) -> bool:
        return now - self._read_at.get(key, -WARM_SECONDS) < WARM_SECONDS

    def touch(self, key: str, now: float) -> None:
        self._read_at[key] = now
        for old in [key for key, at in self._read_at.items() if now - at > 2 * WARM_SECONDS]:  # agents come and go
            del self._read_at[old]
            self._tokens.pop(old, None)

    def forget(self, key: str) -> None:
        self._read_at.pop(key, None)

    def learn(self, key: str, tokens: int) -> None:
        """What is cached is counted together with a call's memory: the least ever seen is nearest to the prefix."""
        if tokens:
            self._tokens[key] = min(tokens, self._tokens.get(key, tokens))

    def tokens(self, key: str) -> int:
        return self._tokens.get(key, 0)


# The cache is the vendor's and stands for the whole process; what we know of it belongs to the client, not to a call.
_prefixes: WeakKeyDictionary[AsyncAnthropic, _Prefixes] = WeakKeyDictionary()


class ClaudeMind:
    """The mind of one call. `own_tools`: what the agent may use, each with name, description and input_schema."""

    def __init__(
        self,
        client: AsyncAnthropic,
        agent: Agent,
        facts_line: str,
        report: Report,
        *,
        own_tools: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._client = client
        self._agent = agent
        self._facts_line = facts_line
        self._report = report
        self._briefing = briefing(agent, own_tools)
        self._prefixes = _prefixes.setdefault(client, _Prefixes())
        self._key = hashlib.sha256(json.dumps([agent.model, self._briefing.system, own_tools]).encode()).hexdigest()

    async def warm(self) -> None:
        """Have the vendor read the briefing before the caller speaks, unless it read it within four minutes."""
        now = asyncio.get_running_loop().time()
        if self._prefixes.is_warm(self._key, now):
            return
        self._prefixes.touch(self._key, now)  # before the answer: ten calls that begin together warm once
        asked = claude_wire.warming(self._agent.model, self._briefing)
        try:
            await self._ask(asked, Reading(question=0), question=None)
        except VendorError as error:
            self._prefixes.forget(self._key)
            self._report(Troubled("mind", str(error), {"while": "warming"}))
        except asyncio.CancelledError:
            self._prefixes.forget(self._key)
            raise

    async def think(self, ask: Think) -> None:
        """Report one answer, or `ThoughtFailed`. Cancelling closes the request at once, and meters it all the same."""
        model = self._agent.fallback_model if ask.fallback else self._agent.model
        asked = claude_wire.request(model, self._briefing, self._facts_line, ask.messages)
        try:
            await self._ask(asked, Reading(ask.question), question=ask.question)
        except VendorError as error:
            self._report(ThoughtFailed(ask.question, str(error), again=error.again))

    async def _ask(self, asked: dict[str, Any], reading: Reading, *, question: int | None) -> None:
        """Report the events of one request and then its cost; one without a question is only paid for."""
        wasted = "failed"
        unanswered = Usage()
        try:
            with _blaming():
                async with asyncio.timeout(ANSWER_SECONDS), aclosing(self._messages(asked, reading)) as messages:
                    async for message in messages:
                        events = reading.receive(message)
                        if question is not None:
                            for event in events:
                                self._report(event)
        except asyncio.CancelledError:
            wasted = "cancelled"
            unanswered = self._estimate(asked)  # the vendor was reading it already
            raise
        finally:
            if asked["model"] == self._agent.model:
                self._learn(reading)
            usage = reading.usage(unanswered)
            for cost in usage.metered(asked["model"], question, "" if reading.ended else wasted):
                self._report(cost)

    async def _messages(self, asked: dict[str, Any], reading: Reading) -> AsyncGenerator[Mapping[str, Any], None]:
        """The stream's messages as plain data, which costs half of the SDK's typed ones, until the answer has ended."""
        stream: AsyncStream[Any] = await self._client.messages.create(**asked, stream=True)
        async with stream:
            arriving = AsyncStream.raw_events(stream.response)
            async for sent in arriving:
                if sent.event is None or not sent.data:
                    continue
                yield sent.json()
                if reading.ended:
                    await _read_out(arriving)
                    return
        raise VendorError(VENDOR, "the answer broke off")

    def _learn(self, reading: Reading) -> None:
        if not reading.started:
            return
        usage = reading.usage()
        self._prefixes.touch(self._key, asyncio.get_running_loop().time())
        self._prefixes.learn(self._key, usage.cache_read + usage.cache_write)

    def _estimate(self, asked: Mapping[str, Any]) -> Usage:
        cached = self._prefixes.tokens(self._key) if asked["model"] == self._agent.model else 0
        return claude_wire.unanswered(asked, cached)


async def _read_out(arriving: AsyncIterator[Any]) -> None:
    """Read what follows the last message, which is nothing; the answer is complete, so nothing here is a failure."""
    try:
        async with asyncio.timeout(TAIL_SECONDS):
            async for _ in arriving:
                pass
    except (TimeoutError, httpx2.HTTPError):
        return


@contextmanager
def _blaming() -> Iterator[None]:
    """Whatever the SDK raises becomes a `VendorError` that knows whether another try can help."""
    try:
        yield
    except APIStatusError as error:
        kind = f"{error.status_code} {error.type or ''}".strip()
        hopeless = 400 <= error.status_code < 500 and error.status_code not in (408, 409, 429)
        raise VendorError(VENDOR, f"{kind}: {error.api_message or error.message}", again=not hopeless) from error
    except (APIConnectionError, httpx2.HTTPError, TimeoutError, ValueError) as error:
        raise VendorError(VENDOR, f"{type(error).__name__}: {error}".rstrip(": ")) from error
