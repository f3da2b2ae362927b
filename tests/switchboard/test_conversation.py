"""One call among its senses, in virtual time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.audio import Clip
from app.call.actions import HangUp, Message, Transfer
from app.call.agent import Agent
from app.call.events import Connected, LineClosed, SpeechEnded, SpeechPaused, SpeechStarted, ToolCall, WordsHeard
from app.errors import CallerError
from app.switchboard import trace
from app.switchboard.conversation import Conversation
from app.switchboard.ports import CallFacts, Later, Report, Senses
from tests import virtual_time
from tests.switchboard.puppets import Answer, ListTrace, PuppetLine, Troupe, nothing

CLINIC = Agent("reception", "Hello, this is the clinic.", "You answer the phone.", work_ahead="off")
FACTS = CallFacts("CA1", "inbound", "+15005550001", "+15005550002")


class Scene:
    """A conversation with a line attached, and somebody who talks into it."""

    def __init__(self, *answers: Answer) -> None:
        self.troupe = Troupe(answers=answers)
        self.trace = ListTrace()
        self.kept: list[tuple[Message, ...]] = []
        self.followed: list[HangUp | Transfer] = []
        self.conversation = Conversation(
            FACTS,
            CLINIC,
            1,
            self.troupe.hire,
            lambda work: None,
            self.trace,
            keep=self._keep,
            follow_up=self._follow_up,
        )
        self.line = PuppetLine(self.conversation.report)

    async def _keep(self, messages: tuple[Message, ...]) -> None:
        self.kept.append(messages)

    async def _follow_up(self, wish: HangUp | Transfer) -> None:
        self.followed.append(wish)

    async def say(self, text: str) -> None:
        """A voice for half a second, then silence, then what the ears made of it."""
        self.conversation.report(SpeechStarted())
        await asyncio.sleep(0.3)
        self.conversation.report(WordsHeard(text))
        await asyncio.sleep(0.2)
        self.conversation.report(SpeechPaused(0.1))
        await asyncio.sleep(0.3)
        self.conversation.report(SpeechEnded(text))

    def written(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in map(json.loads, self.trace.lines) if row["is"] == kind]

    @property
    def mind(self) -> Any:
        return self.troupe.minds["CA1"]


def play(story: Callable[[Scene], Awaitable[None]], *answers: Answer) -> Scene:
    async def main() -> Scene:
        scene = Scene(*answers)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(scene.conversation.run())
            await asyncio.sleep(0.1)
            scene.conversation.attach(scene.line)
            await story(scene)
            scene.conversation.report(LineClosed("caller"))
            await running
        return scene

    return virtual_time.run(main())


def test_senses_are_warmed_at_the_ring_and_let_go_at_the_end() -> None:
    async def story(scene: Scene) -> None:
        assert scene.mind.warmed == 1
        await asyncio.sleep(3)

    scene = play(story)
    assert scene.troupe.ears["CA1"].cancelled
    assert scene.line.closed
    assert scene.conversation.outcome is not None
    assert scene.conversation.outcome.reason == "caller hung up"


def test_a_question_travels_through_all_senses() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(2)
        await scene.say("When are you open?")
        await asyncio.sleep(4)

    scene = play(story, "At nine.")
    assert [str(message) for message in scene.mind.asked[0].messages][-1] == "caller: When are you open?"
    assert [row["heard"] for row in scene.written("Write")] == [
        "Hello, this is the clinic.",
        "When are you open?",
        "At nine.",
    ]
    assert [str(message) for message in scene.kept[-1]][-1] == "agent: At nine."


def test_talking_over_the_agent_clears_and_the_next_request_holds_what_was_heard() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(2)
        await scene.say("Tell me everything.")
        await asyncio.sleep(0.3 + 1.1)  # the first token, then four words and a bit
        await scene.say("And on Sundays?")
        await asyncio.sleep(2)

    scene = play(story, "One two three four five six seven eight nine ten.")
    assert scene.line.clears == 1
    assert [str(message) for message in scene.mind.asked[1].messages][-2:] == [
        "agent: One two three four…",
        "caller: And on Sundays?",
    ]


def test_a_tool_that_is_under_way_is_finished_though_the_caller_has_gone() -> None:
    book = (ToolCall("t1", "book", {}),)

    async def story(scene: Scene) -> None:
        scene.troupe.tools["CA1"].seconds = 5.0
        await asyncio.sleep(2)
        await scene.say("Book it.")
        await asyncio.sleep(0.5)

    scene = play(story, book)
    assert scene.written("ToolsAnswered"), "its answer is in the account"


def test_goodbye_is_told_to_the_carrier_before_the_line_is_let_go() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(2)
        await scene.say("Goodbye.")
        await asyncio.sleep(4)
        assert scene.line.closed

    scene = play(story, (ToolCall("t1", "end_call", {}),))
    assert scene.followed == [HangUp("agent said goodbye", "agent")]


def test_what_vendors_meter_after_the_end_is_still_in_the_account() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(60)

    scene = play(story)
    metered = {(row["vendor"], row["unit"]): row["quantity"] for row in scene.written("Metered")}
    assert metered["deepgram", "second"] == "9.5"
    assert scene.trace.lines[-1].startswith("{")
    assert scene.written("end")


def test_a_line_that_fails_ends_the_call_on_the_carriers_account() -> None:
    class Broken(PuppetLine):
        async def play(self, clip: Clip, mark: int) -> None:
            raise CallerError("the media socket took nothing for 5 s")

    async def main() -> Scene:
        scene = Scene()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(scene.conversation.run())
            scene.conversation.attach(Broken(scene.conversation.report))
            await running
        return scene

    scene = virtual_time.run(main())
    assert scene.conversation.outcome is not None
    assert scene.conversation.outcome.fault == "carrier"
    assert scene.written("Troubled")[0]["what"] == "the media socket took nothing for 5 s"


def test_a_bug_in_one_sense_ends_in_an_apology_and_an_account() -> None:
    def hire(agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
        senses = Troupe().hire(agent, facts, report, later)

        class Bug:
            async def run(self) -> None:
                raise ZeroDivisionError("a bug of ours")

            hear, settle = senses.ears.hear, senses.ears.settle

        return Senses(Bug(), senses.mind, senses.mouth, senses.tools)

    async def main() -> tuple[ListTrace, list[HangUp | Transfer]]:
        followed: list[HangUp | Transfer] = []
        written = ListTrace()

        async def follow_up(wish: HangUp | Transfer) -> None:
            followed.append(wish)

        conversation = Conversation(
            FACTS, CLINIC, 1, hire, lambda work: None, written, keep=nothing, follow_up=follow_up
        )
        await conversation.run()
        return written, followed

    written, followed = virtual_time.run(main())
    assert followed == [HangUp("an error of ours", "platform")]
    assert any("a bug of ours" in line for line in written.lines)


def test_a_hundred_calls_do_not_touch_each_other() -> None:
    async def one(troupe: Troupe, number: int) -> Conversation:
        facts = CallFacts(f"CA{number}", "inbound", "+15005550001", f"+1500555{number:04d}")
        conversation = Conversation(
            facts, CLINIC, 1, troupe.hire, lambda work: None, ListTrace(), keep=nothing, follow_up=nothing
        )
        line = PuppetLine(conversation.report)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(conversation.run())
            conversation.attach(line)
            conversation.hear(bytes([number]) * 160)
            await asyncio.sleep(2 + number / 100)
            conversation.report(SpeechEnded(f"I am number {number}."))
            await asyncio.sleep(5)
            conversation.report(LineClosed("caller"))
        return conversation

    async def main() -> Troupe:
        troupe = Troupe()
        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(one(troupe, number))
        return troupe

    troupe = virtual_time.run(main())
    for number in range(100):
        sid = f"CA{number}"
        assert str(troupe.minds[sid].asked[0].messages[-1]) == f"caller: I am number {number}."
        assert troupe.ears[sid].frames == [bytes([number]) * 160]


def test_a_trace_replays_without_a_difference(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(2)
        await scene.say("Tell me everything.")
        await asyncio.sleep(1.4)
        await scene.say("And on Sundays?")
        await asyncio.sleep(30)

    scene = play(story, "One two three four five six seven eight nine ten.")
    file = tmp_path / "CA1.jsonl"
    file.write_text("".join(scene.trace.lines))
    assert trace.replay(trace.read(file)) == []


def test_watchers_are_told_of_everything_in_order() -> None:
    seen: list[str] = []

    async def story(scene: Scene) -> None:
        scene.conversation.watch(lambda now, thing: seen.append(type(thing).__name__))
        scene.conversation.report(Connected("deepgram", 0.1, warm=True))
        await scene.say("Hello.")
        await asyncio.sleep(3)

    play(story)
    assert seen[0] == "Connected" or "Connected" in seen
    assert seen.index("SpeechEnded") < seen.index("Commit") < seen.index("ThoughtBegan")


def test_a_deadline_a_hair_above_a_moment_comes() -> None:
    """Sums of seconds are not always what they mean, and a loop that wakes a hair too early would spin for ever."""
    patience = replace(CLINIC.patience, answer=13.450000000000001)

    async def scene() -> float:
        alone = Troupe()
        conversation = Conversation(
            FACTS,
            replace(CLINIC, patience=patience),
            1,
            alone.hire,
            lambda work: None,
            ListTrace(),
            keep=nothing,
            follow_up=nothing,
        )
        await conversation.run()
        return asyncio.get_running_loop().time()

    assert 13.45 <= virtual_time.run(scene()) <= 13.4502
