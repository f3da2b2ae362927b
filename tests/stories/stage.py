"""A whole call in virtual time: the real conversation and wires, the lab's caller and the lab's vendors, no socket.

What the lab's models say travels through the same wire files that the real adapters use, with the lab's times. So the
same story can be played here in a moment, and over real sockets in its own time (`test_over_sockets.py`).
"""

import asyncio
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from app.call.actions import HangUp, Message, Speak, Think, Transfer, UseTools
from app.call.agent import Agent
from app.call.events import Digit, LineClosed, Played, ThoughtFailed, ToolAnswer, ToolsAnswered
from app.ears import deepgram_wire
from app.ears.detector import Detector
from app.errors import VendorError
from app.line import media_wire
from app.line.media import MediaLine
from app.mind import claude_wire
from app.mind.briefing import briefing
from app.mouth.elevenlabs_wire import Contexts
from app.switchboard.conversation import Conversation
from app.switchboard.ports import CallFacts, Later, Report, Senses
from app.tools.catalogue import offered
from ops.lab.brain import Brain, Rule
from ops.lab.caller import Caller
from ops.lab.hearing import Flux, FluxOptions, Nova, NovaOptions
from ops.lab.phone import Phone
from ops.lab.profile import REFERENCE, Fault, Profile
from ops.lab.story import Story
from ops.lab.voice import Voice, VoiceOptions
from tests import virtual_time
from tests.switchboard.puppets import ListTrace

BEAT = 0.02
LONGEST = 180.0  # virtual seconds; a story that is not over by then never will be


class StageEars:
    """Deepgram's model behind the real detector and the real wire."""

    def __init__(self, agent: Agent, report: Report, profile: Profile) -> None:
        self._report = report
        self._detector = Detector()
        self._hearing = deepgram_wire.hearing_for(agent)
        wanted = deepgram_wire.parameters(agent, "mulaw")
        self._model: Nova | Flux
        if agent.hears_turns:
            eager = wanted.get("eager_eot_threshold")
            self._model = Flux(FluxOptions(eager_eot_threshold=eager), profile, Random(1), "r")
        else:
            options = NovaOptions(
                interim_results=True,
                endpointing=wanted["endpointing"] / 1000,
                utterance_end=wanted["utterance_end_ms"] / 1000,
                vad_events=True,
                punctuate=True,
            )
            self._model = Nova(options, profile, Random(1), "r")

    def hear(self, frame: bytes) -> None:
        if (event := self._detector.frame(frame)) is not None:
            self._report(event)
        self._model.receive(frame, _now())

    def settle(self) -> None:
        if isinstance(self._model, Nova):
            self._model.finalize(_now())

    async def run(self) -> None:
        while True:
            for message in self._model.poll(_now()):
                for event in self._hearing.take(message):
                    self._report(event)
            await asyncio.sleep(0.005)


class StageMind:
    """Claude's model behind the real requests and the real reading of its stream."""

    def __init__(self, agent: Agent, report: Report, brain: Brain, faults: "Faults") -> None:
        self._agent = agent
        self._report = report
        self._brain = brain
        self._faults = faults
        self._briefing = briefing(agent, offered(agent))
        self.asked: list[dict[str, Any]] = []
        self.cancelled = 0

    async def warm(self) -> None:
        return None

    async def think(self, ask: Think) -> None:
        model = self._agent.fallback_model if ask.fallback else self._agent.model
        body = {**claude_wire.request(model, self._briefing, "", ask.messages), "stream": True}
        self.asked.append(body)
        fault = self._faults.mind.pop(0) if self._faults.mind else None
        began, reading = _now(), claude_wire.Reading(ask.question)
        try:
            if fault is not None and fault.kind == "refuse":
                raise VendorError("anthropic", f"{fault.status}")
            for after, event in self._brain.answer(body, began, Random(1), fault).events:
                await asyncio.sleep(max(0.0, began + after - _now()))
                if fault is not None and fault.kind == "drop" and after > 0.4:
                    raise VendorError("anthropic", "the answer broke off")
                for told in reading.receive(event):
                    self._report(told)
        except VendorError as error:
            self._report(ThoughtFailed(ask.question, str(error), again=error.again))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            for cost in reading.usage().metered(model, ask.question, "" if reading.ended else "cancelled"):
                self._report(cost)


class StageMouth:
    """ElevenLabs' model behind the real contexts."""

    def __init__(self, agent: Agent, report: Report, profile: Profile) -> None:
        self._report = report
        self._contexts = Contexts(agent.voice_model)
        options = VoiceOptions(output_format="ulaw_8000", auto_mode=True, inactivity_timeout=180.0)
        self._voice = Voice(options, profile, Random(1))

    def speak(self, order: Speak) -> None:
        for event in self._contexts.speak(order.question, order.text, order.last, _now()):
            self._report(event)
        self._flush()

    def stop(self, question: int) -> None:
        self._contexts.stop(question, _now())
        self._flush()

    async def run(self) -> None:
        self._voice.opened(_now())
        while True:
            for message in self._voice.poll(_now()):
                for event in self._contexts.take(message, _now()):
                    self._report(event)
            for event in self._contexts.tick(_now()):
                self._report(event)
            self._flush()
            await asyncio.sleep(0.005)

    def _flush(self) -> None:
        for text in self._contexts.to_send():
            self._voice.receive(json.loads(text), _now())


@dataclass
class StageTools:
    """Tools that take half a second, and what they were used for."""

    report: Report
    seconds: float = 0.5
    used: list[UseTools] = field(default_factory=list)

    async def use(self, ask: UseTools) -> None:
        self.used.append(ask)
        await asyncio.sleep(self.seconds)
        answers = tuple(ToolAnswer(call.id, f"{call.name} is done") for call in ask.calls)
        self.report(ToolsAnswered(ask.question, answers))


@dataclass
class Faults:
    """What goes wrong with the vendors, request by request."""

    mind: list[Fault | None] = field(default_factory=list)


@dataclass
class PlayedCall:
    """A call that was played to its end, for assertions."""

    caller: Caller
    mind: StageMind
    tools: StageTools
    trace: ListTrace
    followed: list[HangUp | Transfer]
    conversation: Conversation

    def said(self, who: str) -> list[str]:
        """What this side said, as the caller heard it."""
        return [line.text for line in self.caller.transcript.lines if line.who == who]

    def request(self, number: int) -> list[str]:
        """The texts of one request to the mind, each with its role."""
        texts = []
        for message in self.mind.asked[number]["messages"]:
            for block in message["content"]:
                if block["type"] == "text":
                    texts.append(f"{message['role']}: {block['text']}")
        return texts

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in map(json.loads, self.trace.lines) if row["is"] == kind]


def play(
    story: Story,
    agent: Agent,
    *,
    profile: Profile = REFERENCE,
    rules: tuple[Mapping[str, Any], ...] = (),
    mind_faults: tuple[Fault | None, ...] = (),
    tool_seconds: float = 0.5,
) -> PlayedCall:
    """The story, with this agent, from the ring to the end of the call."""

    async def main() -> PlayedCall:
        faults = Faults(list(mind_faults))
        brain = Brain(profile, [Rule.read(rule) for rule in rules])
        senses: list[Any] = []
        followed: list[HangUp | Transfer] = []

        def hire(agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
            senses[:] = [StageMind(agent, report, brain, faults), StageTools(report, tool_seconds)]
            return Senses(StageEars(agent, report, profile), senses[0], StageMouth(agent, report, profile), senses[1])

        async def follow_up(wish: HangUp | Transfer) -> None:
            followed.append(wish)

        async def keep(messages: tuple[Message, ...]) -> None:
            return None

        trace = ListTrace()
        facts = CallFacts("CA1", "inbound", "+15005550001", "+15005550100")
        conversation = Conversation(facts, agent, 1, hire, lambda work: None, trace, keep=keep, follow_up=follow_up)
        caller = Caller(story)
        async with asyncio.TaskGroup() as tasks:
            ended = tasks.create_task(conversation.run())
            await asyncio.sleep(0.3)  # the carrier reads the TwiML and connects
            await _talk(conversation, caller, ended)
        return PlayedCall(caller, senses[0], senses[1], trace, followed, conversation)

    return virtual_time.run(main())


async def _talk(conversation: Conversation, caller: Caller, ended: Awaitable[object]) -> None:
    """Carry messages between the telephone and the conversation until one of them has had enough."""
    phone = Phone(stream_sid="MZ1", call_sid="CA1", account_sid="AC1")
    over = asyncio.Event()
    wire = media_wire.MediaWire()

    def arrive(texts: list[str]) -> None:
        for text in texts:
            match wire.receive(text):
                case media_wire.Media(payload=payload):
                    conversation.hear(payload)
                case media_wire.MarkBack(name=name):
                    conversation.report(Played(int(name)))
                case media_wire.Key(digit=digit):
                    conversation.report(Digit(digit))
                case media_wire.Stop():
                    conversation.report(LineClosed("caller"))

    async def send(text: str) -> None:
        arrive(caller.receive(text, _now()))

    async def close(code: int) -> None:
        over.set()

    arrive(phone.open(_now()))
    caller.lift(phone, _now())
    conversation.attach(MediaLine("MZ1", send, close))
    began = _now()
    for beat in range(1, round(LONGEST / BEAT)):
        await asyncio.sleep(max(0.0, began + beat * BEAT - _now()))
        if over.is_set() or caller.leaving:
            break
        arrive(caller.beat(_now()))
    caller.lower(_now())
    conversation.report(LineClosed("caller"))
    await ended
    caller.hang_up()


def _now() -> float:
    return asyncio.get_running_loop().time()
