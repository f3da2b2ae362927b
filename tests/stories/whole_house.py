"""The whole house over real sockets: the server's own process, the vendors' wires, the agents' tools.

Many tales are told in it at once; each has an agent and a number of its own, so that none touches another.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from app.call.agent import Agent
from app.store.roster_form import form_data
from app.switchboard import trace
from ops.lab.caller import Caller
from ops.lab.carrier import Carrier
from ops.lab.place import Target
from ops.lab.report import Report
from ops.lab.vendors import Lab, vendors
from tests.servers import free_port
from tests.stories.brittle import brittle_way
from tests.stories.evidence import Evidence
from tests.stories.tale import Tale

SECRET = "secret-of-the-account"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
SLACK = 1.0  # what a busy machine may add to any time; how fast we are is the bench's business
PATCHCORD = Path(sys.executable).with_name("patchcord")


@dataclass(frozen=True)
class Part:
    """A tale, told to these ears at this number."""

    tale: Tale
    ears: str
    number: str

    @property
    def name(self) -> str:
        return f"{self.tale.name}, {self.ears}"

    def agent(self, tools: str) -> Agent:
        """Told apart by its name, which stands in its prompt too; its tools lead to `tools`."""
        told = self.tale.agent_with(ears=self.ears)
        own = tuple(replace(tool, url=tools + urlsplit(tool.url).path) for tool in told.tools)
        return replace(told, name=f"agent {self.number}", prompt=f"{told.prompt} {self.number}", tools=own)


def cast(tales: Sequence[tuple[Tale, str]]) -> list[Part]:
    return [Part(tale, ears, f"+1500555{place:04d}") for place, (tale, ears) in enumerate(tales, 1000)]


@asynccontextmanager
async def _tools() -> AsyncIterator[str]:
    """The agents' tools, which answer only in pairs: one that is asked alone waits in vain."""
    both = asyncio.Barrier(2)

    async def answer(asking: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(5.0):
            head = await asking.readuntil(b"\r\n\r\n")
            await both.wait()
        text = f"{head.split()[1].decode().strip('/')} is done"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@dataclass
class Server:
    """`patchcord serve` in a process of its own."""

    url: str
    folder: Path
    environment: dict[str, str]
    process: asyncio.subprocess.Process

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> None:
        self.process.terminate()

    async def ended(self) -> int:
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


def environment(folder: Path, lab: str, port: int, **more: str) -> dict[str, str]:
    """The settings of a server whose vendors are the lab's."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    keys = {f"{vendor}_API_KEY": "key" for vendor in ("DEEPGRAM", "ANTHROPIC", "ELEVENLABS")}
    return {
        **kept,
        **keys,
        "PORT": str(port),
        "DATA_DIR": str(folder),
        "TWILIO_AUTH_TOKEN": SECRET,
        "TWILIO_ACCOUNT_SID": "AC1",
        "MAX_LAG_SECONDS": "10",  # on a busy machine a loop is late, and that is not what is tried here
        "TWILIO_API_BASE": lab,
        "DEEPGRAM_URL": lab,
        "ANTHROPIC_BASE_URL": lab,
        "ELEVENLABS_BASE_URL": lab,
        **more,
    }


async def patchcord(*words: str, env: dict[str, str]) -> tuple[int, str, str]:
    """One command, to its end: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        PATCHCORD, *words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(START_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def serving(folder: Path, env: dict[str, str]) -> AsyncIterator[Server]:
    """The server, from the moment that it is ready; killed at the end if it has not ended by itself."""
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(PATCHCORD, "serve", env=env, stdout=log, stderr=log)
    server = Server(f"http://127.0.0.1:{env['PORT']}", folder, env, process)
    try:
        await _ready(server)
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await server.ended()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _ready(server: Server) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient() as client:
        while True:
            assert server.process.returncode is None, f"the server did not start:\n{server.log}"
            try:
                if (await client.get(f"{server.url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


@dataclass
class Told:
    """Every tale that was told, and what the server and the vendors say of it all."""

    evidence: dict[str, Evidence]
    counts: dict[str, Any]
    exit_code: int
    log: str


async def tell(parts: Sequence[Part], folder: Path) -> Told:
    """All of these at once, on one server."""
    rules = list({str(rule): rule for part in parts for rule in part.tale.rules}.values())
    async with vendors(script=rules) as lab, _tools() as tools:
        env = environment(folder, lab.url, free_port(), ALLOW_PRIVATE_TOOLS="yes")
        await _apply(parts, tools, folder, env)
        async with serving(folder, env) as server:
            await _rendered_ahead(parts, lab)
            carrier = Carrier(
                account_sid="AC1", auth_token=SECRET, plain=True, status_url=f"{server.url}/twilio/status"
            )
            async with carrier, asyncio.TaskGroup() as calls:
                told = [calls.create_task(_tell(part, server, carrier)) for part in parts]
            server.stop()
            code = await server.ended()
            evidence = {
                part.name: _evidence(part, task.result(), folder, lab) for part, task in zip(parts, told, strict=True)
            }
            return Told(evidence, lab.counts(), code, server.log)


async def _rendered_ahead(parts: Sequence[Part], lab: Lab) -> None:
    """Wait until the server has all phrases that it renders ahead."""
    agents = [part.agent("") for part in parts]
    texts = {text for agent in agents for text in (agent.greeting, agent.disclosure, *agent.phrases.all()) if text}
    async with asyncio.timeout(START_SECONDS):
        while True:
            asked = lab.counts()["elevenlabs"]["visits"]
            if len(asked) == len(texts) and not any(visit["open"] for visit in asked):
                return
            await asyncio.sleep(0.05)


async def _apply(parts: Sequence[Part], tools: str, folder: Path, env: dict[str, str]) -> None:
    roster = {
        "agents": [form_data(part.agent(tools)) for part in parts],
        "numbers": [{"number": part.number, "agent": part.agent(tools).name} for part in parts],
    }
    file = folder / "roster.yaml"
    file.write_text(yaml.safe_dump(roster, sort_keys=False))
    code, _, errors = await patchcord("apply", str(file), env=env)
    assert code == 0, errors


async def _tell(part: Part, server: Server, carrier: Carrier) -> Report:
    caller = Caller(part.tale.story)
    if part.tale.breaks is None:
        return await Target(server.url, to=part.number).ring(carrier, caller)
    port = urlsplit(server.url).port
    assert port is not None
    async with brittle_way(port, part.tale.breaks) as way:
        target = Target(way.url, "AC1", SECRET, to=part.number, public=server.url)
        async with target.carrier() as unlucky:
            return await target.ring(unlucky, caller)


def _evidence(part: Part, report: Report, folder: Path, lab: Lab) -> Evidence:
    """What is left of a call when the server has ended."""
    files = (folder / "traces").rglob(f"{report.outcome.sid}*.jsonl")
    traces = [trace.read(file) for file in sorted(files, key=lambda file: (len(file.name), file.name))]
    asked = [body for body in lab.requests() if _is_from(part, body)]
    failed = report.failed if part.tale.breaks is None else ""  # the company logs a broken line as its own error
    return Evidence(report.caller, asked, traces, report.outcome.dialled, failed, slack=SLACK)


def _is_from(part: Part, body: dict[str, Any]) -> bool:
    """Whether this agent asked for it; what only warms the vendor's cache is no question."""
    return part.number in json.dumps(body["system"]) and body["max_tokens"] > 1
