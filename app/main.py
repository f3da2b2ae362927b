"""The composition root: settings in, rooms built, one server out. The senses are chosen in `senses`."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import uvicorn

from app.call.masking import masked
from app.commands import tables_ready
from app.errors import SettingsError
from app.jobs.clock import Clock, Job
from app.jobs.deliveries import Deliveries
from app.jobs.forgetting import Forgetting
from app.jobs.reconciliation import Reconciliation
from app.line.rest import TwilioRest
from app.line.signature import Signatures
from app.processes import shared_port
from app.senses import open_senses, render_ahead
from app.settings import Settings
from app.store.database import Database
from app.store.directory import Directory
from app.store.live import Live, LocalLive
from app.store.live_redis import RedisLive
from app.store.retention import Retention
from app.switchboard.exchange import Exchange
from app.switchboard.gate import Gate
from app.switchboard.pulse import Pulse
from app.switchboard.scribe import Scribe, write_into
from app.switchboard.trace import open_trace
from app.web.quick_socket import QuickSocket
from app.web.server import build

log = logging.getLogger(__name__)

_CHORE_AGAIN_SECONDS = 2.0
# The collector of cycles stops every call while it looks. So it looks at few objects and often: 2 ms for those of the
# first number, 5 ms for the survivors of two such looks, and at all that live, 50 ms, once in 20 minutes of full load.
_LOOKS = (5_000, 2, 500)
# How long the scribe's thread may keep the interpreter from the event loop, which asks for it again for every message.
_TURN_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class House:
    """One process, built: what answers the telephone, and what has to be told to stop."""

    doors: Any
    exchange: Exchange
    scribe: Scribe
    chores: tuple[Callable[[], Coroutine[Any, Any, None]], ...]


async def serve(settings: Settings, *, one_of_many: bool = False) -> None:
    """Answer the telephone until SIGTERM or SIGINT; then let the calls end, and go."""
    _log(settings.log_level)
    if not settings.twilio_auth_token:
        page = f"{settings.public_url}/phone"
        log.warning(
            "TWILIO_AUTH_TOKEN is not set: Twilio is refused; only a browser of this machine may call, at %s", page
        )
    await tables_ready(settings)
    port = _listening(settings, shared=one_of_many)
    async with _house(settings) as house, asyncio.TaskGroup() as tasks:
        server = _Server(_uvicorn(house.doors, settings))
        exchange = tasks.create_task(house.exchange.run())
        chores = [tasks.create_task(_kept_up(chore)) for chore in house.chores]
        serving = tasks.create_task(server.serve([port]))
        with _signals() as told_to_stop:
            waiting = tasks.create_task(told_to_stop.wait())
            await asyncio.wait((waiting, serving), return_when=asyncio.FIRST_COMPLETED)
            log.info("told to stop: %s calls may end in their own time", len(house.exchange.conversations))
            await house.exchange.drain(settings.drain_seconds)
            waiting.cancel()
        for chore in chores:
            chore.cancel()
        server.should_exit = True
        await serving
        house.exchange.stop()
        await exchange
        await house.scribe.write_all()


def _listening(settings: Settings, *, shared: bool) -> socket.socket:
    """The port, ours before anything else is begun. `shared`: others of our family listen there too."""
    try:
        if shared:
            return shared_port(settings.host, settings.port)
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        raise SettingsError(
            f"Nobody can listen at HOST={settings.host} and PORT={settings.port} ({error.strerror}): "
            "stop who is there already, or write another port."
        ) from None


def set_aside() -> None:
    """Spare the collector of cycles what stands when the process is ready: it will stand until the end.

    Packages of vendors are 300,000 objects. To look through them took 0.1 s, and every call stood still meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_LOOKS)


class _Masking(logging.Formatter):
    """A line of the log, without the numbers that nobody may keep."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def _log(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # Of libraries only what is wrong: what uvicorn says of each connection would put stream tokens into the log.
    for chatty in ("uvicorn", "httpx", "httpx2", "httpcore", "websockets", "aiosqlite", "sqlalchemy", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


async def _kept_up(chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A chore that breaks is begun again: whatever it is, the calls matter more."""
    while True:
        try:
            await chore()
        except Exception:
            log.exception("a chore broke; it is begun again in %g s", _CHORE_AGAIN_SECONDS)
        await asyncio.sleep(_CHORE_AGAIN_SECONDS)


class _Server(uvicorn.Server):
    """Uvicorn, without its own idea of signals: calls are drained before the server stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        set_aside()
        sys.setswitchinterval(_TURN_SECONDS)
        if self.started:
            log.info("answering at http://%s:%s", self.config.host, self.config.port)


def _uvicorn(doors: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        doors,
        host=settings.host,
        port=settings.port,
        ws=QuickSocket,
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
        hire, voices = await open_senses(settings, database, stack)
        traces = settings.data_dir / "traces"
        exchange = Exchange(
            directory,
            hire,
            live,
            partial(open_trace, traces),
            most_calls=settings.max_calls,
            alone=not settings.redis_url,  # with a live store there may be others behind the same address
        )
        scribe = Scribe(traces, write_into(database), exchange.is_going_on)
        exchange.ended = scribe.look
        exchange.pulse = Pulse(settings.max_lag_seconds)
        exchange.gate = gate = Gate(live, database, going_on=lambda: exchange.conversations)
        clock = await _clock(settings, database, stack)
        signatures = Signatures(settings.twilio_auth_token, settings.public_url)
        doors = build(exchange, signatures, settings.public_url, directory.numbers)
        yield House(doors, exchange, scribe, (lambda: render_ahead(voices, directory), scribe.run, gate.run, clock.run))


async def _clock(settings: Settings, database: Database, stack: AsyncExitStack) -> Clock:
    """The work after the calls. The carrier is asked for prices when we have an account with it."""
    http = httpx.AsyncClient()
    stack.push_async_callback(http.aclose)
    jobs = [
        Job("deliveries", 15.0, Deliveries(database, http), longest=300.0),
        Job("forgetting", 3600.0, Forgetting(database, settings.data_dir, Retention(**settings.retention_days)), 600.0),
    ]
    if settings.twilio_account_sid:
        carrier = TwilioRest(settings.twilio_account_sid, settings.twilio_auth_token, base_url=settings.twilio_api_base)
        stack.push_async_callback(carrier.close)
        jobs.append(Job("reconciliation", 60.0, Reconciliation(database, carrier), longest=300.0))
    return Clock(database, jobs, f"{os.uname().nodename}:{os.getpid()}")


def _live(settings: Settings) -> Live:
    if settings.redis_url:
        return RedisLive(settings.redis_url)
    log.info("REDIS_URL is not set: calls are kept in this process alone, and end with it")
    return LocalLive()
