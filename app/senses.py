"""Which senses a process has: the vendors', this machine's own, or those of a server with OpenAI's audio interfaces.

What all calls share is opened here, and the senses of one call are hired from it. Nothing of a sense is used before
it is chosen: what only one of them needs may be missing.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from importlib.util import find_spec
from typing import Protocol

from deepgram import AsyncDeepgramClient
from sqlalchemy.exc import SQLAlchemyError

from app.call.agent import Agent
from app.ears import batched
from app.ears.batched import BatchedEars
from app.ears.deepgram import DeepgramEars, deepgram_client
from app.ears.offline import OfflineEars
from app.ears.offline_recognisers import Recognisers
from app.errors import SettingsError, VendorError
from app.mind.briefing import facts_line
from app.mind.claude import ClaudeMind
from app.mind.claude import open_client as open_claude
from app.mind.offline import OfflineMind
from app.mind.offline_meaning import examples, source
from app.mouth.local_mouth import LocalVoices
from app.mouth.offline import OfflineVoices
from app.mouth.voices import Voices as VendorVoices
from app.settings import Settings
from app.store.bookings import Bookings
from app.store.database import Database
from app.store.directory import Directory
from app.store.notes import notepad
from app.switchboard.ports import CallFacts, Ears, Hire, Later, Mind, Mouth, Report, Senses
from app.tools.catalogue import offered
from app.tools.desk import Desk
from app.tools.http import HttpTools
from app.tools.http import open_client as open_http

log = logging.getLogger(__name__)

KEYS = "DEEPGRAM_API_KEY, ANTHROPIC_API_KEY and ELEVENLABS_API_KEY"

_MOST_WORKERS = 4  # each hears four callers at once, and takes 400 MB for it
_RENDER_AGAIN_SECONDS = 30.0  # an agent that was applied speaks its new greeting from the cache after so long

GiveEars = Callable[[Agent, Report, Later], Ears]
GiveMind = Callable[[Agent, CallFacts, Report], Mind]


class Voices(Protocol):
    """What the mouths of all calls share, whoever's voices they are."""

    def mouth(self, agent: Agent, report: Report, later: Later) -> Mouth: ...
    async def render(self, agent: Agent) -> dict[str, str]: ...
    async def close(self) -> None: ...


async def open_senses(settings: Settings, database: Database, stack: AsyncExitStack) -> tuple[Hire, Voices]:
    """What every call of this process shares, and how the senses of one call are hired from it.

    Raises SettingsError when they need what is not installed.
    """
    _say_what_is_missing(settings)
    ears, mind = await _ears(settings, stack), _mind(settings, database, stack)
    voices = _voices(settings)
    stack.push_async_callback(voices.close)
    http = open_http()
    stack.push_async_callback(http.aclose)
    tools = HttpTools(http, settings.tool_secrets, allow_private=settings.allow_private_tools)

    def hire(agent: Agent, facts: CallFacts, report: Report, later: Later) -> Senses:
        notes = notepad(database, call_sid=facts.sid, agent=agent.name, number=facts.number, party=facts.party)
        return Senses(
            ears(agent, report, later),
            mind(agent, facts, report),
            voices.mouth(agent, report, later),
            Desk(agent, report, http=tools, notes=notes),
        )

    return hire, voices


async def render_ahead(voices: Voices, directory: Directory) -> None:
    """Have ready what agents say without thinking, also those that are applied while we serve."""
    told: dict[str, dict[str, str]] = {}
    while True:
        try:
            for agent in await directory.agents():
                failed = await voices.render(agent)
                if failed and failed.keys() != told.get(agent.name, {}).keys():
                    why = next(iter(failed.values()))
                    log.warning("%s phrases of agent %s could not be rendered ahead: %s", len(failed), agent.name, why)
                told[agent.name] = failed
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the database did not say which agents there are (%r)", error)
        await asyncio.sleep(_RENDER_AGAIN_SECONDS)


# --- what is there, and what is not -----------------------------------------------------------------------------------


def on_this_machine(settings: Settings) -> dict[str, str]:
    """What is done here for want of any vendor, with the package that it needs: "hears" -> "pocketsphinx"."""
    if not settings.without_vendors:
        return {}
    own = {"hears": "" if settings.stt_url else "pocketsphinx", "speaks": "" if settings.tts_url else "espeakng_loader"}
    return {"thinks": ""} | {what: package for what, package in own.items() if package}


def cannot_work(settings: Settings) -> str:
    """Why there is nobody to hear or speak, and how to mend it; nothing when there is."""
    missing = [package for package in on_this_machine(settings).values() if package and find_spec(package) is None]
    if not missing:
        return ""
    lacking = f"No vendor's key is set, and without one this machine lacks {' and '.join(missing)}"
    return f"{lacking}: {_mend(missing)}, or set {KEYS}."


def _mend(missing: list[str]) -> str:
    if "pocketsphinx" in missing and sys.version_info >= (3, 14):
        return "use Python 3.11, 3.12 or 3.13, for which pocketsphinx is built, with the extra named offline"
    return "install the extra named offline (pip install -e '.[offline]')"


def _say_what_is_missing(settings: Settings) -> None:
    if fault := cannot_work(settings):
        raise SettingsError(fault)
    if own := on_this_machine(settings):
        *most, last = sorted(own)
        done = f"{', '.join(most)} and {last}" if most else last
        log.warning(
            "No vendor's key is set, so Patchcord %s on this machine: it knows one job, a clinic's appointments, "
            "whatever an agent's prompt says. To use vendors set %s.",
            done,
            KEYS,
        )
    for key in settings.missing_keys():
        log.warning("%s is not set: whatever is behind that vendor's address must do without it", key)


# --- the senses -------------------------------------------------------------------------------------------------------


async def _ears(settings: Settings, stack: AsyncExitStack) -> GiveEars:
    if url := settings.stt_url:
        requests = batched.open_requests(settings.stt_api_key)
        stack.push_async_callback(requests.aclose)
        model = settings.stt_model
        return lambda agent, report, later: BatchedEars(requests, url, agent, report, later, model=model)
    if settings.without_vendors:
        try:
            recognisers = await Recognisers.open(source(), examples(), workers=_workers(os.cpu_count() or 1))
        except VendorError as trouble:
            raise SettingsError(f"Nobody can hear on this machine ({trouble}): {_mend([])}, or set {KEYS}.") from None
        stack.push_async_callback(recognisers.close)
        return lambda agent, report, later: OfflineEars(recognisers, agent, report, later)
    deepgram, encoding = _deepgram(settings), settings.ears_encoding
    return lambda agent, report, later: DeepgramEars(deepgram, agent, report, later, encoding=encoding)


def _workers(processors: int) -> int:
    """One processor is for the calls themselves, if there is more than one."""
    return max(1, min(_MOST_WORKERS, processors - 1))


def _mind(settings: Settings, database: Database, stack: AsyncExitStack) -> GiveMind:
    if settings.without_vendors:

        def by_rules(agent: Agent, facts: CallFacts, report: Report) -> Mind:
            diary, phone = Bookings(database, agent.name), _telephone(facts.party)
            return OfflineMind(diary, agent, phone, report, own_tools=offered(agent))

        return by_rules
    claude = open_claude(settings.anthropic_api_key or "none", settings.anthropic_base_url)
    stack.push_async_callback(claude.close)

    def by_claude(agent: Agent, facts: CallFacts, report: Report) -> Mind:
        told = facts_line(now=datetime.now(), direction=facts.direction, party=facts.party, number=facts.number)
        return ClaudeMind(claude, agent, told, report, own_tools=offered(agent))

    return by_claude


def _telephone(party: str) -> str:
    """The caller's number; nothing when they hide it, or are a browser."""
    return party if party.startswith("+") else ""


def _voices(settings: Settings) -> Voices:
    if settings.tts_url:
        return LocalVoices.open(
            settings.tts_url, key=settings.tts_api_key, model=settings.tts_model, voice=settings.tts_voice
        )
    if settings.without_vendors:
        return OfflineVoices.open()
    key, url = settings.elevenlabs_api_key or "none", settings.elevenlabs_base_url
    return VendorVoices.open(key, url, aura=_deepgram(settings))


def _deepgram(settings: Settings) -> AsyncDeepgramClient:
    return deepgram_client(settings.deepgram_api_key or "none", settings.deepgram_url)
