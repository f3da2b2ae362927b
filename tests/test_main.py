"""A whole process: it starts, answers, and goes when it is told to, but not before its calls have ended."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from app import commands, main
from app.settings import Settings
from ops.lab.caller import Caller
from ops.lab.place import Target
from ops.lab.report import Report
from ops.lab.story import Ends, Hears, Says, Story
from ops.lab.vendors import Lab, vendors
from ops.lab.webhook import sign
from tests import virtual_time
from tests.servers import free_port
from tests.stories.whole_house import SECRET, START_SECONDS, Server, environment, patchcord, serving
from tests.web.house import ringing

ROSTER = """
agents:
  - name: reception
    greeting: "Hello, this is the clinic. How can I help?"
    prompt: "You answer the phone of a small clinic."
numbers:
  - number: "+15005550001"
    agent: reception
"""
TALK = Story(
    "a question and a goodbye",
    (
        Hears("How can I help"),
        Says("When are you open?", pace=2.0),
        Hears("nine to five"),
        Says("Thank you, goodbye."),
        Hears("Goodbye"),
        Ends(),
    ),
)


@asynccontextmanager
async def house(folder: Path, lab: Lab, **more: str) -> AsyncIterator[Server]:
    """A server with one agent."""
    env = environment(folder, lab.url, free_port(), **more)
    await commands.apply(Settings.read(env), ROSTER, "clinic.yaml")
    async with serving(folder, env) as server:
        yield server


class Call:
    """A call that goes on beside the test."""

    def __init__(self, tasks: asyncio.TaskGroup, target: Target, story: Story = TALK) -> None:
        self.caller = Caller(story)
        self._target = target
        self.task = tasks.create_task(self._ring())

    async def _ring(self) -> Report:
        async with self._target.carrier() as carrier:
            return await self._target.ring(carrier, self.caller)

    async def heard(self, words: str) -> None:
        async with asyncio.timeout(START_SECONDS):
            while True:
                if words in " ".join(word.text for word in self.caller.ear.words):
                    return
                await asyncio.sleep(0.02)


async def asked(server: Server, path: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(server.url + path)).status_code


async def until_closed(server: Server) -> None:
    """Until it takes no new calls."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            if await asked(server, "/readyz") == 503:
                return
            await asyncio.sleep(0.05)


async def test_a_server_answers_and_ends_at_once_when_nobody_is_there(tmp_path: Path) -> None:
    async with vendors() as lab, house(tmp_path, lab) as server:
        assert await asked(server, "/healthz") == 200
        assert await asked(server, "/readyz") == 200
        server.stop()
        assert await server.ended() == 0
        assert "told to stop: 0 calls" in server.log
        assert "Traceback" not in server.log


async def test_a_server_that_is_stopped_lets_its_call_end_and_no_new_one_in(tmp_path: Path) -> None:
    async with vendors() as lab, house(tmp_path, lab) as server:
        async with asyncio.TaskGroup() as tasks:
            call = Call(tasks, Target(server.url, "AC1", SECRET))
            await call.heard("Hello,")
            server.stop()
            await until_closed(server)
            assert await asked(server, "/healthz") == 200
            form = ringing("CAlate")
            url = f"{server.url}/twilio/voice"
            async with httpx.AsyncClient() as client:
                answer = await client.post(url, data=form, headers={"X-Twilio-Signature": sign(SECRET, url, form)})
            assert "busy" in answer.text
        report = call.task.result()
        assert report.failed == ""
        assert [turn.answered is not None for turn in report.turns] == [True, True]
        assert await server.ended() == 0


async def test_a_call_that_takes_too_long_is_ended_with_the_server(tmp_path: Path) -> None:
    async with vendors() as lab, house(tmp_path, lab, DRAIN_SECONDS="0.5") as server:
        async with asyncio.TaskGroup() as tasks:
            call = Call(tasks, Target(server.url, "AC1", SECRET))
            await call.heard("Hello,")
            server.stop()
            assert await server.ended() == 0
        assert "the call ended early" in call.task.result().failed
        (trace,) = (tmp_path / "traces").rglob("*.jsonl")
        assert '"is":"HangUp"' in trace.read_text()
        assert '"is":"end"' in trace.read_text().replace('": "', '":"')


async def test_who_is_asked_twice_to_stop_stops(tmp_path: Path) -> None:
    async with vendors() as lab, house(tmp_path, lab) as server, asyncio.TaskGroup() as tasks:
        call = Call(tasks, Target(server.url, "AC1", SECRET))
        await call.heard("Hello,")
        server.stop()
        await until_closed(server)
        server.stop()
        assert await server.ended() == -signal.SIGTERM


async def test_a_port_that_is_taken_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = environment(tmp_path, "http://127.0.0.1:9", taken.getsockname()[1])
        code, _, errors = await patchcord("serve", env=env)
    assert code == 2
    sentences = [line for line in errors.splitlines() if line.startswith("patchcord: ")]
    assert len(sentences) == 1
    assert "PORT" in sentences[0]
    assert "Traceback" not in errors


async def test_calls_are_placed_from_the_command_line(tmp_path: Path) -> None:
    story = tmp_path / "story.yaml"
    story.write_text("name: short\nsteps:\n  - hears: How can I help\n  - hangs_up\n")
    async with vendors() as lab, house(tmp_path, lab) as server:
        one = patchcord("call", server.url, "--story", str(story), env=server.environment)
        many = patchcord("load", server.url, "--story", str(story), "--calls", "2", env=server.environment)
        for words, (code, out, errors) in zip(
            ("The call went well", "2 of 2 calls"), await asyncio.gather(one, many), strict=False
        ):
            assert (code, errors) == (0, ""), out
            assert words in out


def test_what_stands_at_the_start_is_no_concern_of_the_collector() -> None:
    before = gc.get_threshold()
    try:
        main.set_aside()
        assert gc.get_freeze_count() > 100_000
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_a_chore_that_breaks_is_begun_again_and_the_calls_go_on() -> None:
    begun: list[float] = []

    async def chore() -> None:
        begun.append(asyncio.get_running_loop().time())
        raise ConnectionRefusedError("the database is away")

    async def watch() -> None:
        try:
            async with asyncio.timeout(7):
                await main._kept_up(chore)
        except TimeoutError:
            pass

    virtual_time.run(watch())
    assert begun == [0, 2, 4, 6]
