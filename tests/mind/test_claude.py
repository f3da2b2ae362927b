"""Claude's adapter with the real SDK, against a server on loopback that is as strict as the vendor."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic

from app.call.actions import Said, Think
from app.call.agent import Agent
from app.call.events import Event, Metered, Thought, ThoughtBegan, ThoughtEnded, ThoughtFailed, ToolsWanted, Troubled
from app.mind.claude import ClaudeMind, open_client

RECORDINGS = Path(__file__).parent.parent / "recordings"
AGENT = Agent("desk", "Hello.", "You answer for a bakery.")
ASK = Think(7, (Said("caller", "When are you open?"),))
REFUSALS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}


Message = dict[str, Any]
Answer = int | Sequence[Message | None]


def recorded(name: str) -> list[Message]:
    return [json.loads(line) for line in (RECORDINGS / f"claude_{name}.jsonl").read_text().splitlines()]


class Vendor:
    """Answers each request with the next of `answers`: a status to refuse with, or messages to stream.

    A message None holds the stream open until `go_on` is set. `left` is set when the client drops a connection.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self.held = asyncio.Event()
        self.go_on = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        assert lines[0] == "POST /v1/messages HTTP/1.1"
        assert headers["authorization"] == "bearer test-key"
        asked = json.loads(await reader.readexactly(int(headers["content-length"])))
        assert asked["stream"] is True
        assert asked["messages"][0]["role"] == asked["messages"][-1]["role"] == "user"
        self.requests.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            body = json.dumps({"type": "error", "error": {"type": REFUSALS[answer], "message": "No."}}).encode()
            writer.write(b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\nretry-after: 3600\r\n" % answer)
            writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        else:
            await self._stream(answer, reader, writer)

    async def _stream(
        self, messages: Sequence[Message | None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for message in messages:
            if message is None:
                await self._hold(reader)
                continue
            text = f"event: {message['type']}\ndata: {json.dumps(message)}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(text), text))
            await writer.drain()
        if messages and messages[-1] is not None and messages[-1]["type"] != "message_stop":
            raise ConnectionResetError  # broke off
        writer.write(b"0\r\n\r\n")

    async def _hold(self, reader: asyncio.StreamReader) -> None:
        """Until somebody lets the stream go on, or the client leaves."""
        self.held.set()
        async with asyncio.TaskGroup() as waits:
            either: list[asyncio.Task[Any]] = [
                waits.create_task(self.go_on.wait()),
                waits.create_task(reader.read(1)),
            ]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for wait in either:
                wait.cancel()
        if not self.go_on.is_set():
            raise ConnectionResetError


class Desk:
    """A vendor, the client of a process, and minds hired from them, which report into `events`."""

    def __init__(self, vendor: Vendor, client: AsyncAnthropic) -> None:
        self.vendor = vendor
        self.client = client
        self.events: list[Event] = []
        self.began = asyncio.Event()

    def mind(self, agent: Agent = AGENT) -> ClaudeMind:
        return ClaudeMind(self.client, agent, "A caller rings.", self._report)

    def _report(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, ThoughtBegan):
            self.began.set()

    def costs(self) -> dict[str, Metered]:
        return {event.unit: event for event in self.events if isinstance(event, Metered)}

    def said(self) -> list[Event]:
        return [event for event in self.events if not isinstance(event, Metered)]


@asynccontextmanager
async def desk(*answers: Answer) -> AsyncIterator[Desk]:
    vendor = Vendor(*answers)
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = open_client("test-key", f"http://127.0.0.1:{port}")
    try:
        yield Desk(vendor, client)
    finally:
        await client.close()
        server.close()
        await asyncio.wait_for(vendor.left.wait(), 2)


async def test_a_thought_is_reported_piece_by_piece_and_paid_for() -> None:
    async with desk(recorded("words")) as it:
        await it.mind().think(ASK)
    assert it.said()[1:4] == [Thought(7, t) for t in ("We open at nine, ", "and close at five. ", "Is that okay?")]
    assert it.said()[-1] == ThoughtEnded(7)
    costs = it.costs()
    assert {unit: cost.quantity for unit, cost in costs.items()} == {
        "input_token": "24",
        "cache_write_5m_token": "310",
        "cache_read_token": "1200",
        "output_token": "17",
    }
    assert not any(cost.estimated or cost.wasted for cost in costs.values())


async def test_a_read_out_connection_serves_the_next_thought() -> None:
    async with desk(recorded("words"), recorded("tools")) as it:
        mind = it.mind()
        await mind.think(ASK)
        await mind.think(ASK)
    assert it.vendor.connections == 1


async def test_all_parallel_tools_are_reported() -> None:
    async with desk(recorded("tools")) as it:
        await it.mind().think(ASK)
    (wanted,) = [event for event in it.events if isinstance(event, ToolsWanted)]
    assert [call.name for call in wanted.calls] == ["find_slot", "opt_out"]


async def test_the_fallback_is_the_other_model_without_what_only_the_first_understands() -> None:
    async with desk(recorded("words")) as it:
        await it.mind().think(Think(7, ASK.messages, fallback=True))
    (asked,) = it.vendor.requests
    assert asked["model"] == "claude-haiku-4-5"
    assert "thinking" not in asked
    assert {cost.product for cost in it.costs().values()} == {"claude-haiku-4-5"}


@pytest.mark.parametrize(("status", "again"), [(400, False), (401, False), (429, True), (529, True)])
async def test_a_refusal_is_reported_at_once_and_costs_nothing(status: int, again: bool) -> None:
    async with desk(status) as it:
        await it.mind().think(ASK)
    (failed,) = it.events
    assert isinstance(failed, ThoughtFailed)
    assert failed.again is again
    assert str(status) in failed.why
    assert len(it.vendor.requests) == 1  # the SDK would sleep for an hour and try again


async def test_an_error_in_the_middle_fails_what_was_begun_and_is_paid_as_wasted() -> None:
    async with desk(recorded("overloaded")) as it:
        await it.mind().think(ASK)
    assert it.said()[1] == Thought(7, "We open at nine, ")
    failed = it.said()[-1]
    assert isinstance(failed, ThoughtFailed)
    assert failed.again
    assert "overloaded" in failed.why
    assert {cost.wasted for cost in it.costs().values()} == {"failed"}


async def test_an_answer_that_breaks_off_is_a_failure() -> None:
    async with desk(recorded("words")[:-2]) as it:
        await it.mind().think(ASK)
    assert isinstance(it.said()[-1], ThoughtFailed)


async def test_a_vendor_that_is_not_there_is_a_failure() -> None:
    async with desk() as it:
        it.vendor.left.set()
        client = open_client("test-key", "http://127.0.0.1:1")
        mind = ClaudeMind(client, AGENT, "", it.events.append)
        await mind.think(ASK)
        await client.close()
    (failed,) = it.events
    assert isinstance(failed, ThoughtFailed)
    assert failed.again


async def test_a_cancelled_thought_closes_the_request_at_once_and_is_metered() -> None:
    async with desk([*recorded("words")[:5], None]) as it, asyncio.TaskGroup() as calls:
        thinking = calls.create_task(it.mind().think(ASK))
        await it.began.wait()
        thinking.cancel()
        await asyncio.wait_for(it.vendor.left.wait(), 2)
    assert thinking.cancelled()
    costs = it.costs()
    assert costs["input_token"].quantity == "24"
    assert int(costs["output_token"].quantity) >= 1
    assert {(cost.wasted, cost.question) for cost in costs.values()} == {("cancelled", 7)}
    assert [unit for unit, cost in costs.items() if cost.estimated] == ["output_token"]


async def test_a_thought_cancelled_before_its_first_token_is_metered_by_what_was_asked() -> None:
    async with desk([None]) as it, asyncio.TaskGroup() as calls:
        thinking = calls.create_task(it.mind().think(ASK))
        await it.vendor.held.wait()
        thinking.cancel()
    (cost,) = it.events
    assert isinstance(cost, Metered)
    assert (cost.unit, cost.estimated, cost.wasted) == ("input_token", True, "cancelled")
    assert 200 < int(cost.quantity) < 2000


async def test_a_slow_first_token_is_waited_for_in_silence() -> None:
    words = recorded("words")
    async with desk([words[0], None, *words[1:]]) as it, asyncio.TaskGroup() as calls:
        calls.create_task(it.mind().think(ASK))
        await it.vendor.held.wait()
        assert it.events == []
        it.vendor.go_on.set()
    assert it.said()[-1] == ThoughtEnded(7)


async def test_many_calls_of_one_agent_warm_it_once() -> None:
    async with desk(recorded("words")) as it, asyncio.TaskGroup() as calls:
        for _ in range(5):
            calls.create_task(it.mind().warm())
    (asked,) = it.vendor.requests
    assert asked["max_tokens"] == 1
    assert it.said() == []
    assert it.costs()["cache_write_5m_token"].question is None


async def test_another_version_of_the_agent_is_warmed_by_itself() -> None:
    async with desk(recorded("words"), recorded("words")) as it:
        await it.mind().warm()
        await it.mind(Agent("desk", "Hello.", "You answer for a butcher.")).warm()
    assert len(it.vendor.requests) == 2


async def test_warming_that_fails_troubles_nobody_and_is_tried_again_at_the_next_call() -> None:
    async with desk(529, recorded("words")) as it:
        await it.mind().warm()
        (trouble,) = it.said()
        assert isinstance(trouble, Troubled)
        await it.mind().warm()
    assert len(it.vendor.requests) == 2
