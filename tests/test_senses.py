"""Who hears, thinks and speaks for a process: chosen by its settings, and able to hold a call."""

import asyncio
import importlib.util
import logging
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from app import senses
from app.call.agent import Agent
from app.ears.batched import BatchedEars
from app.ears.deepgram import DeepgramEars
from app.ears.offline import OfflineEars
from app.errors import SettingsError
from app.mind.claude import ClaudeMind
from app.mind.offline import OfflineMind
from app.mouth.local_mouth import LocalMouth
from app.mouth.mouth import Mouth
from app.mouth.offline import OfflineMouth
from app.settings import Settings
from app.store.database import Database
from app.switchboard.ports import CallFacts, Senses
from tests import virtual_time

AGENT = Agent("clinic", "This is the clinic.", "")
FACTS = CallFacts("CA1", "inbound", "+15005550001", "+15005550100")
NOWHERE = "http://127.0.0.1:9"
KEYS = {f"{vendor}_API_KEY": "key" for vendor in ("DEEPGRAM", "ANTHROPIC", "ELEVENLABS")}


async def hired(tmp_path: Path, environ: dict[str, str]) -> Senses:
    """The senses of a call that is never held."""
    settings = Settings.read({"DATA_DIR": str(tmp_path), **environ})
    async with AsyncExitStack() as stack:
        database = Database.open(settings.database_url)
        stack.push_async_callback(database.close)
        hire, _ = await senses.open_senses(settings, database, stack)
        return hire(AGENT, FACTS, lambda event: None, lambda work: None)
    raise AssertionError("an exit stack swallows nothing")


def kinds(given: Senses) -> tuple[type, type, type]:
    return type(given.ears), type(given.mind), type(given.mouth)


OWN, VENDORS = (OfflineEars, OfflineMind, OfflineMouth), (DeepgramEars, ClaudeMind, Mouth)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, OWN),
        ({"STT_URL": NOWHERE}, (BatchedEars, *OWN[1:])),
        ({"TTS_URL": NOWHERE}, (*OWN[:2], LocalMouth)),
        (KEYS, VENDORS),
        ({"ANTHROPIC_API_KEY": "key"}, VENDORS),
        ({"DEEPGRAM_URL": NOWHERE, "ANTHROPIC_BASE_URL": NOWHERE, "ELEVENLABS_BASE_URL": NOWHERE}, VENDORS),
        (KEYS | {"STT_URL": NOWHERE}, (BatchedEars, *VENDORS[1:])),
        (KEYS | {"TTS_URL": NOWHERE}, (*VENDORS[:2], LocalMouth)),
        ({"ANTHROPIC_API_KEY": "k", "STT_URL": NOWHERE, "TTS_URL": NOWHERE}, (BatchedEars, ClaudeMind, LocalMouth)),
    ],
)
async def test_the_settings_choose_each_sense(
    tmp_path: Path, environ: dict[str, str], wanted: tuple[type, ...]
) -> None:
    assert kinds(await hired(tmp_path, environ)) == wanted


async def test_one_line_says_that_we_are_on_our_own_and_how_not_to_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await hired(tmp_path, {"STT_URL": NOWHERE})
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith("No vendor's key is set, so Patchcord speaks and thinks on this machine: ")
    assert line.endswith("To use vendors set DEEPGRAM_API_KEY, ANTHROPIC_API_KEY and ELEVENLABS_API_KEY.")


async def test_each_key_that_is_missing_is_named_where_vendors_are_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await hired(tmp_path, {"ANTHROPIC_API_KEY": "key", "STT_URL": NOWHERE})
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith("ELEVENLABS_API_KEY is not set")


# --- what is not installed --------------------------------------------------------------------------------------------


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python in which nobody has installed the extra named offline."""

    def find(name: str, *more: Any) -> Any:
        return None if name in ("pocketsphinx", "espeakng_loader") else importlib.util.find_spec(name, *more)

    monkeypatch.setattr(senses, "find_spec", find)


@pytest.mark.usefixtures("without_the_extra")
async def test_what_is_not_installed_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="without one this machine lacks pocketsphinx and espeakng_loader: "
    ) as fault:
        await hired(tmp_path, {})
    assert "or set DEEPGRAM_API_KEY, ANTHROPIC_API_KEY and ELEVENLABS_API_KEY." in str(fault.value)
    assert "\n" not in str(fault.value)
    with pytest.raises(SettingsError, match="this machine lacks espeakng_loader: install the extra named offline"):
        await hired(tmp_path, {"STT_URL": NOWHERE})


@pytest.mark.usefixtures("without_the_extra")
async def test_what_is_not_needed_need_not_be_installed(tmp_path: Path) -> None:
    assert kinds(await hired(tmp_path, KEYS)) == VENDORS
    local = {"STT_URL": NOWHERE, "TTS_URL": NOWHERE}
    assert kinds(await hired(tmp_path, local)) == (BatchedEars, OfflineMind, LocalMouth)


@pytest.mark.usefixtures("without_the_extra")
def test_a_python_without_wheels_is_told_which_ones_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.read({})
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert "use Python 3.11, 3.12 or 3.13" in senses.cannot_work(settings)
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert "install the extra named offline" in senses.cannot_work(settings)


async def test_ears_that_cannot_begin_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senses, "source", lambda: "no grammar at all")
    with pytest.raises(SettingsError, match=r"^Nobody can hear on this machine \(offline: "):
        await hired(tmp_path, {})


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_a_processor_is_left_to_the_calls() -> None:
    assert [senses._workers(processors) for processors in (1, 2, 3, 4, 64)] == [1, 1, 2, 3, 4]


def test_only_a_telephone_number_opens_an_appointment() -> None:
    assert senses._telephone("+15005550100") == "+15005550100"
    assert [senses._telephone(party) for party in ("browser", "", "Anonymous")] == ["", "", ""]


class ListVoices:
    """Voices that can say what they were asked to, but for one agent."""

    def __init__(self) -> None:
        self.rendered: list[str] = []

    def mouth(self, *hired: Any) -> Any:
        raise AssertionError("nobody is called")

    async def render(self, agent: Agent) -> dict[str, str]:
        self.rendered.append(agent.name)
        return {"Hello.": "the voice is unknown"} if agent.name == "mute" else {}

    async def close(self) -> None:
        return None


class ListDirectory:
    """Agents, and now and then no database."""

    def __init__(self) -> None:
        self.asked = 0

    async def agents(self) -> list[Agent]:
        self.asked += 1
        if self.asked == 2:
            raise ConnectionRefusedError("the database is away")
        return [AGENT, Agent("mute", "Hello.", "")]


def test_agents_are_rendered_again_and_again_and_a_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    voices, directory = ListVoices(), ListDirectory()

    async def watch() -> None:
        try:
            async with asyncio.timeout(70):
                await senses.render_ahead(voices, directory)  # type: ignore[arg-type]
        except TimeoutError:
            pass

    virtual_time.run(watch())
    assert voices.rendered == ["clinic", "mute"] * 2
    told = [record.getMessage() for record in caplog.records]
    assert (
        sum("1 phrases of agent mute could not be rendered ahead: the voice is unknown" in line for line in told) == 1
    )
    assert sum("did not say which agents there are" in line for line in told) == 1
