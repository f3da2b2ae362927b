"""All calls of a process, in virtual time: rings, tokens, second lives, the way out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from app.call.actions import HangUp, Said, Transfer
from app.call.agent import Agent
from app.call.events import LineClosed, SpeechEnded, ToolCall, TransferAsked
from app.errors import VendorError
from app.switchboard.exchange import Admitted, Exchange, Refused
from app.switchboard.ports import CallFacts
from tests import virtual_time
from tests.switchboard.puppets import ListTrace, PuppetLine, Troupe

CLINIC = Agent("reception", "Hello, this is the clinic.", "You answer the phone.", transfers={"desk": "+15005550009"})


def facts(number: int = 1, called: str = "+15005550001") -> CallFacts:
    return CallFacts(f"CA{number}", "inbound", called, "+15005550002")


class PaperDirectory:
    async def answering(self, number: str) -> tuple[Agent, int] | None:
        return (CLINIC, 3) if number == "+15005550001" else None

    async def version_of(self, name: str, version: int) -> Agent | None:
        return CLINIC if (name, version) == ("reception", 3) else None


@dataclass
class PaperLive:
    """The live store on paper: shared by those who share the sheet."""

    sheet: dict[str, str] = field(default_factory=dict)
    away: bool = False

    def _look(self) -> dict[str, str]:
        if self.away:
            raise VendorError("redis", "connection refused")
        return self.sheet

    async def remember(self, call_sid: str, messages_json: str, ttl: float) -> None:
        self._look()[f"memory {call_sid}"] = messages_json

    async def recall(self, call_sid: str) -> str | None:
        return self._look().get(f"memory {call_sid}")

    async def put_token(self, token: str, value: str, ttl: float) -> None:
        self._look()[f"token {token}"] = value

    async def take_token(self, token: str) -> str | None:
        return self._look().pop(f"token {token}", None)

    async def set_next(self, call_sid: str, value: str, ttl: float) -> None:
        self._look()[f"next {call_sid}"] = value

    async def take_next(self, call_sid: str) -> str | None:
        return self._look().pop(f"next {call_sid}", None)


class House:
    """One process: an exchange with its puppets."""

    def __init__(self, live: PaperLive, most_calls: int = 10, *, alone: bool = True) -> None:
        self.troupe = Troupe()
        self.live = live
        self.traces: list[ListTrace] = []
        self.exchange = Exchange(
            PaperDirectory(), self.troupe.hire, live, self._trace, most_calls=most_calls, alone=alone
        )

    def _trace(self, sid: str) -> ListTrace:
        self.traces.append(ListTrace())
        return self.traces[-1]

    async def admitted(self, number: int = 1) -> str:
        answer = await self.exchange.ring(facts(number))
        assert isinstance(answer, Admitted)
        return answer.token

    async def connected(self, token: str) -> PuppetLine:
        conversation = await self.exchange.connect(token)
        assert conversation is not None
        line = PuppetLine(conversation.report)
        conversation.attach(line)
        return line


def play(story: Callable[[House], Awaitable[None]], most_calls: int = 10) -> None:
    async def main() -> None:
        house = House(PaperLive(), most_calls)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(house.exchange.run())
            await house.exchange.ready.wait()
            await story(house)
            house.exchange.stop()

    virtual_time.run(main())


def test_a_call_rings_connects_and_ends() -> None:
    async def story(house: House) -> None:
        line = await house.connected(await house.admitted())
        await asyncio.sleep(2)
        house.exchange.conversations[0].report(LineClosed("caller"))
        await asyncio.sleep(0.1)
        assert line.closed
        assert house.exchange.conversations == []

    play(story)


def test_the_same_ring_twice_has_the_same_answer() -> None:
    async def story(house: House) -> None:
        assert await house.exchange.ring(facts()) == await house.exchange.ring(facts())
        assert len(house.exchange.conversations) == 1

    play(story)


def test_a_token_opens_one_stream_and_a_second_stream_does_not_kill_the_first() -> None:
    async def story(house: House) -> None:
        token = await house.admitted()
        line = await house.connected(token)
        assert await house.exchange.connect(token) is None
        assert await house.admitted() == token
        assert await house.exchange.connect(token) is None
        assert not line.closed

    play(story)


def test_a_strange_token_opens_nothing() -> None:
    async def story(house: House) -> None:
        assert await house.exchange.connect("guessed") is None

    play(story)


def test_a_number_that_nobody_answers_is_told_so() -> None:
    async def story(house: House) -> None:
        answer = await house.exchange.ring(facts(called="+15005559999"))
        assert isinstance(answer, Refused)
        assert answer.reason == "no agent answers +15005559999"
        assert "not in service" in answer.words

    play(story)


def test_a_full_house_refuses_the_next_call_with_words() -> None:
    async def story(house: House) -> None:
        await house.admitted(1)
        await house.admitted(2)
        answer = await house.exchange.ring(facts(3))
        assert isinstance(answer, Refused)
        assert "MAX_CALLS" in answer.reason
        assert "busy" in answer.words

    play(story, most_calls=2)


def test_a_late_loop_refuses_the_next_call_rather_than_spoil_all() -> None:
    async def story(house: House) -> None:
        await house.connected(await house.admitted(1))
        house.exchange.pulse._late.extend([0.08] * 100)
        answer = await house.exchange.ring(facts(2))
        assert isinstance(answer, Refused)
        assert "80 ms late" in answer.reason

    play(story)


def test_a_late_loop_without_a_call_takes_one_because_there_is_none_to_spoil() -> None:
    async def story(house: House) -> None:
        house.exchange.pulse._late.extend([0.08] * 100)
        assert isinstance(await house.exchange.ring(facts(1)), Admitted)

    play(story)


def test_a_stream_that_never_comes_gives_its_place_back() -> None:
    async def story(house: House) -> None:
        await house.admitted()
        await asyncio.sleep(21)
        assert house.exchange.conversations == []

    play(story)


def test_after_the_agents_goodbye_the_carrier_is_told_to_hang_up() -> None:
    async def story(house: House) -> None:
        house.troupe.answers = ((ToolCall("t", "end_call", {}),),)
        await house.connected(await house.admitted())
        await asyncio.sleep(2)
        house.exchange.conversations[0].report(SpeechEnded("Goodbye."))
        await asyncio.sleep(5)
        assert await house.exchange.follow("CA1") == HangUp("agent said goodbye", "agent")

    play(story)


def test_a_transfer_is_what_the_carrier_is_told() -> None:
    async def story(house: House) -> None:
        await house.connected(await house.admitted())
        await asyncio.sleep(2)
        house.exchange.conversations[0].report(TransferAsked("+15005550009"))
        await asyncio.sleep(5)
        assert await house.exchange.follow("CA1") == Transfer("+15005550009")

    play(story)


def test_a_broken_line_goes_on_with_its_memory() -> None:
    async def story(house: House) -> None:
        await house.connected(await house.admitted())
        await asyncio.sleep(2)
        first = house.exchange.conversations[0]
        first.report(SpeechEnded("My name is Ann."))
        await asyncio.sleep(2)
        first.report(LineClosed("carrier"))
        answer = await house.exchange.follow("CA1")
        assert isinstance(answer, Admitted)
        await house.connected(answer.token)
        await asyncio.sleep(5)
        house.exchange.conversations[0].report(SpeechEnded("What is my name?"))
        await asyncio.sleep(1)
        told = [str(message) for message in house.troupe.minds["CA1"].asked[0].messages]
        assert "caller: My name is Ann." in told
        assert told[-2:] == [f"agent: {CLINIC.phrases.resumed}", "caller: What is my name?"]

    play(story)


def test_another_process_takes_up_the_call_of_a_killed_one() -> None:
    async def main() -> None:
        live = PaperLive()
        killed, survivor = House(live), House(live)
        async with asyncio.TaskGroup() as tasks:
            dying = tasks.create_task(killed.exchange.run())
            tasks.create_task(survivor.exchange.run())
            await asyncio.sleep(0)
            await killed.connected(await killed.admitted())
            await asyncio.sleep(2)
            killed.exchange.conversations[0].report(SpeechEnded("My name is Ann."))
            await asyncio.sleep(2)
            killed.exchange.stop()
            live.sheet = {name: text for name, text in live.sheet.items() if name.startswith("memory")}
            await dying
            live.sheet = {name: text for name, text in live.sheet.items() if name.startswith("memory")}
            answer = await survivor.exchange.follow("CA1")
            assert isinstance(answer, Admitted)
            await survivor.connected(answer.token)
            survivor.exchange.stop()
        assert survivor.troupe.minds["CA1"] is not None

    virtual_time.run(main())


def test_a_stream_may_come_to_another_process_than_its_ring() -> None:
    async def main() -> None:
        live = PaperLive()
        one, other = House(live, alone=False), House(live, alone=False)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.exchange.run())
            tasks.create_task(other.exchange.run())
            await asyncio.sleep(0)
            await other.connected(await one.admitted())
            assert len(other.exchange.conversations) == 1
            assert one.exchange.conversations == [], "nobody waits for a stream that has gone elsewhere"
            one.exchange.stop()
            other.exchange.stop()

    virtual_time.run(main())


def test_a_line_that_breaks_again_and_again_is_given_up() -> None:
    async def story(house: House) -> None:
        token = await house.admitted()
        for _ in range(3):
            await house.connected(token)
            await asyncio.sleep(2)
            house.exchange.conversations[0].report(SpeechEnded("Hello?"))
            await asyncio.sleep(2)
            house.exchange.conversations[0].report(LineClosed("carrier"))
            answer = await house.exchange.follow("CA1")
            assert isinstance(answer, Admitted)
            token = answer.token
        await house.connected(token)
        await asyncio.sleep(2)
        house.exchange.conversations[0].report(LineClosed("carrier"))
        assert await house.exchange.follow("CA1") == HangUp("the line broke too often", "carrier")

    play(story)


def test_an_unknown_call_is_hung_up() -> None:
    async def story(house: House) -> None:
        assert isinstance(await house.exchange.follow("CA99"), HangUp)

    play(story)


def test_without_the_live_store_calls_go_on() -> None:
    async def story(house: House) -> None:
        house.live.away = True
        house.troupe.answers = ((ToolCall("t", "end_call", {}),),)
        await house.connected(await house.admitted())
        await asyncio.sleep(2)
        house.exchange.conversations[0].report(SpeechEnded("Goodbye."))
        await asyncio.sleep(5)
        assert await house.exchange.follow("CA1") == HangUp("agent said goodbye", "agent")

    play(story)


def test_draining_lets_calls_end_and_no_new_one_in() -> None:
    async def story(house: House) -> None:
        await house.connected(await house.admitted())
        async with asyncio.TaskGroup() as tasks:
            drained = tasks.create_task(house.exchange.drain(60))
            await asyncio.sleep(1)
            assert isinstance(await house.exchange.ring(facts(2)), Refused)
            await asyncio.sleep(10)
            assert not drained.done()
            house.exchange.conversations[0].report(LineClosed("caller"))
            await asyncio.sleep(1.5)
            assert not drained.done(), "the carrier has not asked yet what is to follow"
            assert isinstance(await house.exchange.follow("CA1"), HangUp)
            await asyncio.sleep(1)
            assert drained.done()

    play(story)


def test_draining_ends_those_who_stay_too_long() -> None:
    async def story(house: House) -> None:
        line = await house.connected(await house.admitted())
        await house.exchange.drain(5)
        assert line.closed

    play(story)


def test_the_memory_is_written_as_it_was_heard() -> None:
    async def story(house: House) -> None:
        await house.connected(await house.admitted())
        await asyncio.sleep(5)
        kept = house.live.sheet["memory CA1"]
        assert '"reception"' in kept
        assert Said("agent", CLINIC.greeting).text in kept

    play(story)
