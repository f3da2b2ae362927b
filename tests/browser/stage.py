"""The softphone on its stage: the real server on a real port, the lab's mind and voice, and ears that know by heart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import uvicorn

from app.audio import to_mulaw
from app.call.agent import Agent
from app.line.signature import Signatures
from app.mind.briefing import facts_line
from app.mind.claude import ClaudeMind, open_client
from app.mouth.voices import Voices
from app.store.live import LocalLive
from app.switchboard.exchange import Exchange
from app.switchboard.ports import CallFacts, Later, Report, Senses
from app.tools.catalogue import offered
from app.tools.desk import Desk
from app.tools.http import HttpTools
from app.tools.http import open_client as open_http
from app.web.server import build
from ops.lab import speech
from ops.lab.vendors import vendors
from tests.browser.by_heart import ByHeart
from tests.servers import free_port
from tests.switchboard.puppets import ListTrace

NUMBER = "+15005550001"
AGENT = Agent(
    "reception", "Hello, this is the clinic. How can I help?", "You answer the phone of a clinic.", work_ahead="off"
)


class PaperDirectory:
    """One agent, two numbers."""

    async def answering(self, number: str) -> tuple[Agent, int] | None:
        return (AGENT, 1) if number in (NUMBER, NUMBER[:-1] + "2") else None

    async def version_of(self, name: str, version: int) -> Agent | None:
        return AGENT

    async def numbers(self) -> list[tuple[str, str]]:
        return [(NUMBER, AGENT.name), (NUMBER[:-1] + "2", AGENT.name)]


@dataclass
class Stage:
    url: str
    traces: list[ListTrace] = field(default_factory=list)
    ears: list[ByHeart] = field(default_factory=list)


@asynccontextmanager
async def stage(sentences: Sequence[str] = ()) -> AsyncIterator[Stage]:
    """A server of which a browser of this machine may ask its page, until the end of the block."""
    async with vendors() as lab:
        claude = open_client("none", lab.url)
        voices = Voices.open("none", lab.url)
        tools = HttpTools(http := open_http(), {}, allow_private=False)
        await voices.render(AGENT)
        shown = Stage(f"http://127.0.0.1:{free_port()}")

        def hire(agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
            told = facts_line(now=datetime.now(), direction=facts.direction, party=facts.party, number=facts.number)
            shown.ears.append(ByHeart(report, sentences))
            mind = ClaudeMind(claude, agent, told, report, own_tools=offered(agent))
            desk = Desk(agent, report, http=tools, notes={})
            return Senses(shown.ears[-1], mind, voices.mouth(agent, report, later), desk)

        def open_trace(sid: str) -> ListTrace:
            shown.traces.append(ListTrace())
            return shown.traces[-1]

        directory = PaperDirectory()
        exchange = Exchange(directory, hire, LocalLive(), open_trace, most_calls=4)
        doors = build(exchange, Signatures("secret", shown.url), shown.url, directory.numbers)
        try:
            async with _serving(doors, exchange, shown.url):
                yield shown
        finally:
            await http.aclose()
            await voices.close()
            await claude.close()


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """The signals are the test's."""


@asynccontextmanager
async def _serving(doors: Any, exchange: Exchange, url: str) -> AsyncIterator[None]:
    port = int(url.rpartition(":")[2])
    config = uvicorn.Config(
        doors,
        host="127.0.0.1",
        port=port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as tasks:
        exchanging = tasks.create_task(exchange.run())
        serving = tasks.create_task(server._serve())
        try:
            await until(lambda: server.started)
            yield
        finally:
            await exchange.drain(0.1)
            server.should_exit = True
            await serving
            exchange.stop()
            await exchanging


async def until(true: Callable[[], bool | Awaitable[bool]], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = true()
            if (await found) if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.02)


# --- what the page plays --------------------------------------------------------------------------------------------

# Whatever a page leads to its loudspeaker is written down too, sample by sample, at the rate of its context.
RECORDER = """
  const connect = AudioNode.prototype.connect;
  window.recorded = { rate: 0, pieces: [] };
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      const context = this.context;
      if (!context.recorder) {
        context.recorder = context.createScriptProcessor(4096, 1, 1);
        window.recorded = { rate: context.sampleRate, pieces: [] };
        const { pieces } = window.recorded;
        context.recorder.onaudioprocess = ({ inputBuffer }) => pieces.push(inputBuffer.getChannelData(0).slice());
        connect.call(context.recorder, target);
      }
      connect.call(this, context.recorder);
    }
    return connect.call(this, target, ...rest);
  };
  window.recording = () => {
    const all = new Int16Array(window.recorded.pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of window.recorded.pieces) for (const sample of piece) all[at++] = Math.round(sample * 32768);
    let text = "";
    for (const byte of new Uint8Array(all.buffer)) text += String.fromCharCode(byte);
    return { rate: window.recorded.rate, sound: btoa(text) };
  };
"""


def words_in(linear: bytes) -> list[str]:
    """The words that the lab's voice has hidden in its sound: all that came through whole."""
    return [word.text for word in speech.Reader().feed(to_mulaw(linear) + speech.silence(0.5))]
