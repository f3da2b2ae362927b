"""A whole call in virtual time: the real exchange and wires, the lab's caller and the lab's vendors, no socket.

What the lab's models say travels through the same wire files that the real adapters use, with the lab's times. So the
same tale can be played here in a moment, and over real sockets in its own time (`test_over_sockets.py`).
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from app.audio import RATE
from app.call.actions import HangUp, Speak, Think, Transfer, UseTools
from app.call.agent import Agent
from app.call.events import (
    Digit,
    EndLikely,
    Event,
    LineClosed,
    Metered,
    Played,
    ThoughtFailed,
    ToolAnswer,
    ToolsAnswered,
    WordsHeard,
)
from app.ears import deepgram_wire
from app.ears.detector import Detector
from app.errors import CallerError, VendorError
from app.line import media_wire
from app.line.media import MediaLine
from app.mind import claude_wire
from app.mind.briefing import briefing
from app.mouth.elevenlabs_wire import Contexts
from app.store.live import LocalLive
from app.switchboard import trace
from app.switchboard.conversation import Conversation
from app.switchboard.exchange import Admitted, Exchange, Refused
from app.switchboard.ports import CallFacts, Later, Report, Senses
from app.tools.catalogue import offered
from ops.lab.brain import Brain, Rule
from ops.lab.caller import Caller
from ops.lab.hearing import Flux, FluxOptions, Nova, NovaOptions
from ops.lab.phone import Phone
from ops.lab.profile import REFERENCE, Fault, Profile
from ops.lab.refusals import Refused as Unacceptable
from ops.lab.voice import Voice, VoiceOptions
from tests import virtual_time
from tests.stories.evidence import Evidence
from tests.stories.tale import Tale

BEAT = 0.02
TICK = 0.1  # how often the mouth looks whether its vendor has fallen silent, as the real one does
CONNECTING = 0.3  # the carrier reads the document and opens the socket
LONGEST = 180.0  # virtual seconds; a tale that is not over by then never will be
FACTS = CallFacts("CA1", "inbound", "+15005550001", "+15005550100")


class StageEars:
    """Deepgram's model behind the real detector and the real wire."""

    def __init__(self, agent: Agent, report: Report, profile: Profile, misheard: tuple[str, str]) -> None:
        self._report = report
        self._misheard = misheard
        self._detector = Detector()
        self._hearing = deepgram_wire.hearing_for(agent)
        self._product = deepgram_wire.model(agent)
        self._samples = 0
        self._owed = asyncio.Event()
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
        self._samples += len(frame)
        self._model.receive(frame, _now())
        self._look_ahead()

    def settle(self) -> None:
        if isinstance(self._model, Nova):
            self._model.finalize(_now())
            self._look_ahead()

    def _look_ahead(self) -> None:
        if self._model.deadline() is not None:
            self._owed.set()

    async def run(self) -> None:
        try:
            while True:
                await self._owed.wait()
                await _at(self._model.deadline())
                for message in self._model.poll(_now()):
                    for event in self._hearing.take(message):
                        self._report(self._mishear(event))
                if self._model.deadline() is None:
                    self._owed.clear()
        finally:
            self._report(Metered("deepgram", self._product, "second", str(Decimal(self._samples) / RATE)))

    def _mishear(self, event: Event) -> Event:
        word, taken_for = self._misheard
        if word and isinstance(event, WordsHeard | EndLikely):
            return replace(event, text=event.text.replace(word, taken_for))
        return event


@dataclass
class StageMind:
    """Claude's model behind the real requests and the real reading of its stream."""

    agent: Agent
    report: Report
    stage: "Stage"

    async def warm(self) -> None:
        return None

    async def think(self, ask: Think) -> None:
        model = self.agent.fallback_model if ask.fallback else self.agent.model
        briefed = briefing(self.agent, offered(self.agent))
        body = {**claude_wire.request(model, briefed, "", ask.messages), "stream": True}
        fault = self.stage.next_fault()
        self.stage.requests.append(body)
        reading = claude_wire.Reading(ask.question)
        try:
            await self._answer(body, fault, reading)
        except VendorError as error:
            self.report(ThoughtFailed(ask.question, str(error), again=error.again))
        finally:
            for cost in reading.usage().metered(model, ask.question, "" if reading.ended else "cancelled"):
                self.report(cost)

    async def _answer(self, body: dict[str, Any], fault: Fault | None, reading: claude_wire.Reading) -> None:
        began = _now()
        if fault is not None and fault.kind == "refuse":
            raise VendorError("anthropic", f"{fault.status}")
        try:
            answer = self.stage.brain.answer(body, began, Random(1), fault)
        except Unacceptable as refused:
            raise VendorError("anthropic", str(refused), again=False) from None
        for after, event in answer.events:
            if fault is not None and fault.kind == "drop" and after > fault.after:
                raise VendorError("anthropic", "the answer broke off")
            await asyncio.sleep(max(0.0, began + after - _now()))
            for told in reading.receive(event):
                self.report(told)


class StageMouth:
    """ElevenLabs' model behind the real contexts."""

    def __init__(self, agent: Agent, report: Report, profile: Profile) -> None:
        self._report = report
        self._contexts = Contexts(agent.voice_model)
        options = VoiceOptions(output_format="ulaw_8000", auto_mode=True, inactivity_timeout=180.0)
        self._voice = Voice(options, profile, Random(1))
        self._told = asyncio.Event()

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
            self._told.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next_look()):
                    await self._told.wait()

    def _next_look(self) -> float:
        """When sound is due, or somebody may be found mute."""
        due, tick = self._voice.deadline(), _now() + TICK
        if self._voice.closing or due is None:
            return tick
        return min(due, tick) if self._voice.contexts else due

    def _flush(self) -> None:
        for text in self._contexts.to_send():
            self._voice.receive(json.loads(text), _now())
            self._told.set()


@dataclass
class StageTools:
    """Tools that take half a second, all at once."""

    report: Report
    seconds: float

    async def use(self, ask: UseTools) -> None:
        await asyncio.sleep(self.seconds)
        answers = tuple(ToolAnswer(call.id, f"{call.name} is done") for call in ask.calls)
        self.report(ToolsAnswered(ask.question, answers))


@dataclass
class _OneNumber:
    """The directory of a telephone with one number."""

    agent: Agent

    async def answering(self, number: str) -> tuple[Agent, int] | None:
        return self.agent, 1

    async def version_of(self, name: str, version: int) -> Agent | None:
        return self.agent


@dataclass
class Stage:
    """What all streams of one call share."""

    tale: Tale
    agent: Agent
    folder: Path
    brain: Brain
    profile: Profile
    faults: list[Fault | None]
    requests: list[dict[str, Any]] = field(default_factory=list)
    traces: list[Path] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    def next_fault(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else None

    def hire(self, agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
        return Senses(
            StageEars(agent, report, self.profile, self.tale.misheard),
            StageMind(agent, report, self),
            StageMouth(agent, report, self.profile),
            StageTools(report, self.tale.tool_seconds),
        )

    def open_trace(self, sid: str) -> trace.FileTrace:
        file = trace.FileTrace(self.folder, f"{sid}.{len(self.traces) + 1}")
        self.traces.append(file.path)
        return file

    async def play(self, caller: Caller) -> Caller:
        live = LocalLive(asyncio.get_running_loop().time)
        exchange = Exchange(_OneNumber(self.agent), self.hire, live, self.open_trace, most_calls=1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(exchange.run())
            await exchange.ready.wait()
            await self._carry(exchange, caller)
            await exchange.drain(5.0)
            exchange.stop()
        return caller

    async def _carry(self, exchange: Exchange, caller: Caller) -> None:
        """What the telephone company does with a call: a stream, then whatever is to follow it."""
        answer: Admitted | Refused | HangUp | Transfer = await exchange.ring(FACTS)
        while isinstance(answer, Admitted):
            await asyncio.sleep(CONNECTING)
            conversation = await exchange.connect(answer.token)
            assert conversation is not None, "the stream's token is not good"
            breaks = self.tale.breaks if not caller.phones else None
            await _stream(conversation, caller, breaks)
            if caller.leaving:
                break
            answer = await exchange.follow(FACTS.sid)
        if isinstance(answer, Transfer):
            self.dialled.append(answer.to)
        caller.hang_up()


def play(
    tale: Tale,
    *,
    ears: str = "nova-3",
    work_ahead: str = "eager",
    profile: Profile = REFERENCE,
    caller: Caller | None = None,
) -> Evidence:
    """The tale, from the ring to the end of the call, acted out by this caller or by one who knows its story."""
    agent = tale.agent_with(ears=ears, work_ahead=work_ahead)
    with TemporaryDirectory() as folder:
        return play_in(Path(folder), tale, agent, profile=profile, caller=caller)


def play_in(
    folder: Path, tale: Tale, agent: Agent, *, profile: Profile = REFERENCE, caller: Caller | None = None
) -> Evidence:
    """The same with an agent of one's own; the traces stay in the folder."""
    brain = Brain(profile, [Rule.read(rule) for rule in tale.rules])
    stage = Stage(tale, agent, folder, brain, profile, list(tale.mind_faults))
    caller = virtual_time.run(stage.play(caller or Caller(tale.story)))
    return Evidence(caller, stage.requests, [trace.read(path) for path in stage.traces], stage.dialled)


async def _stream(conversation: Conversation, caller: Caller, breaks: float | None) -> None:
    """Carry messages between telephone and conversation until one of them has had enough, or the line breaks."""
    phone = Phone(stream_sid="MZ1", call_sid=FACTS.sid, account_sid="AC1")
    wire, over, began = media_wire.MediaWire(), asyncio.Event(), _now()

    def arrive(texts: Sequence[str]) -> None:
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
        if over.is_set():
            raise CallerError("the socket is gone")
        arrive(caller.receive(text, _now()))

    async def close(code: int) -> None:
        over.set()

    arrive(phone.open(_now()))
    caller.lift(phone, _now())
    conversation.attach(MediaLine("MZ1", send, close))
    for beat in range(1, round(LONGEST / BEAT)):
        await asyncio.sleep(max(0.0, began + beat * BEAT - _now()))
        if over.is_set() or caller.leaving or (breaks is not None and _now() - began >= breaks):
            break
        arrive(caller.beat(_now()))
    broke = not (over.is_set() or caller.leaving)
    over.set()
    caller.lower(_now())
    conversation.report(LineClosed("carrier" if broke else "caller"))


async def _at(moment: float | None) -> None:
    if moment is not None:
        await asyncio.sleep(max(0.0, moment - _now()))


def _now() -> float:
    return asyncio.get_running_loop().time()
