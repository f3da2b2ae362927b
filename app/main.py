"""The composition root: settings in, rooms built, one server out. The only place that chooses an implementation."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from app.call.account import Account
from app.call.agent import Agent
from app.ears.deepgram import DeepgramEars, deepgram_client
from app.errors import SettingsError, VendorError
from app.line.signature import Signatures
from app.mind.briefing import facts_line
from app.mind.claude import ClaudeMind
from app.mind.claude import open_client as open_claude
from app.mouth.voices import Voices
from app.report import call_sheet
from app.settings import Settings
from app.store import roster
from app.store.database import Database
from app.store.directory import Directory
from app.store.live import Live, LocalLive
from app.store.live_redis import RedisLive
from app.store.migrate import migrate as bring_tables
from app.store.migrate import revision_of, revisions
from app.store.roster_file import read_roster
from app.switchboard import trace
from app.switchboard.exchange import Exchange
from app.switchboard.ports import CallFacts, Hire, Later, Report, Senses
from app.tools.catalogue import offered
from app.tools.desk import Desk
from app.tools.http import HttpTools
from app.tools.http import open_client as open_http
from app.web.server import build

log = logging.getLogger(__name__)

_RENDER_AGAIN_SECONDS = 30.0  # an agent that was applied speaks its new greeting from the cache after so long


# --- serving --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class House:
    """One process, built: what answers the telephone, and what has to be told to stop."""

    doors: Any
    exchange: Exchange
    chores: Callable[[], Coroutine[Any, Any, None]]


async def serve(settings: Settings) -> None:
    """Answer the telephone until SIGTERM or SIGINT; then let the calls end, and go."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Of libraries only what is wrong: what uvicorn says of each connection would put stream tokens into the log.
    for chatty in ("uvicorn", "httpx", "httpx2", "httpcore", "websockets", "aiosqlite", "sqlalchemy", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    for key in settings.missing_keys():
        log.warning("%s is not set: whatever is behind that vendor's address must do without it", key)
    await _tables_ready(settings)
    async with _house(settings) as house, asyncio.TaskGroup() as tasks:
        server = _Server(_uvicorn(house.doors, settings))
        exchange = tasks.create_task(house.exchange.run())
        chores = tasks.create_task(house.chores())
        serving = tasks.create_task(server.serve())
        with _signals() as told_to_stop:
            waiting = tasks.create_task(told_to_stop.wait())
            await asyncio.wait((waiting, serving), return_when=asyncio.FIRST_COMPLETED)
            log.info("told to stop: %s calls may end in their own time", len(house.exchange.conversations))
            await house.exchange.drain(settings.drain_seconds)
            waiting.cancel()
        chores.cancel()
        server.should_exit = True
        await serving
        house.exchange.stop()
        await exchange


class _Server(uvicorn.Server):
    """Uvicorn, without its own idea of signals: calls are drained before the server stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            log.info("answering at http://%s:%s", self.config.host, self.config.port)


def _uvicorn(doors: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        doors,
        host=settings.host,
        port=settings.port,
        ws="websockets-sansio",
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,  # Twilio offers none, and sound does not get smaller
        ws_ping_interval=None,  # a stream says something every 20 ms
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )


@contextlib.contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """Set by the first SIGTERM or SIGINT; the second one ends the process as usual."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    both = (signal.SIGTERM, signal.SIGINT)

    def first() -> None:
        told.set()
        for number in both:
            loop.remove_signal_handler(number)

    for number in both:
        loop.add_signal_handler(number, first)
    try:
        yield told
    finally:
        for number in both:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _house(settings: Settings) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        database = Database.open(settings.database_url)
        stack.push_async_callback(database.close)
        live = _live(settings)
        stack.push_async_callback(live.close)
        directory = Directory(database)
        hire, voices = await _senses(settings, stack)
        exchange = Exchange(directory, hire, live, _traces(settings.data_dir / "traces"), most_calls=settings.max_calls)
        signatures = Signatures(settings.twilio_auth_token, settings.public_url)
        doors = build(exchange, signatures, settings.public_url)
        yield House(doors, exchange, lambda: _render_ahead(voices, directory))


def _live(settings: Settings) -> Live:
    if settings.redis_url:
        return RedisLive(settings.redis_url)
    log.info("REDIS_URL is not set: calls are kept in this process alone, and end with it")
    return LocalLive()


def _traces(folder: Path) -> Callable[[str], trace.Trace]:
    """A file for each call; a call that goes on after its stream broke gets another one beside it."""

    def open_trace(sid: str) -> trace.Trace:
        part = 1
        while (folder / f"{sid}{'' if part == 1 else f'.{part}'}.jsonl").exists():
            part += 1
        return trace.FileTrace(folder, sid if part == 1 else f"{sid}.{part}")

    return open_trace


async def _senses(settings: Settings, stack: AsyncExitStack) -> tuple[Hire, Voices]:
    """What every call of this process shares, and how the senses of one call are hired from it."""
    claude = open_claude(settings.anthropic_api_key or "none", settings.anthropic_base_url)
    stack.push_async_callback(claude.close)
    deepgram = deepgram_client(settings.deepgram_api_key or "none", settings.deepgram_url)
    voices = Voices.open(settings.elevenlabs_api_key or "none", settings.elevenlabs_base_url, aura=deepgram)
    stack.push_async_callback(voices.close)
    http = open_http()
    stack.push_async_callback(http.aclose)
    tools = HttpTools(http, settings.tool_secrets, allow_private=settings.allow_private_tools)

    def hire(agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
        told = facts_line(now=datetime.now(), direction=facts.direction, party=facts.party, number=facts.number)
        return Senses(
            DeepgramEars(deepgram, agent, report, later, encoding=settings.ears_encoding),
            ClaudeMind(claude, agent, told, report, own_tools=offered(agent)),
            voices.mouth(agent, report, later),
            Desk(agent, report, http=tools, notes={}),
        )

    return hire, voices


async def _render_ahead(voices: Voices, directory: Directory) -> None:
    """Have ready what agents say without thinking, also those that are applied while we serve."""
    while True:
        try:
            for agent in await directory.agents():
                for text, why in (await voices.render(agent)).items():
                    log.warning("agent %s: %r could not be rendered ahead: %s", agent.name, text, why)
        except SQLAlchemyError as error:
            log.warning("the database did not say which agents there are (%r)", error)
        await asyncio.sleep(_RENDER_AGAIN_SECONDS)


async def _tables_ready(settings: Settings) -> None:
    """An empty database gets its tables; one of another release is left to whoever deploys."""
    newest = revisions()[-1]
    before = await revision_of(settings.database_url)
    if before == "base":
        await bring_tables(settings.database_url)
    elif before != newest:
        raise SettingsError(
            f"The tables of the database are at revision {before}, this release needs {newest}: run patchcord migrate."
        )


# --- the other commands ---------------------------------------------------------------------------------------------


async def migrate(settings: Settings, revision: str) -> str:
    done = await bring_tables(settings.database_url, revision)
    if done.before == done.after:
        return f"The tables are at revision {done.after}; there was nothing to do."
    return f"The tables were at revision {done.before} and are at {done.after} now."


async def apply(settings: Settings, text: str, file: str) -> list[str]:
    """Make the database say what the text of this file says; a line for each entry tells what became of it."""
    wanted = read_roster(text, file)
    await _tables_ready(settings)
    database = Database.open(settings.database_url)
    try:
        async with database.writing() as session:
            return [str(applied) for applied in await roster.apply(session, wanted)]
    finally:
        await database.close()


def replay(file: Path, say: Callable[[str], None], *, quiet: bool = False) -> int:
    """Tell a call from its trace and run it through the core again: 0 if it would go the same way today, else 1."""
    recorded = trace.read(file)
    account = Account()
    for entry in recorded.entries:
        lines = len(account.lines)
        if entry.thing is not None:
            account.add(entry.moment, entry.thing)
        for line in account.lines[lines:]:
            if not quiet:
                say(call_sheet.said(line, recorded.head.moment))
    if recorded.end is not None:
        account.ended, account.reason, account.fault = recorded.end
    if not quiet:
        say("")
        for line_of_sheet in call_sheet.sheet(account):
            say(line_of_sheet)
        say("")
    differences = trace.replay(recorded)
    for difference in differences:
        say(f"{difference.moment:.3f}: at {difference.happened}")
        say(f"  then: {'; '.join(difference.then) or 'nothing'}")
        say(f"  now:  {'; '.join(difference.now) or 'nothing'}")
    say(
        f"The core would do otherwise today at {len(differences)} moments."
        if differences
        else "The core would do exactly the same today."
    )
    return 1 if differences else 0


async def doctor(settings: Settings, say: Callable[[str], None]) -> int:
    """Look at everything that a call needs, and say what is amiss and how to mend it: 0 if nothing is."""
    faults = 0

    def found(fault: str, well: str) -> None:
        nonlocal faults
        faults += bool(fault)
        say(f"amiss  {fault}" if fault else f"well   {well}")

    try:
        settings.require_serving()
        found("", f"Twilio reaches us at {settings.public_url}, and its requests can be verified")
    except SettingsError as error:
        for sentence in str(error).splitlines():
            found(sentence, "")
    for key in settings.missing_keys():
        found(f"{key} is not set: copy it from the vendor's console into the environment", "")
    await _look_at_vendors(settings, found)
    await _look_at_database(settings, found)
    await _look_at_redis(settings, found)
    return 1 if faults else 0


async def _look_at_vendors(settings: Settings, found: Callable[[str, str], None]) -> None:
    for name, url in (
        ("Deepgram", settings.deepgram_http_url),
        ("Anthropic", settings.anthropic_base_url),
        ("ElevenLabs", settings.elevenlabs_http_url),
    ):
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        fault = ""
        try:
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(parts.hostname, port)
                writer.close()
        except (OSError, TimeoutError) as error:
            fault = (
                f"{name} cannot be reached at {url} ({error or 'no answer in 5 s'}): check the address and the network"
            )
        found(fault, f"{name} can be reached at {url}")


async def _look_at_database(settings: Settings, found: Callable[[str, str], None]) -> None:
    try:
        revision, newest = await revision_of(settings.database_url), revisions()[-1]
    except (SQLAlchemyError, OSError) as error:
        found(f"the database cannot be opened ({error}): check DATABASE_URL", "")
        return
    fault = (
        ""
        if revision in ("base", newest)
        else f"the tables are at revision {revision}, not {newest}: run patchcord migrate"
    )
    found(
        fault,
        f"the database is there; its tables are {'made at the first start' if revision == 'base' else 'up to date'}",
    )


async def _look_at_redis(settings: Settings, found: Callable[[str, str], None]) -> None:
    if not settings.redis_url:
        found("", "no REDIS_URL: one process keeps its calls by itself, and no other can go on with them")
        return
    redis = RedisLive(settings.redis_url)
    try:
        await redis.ping()
        found("", "Redis answers")
    except VendorError as error:
        found(f"{error}: check REDIS_URL", "")
    finally:
        await redis.close()
