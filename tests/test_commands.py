"""What the operator's commands do, and the sentences in which they say so."""

import asyncio
from pathlib import Path

import pytest

from app import commands
from app.errors import SettingsError
from app.settings import Settings
from app.store.database import Database
from app.store.migrate import migrate, revision_of, revisions
from app.store.roster import answering
from app.store.roster_file import RosterFaults
from ops.lab.vendors import Lab, vendors
from tests.servers import free_port
from tests.stories.stage import play_in
from tests.stories.tales import BARGE_IN

ROSTER = """
agents:
  - name: reception
    greeting: "Hello, this is the clinic."
    prompt: "You answer the phone of a small clinic."
numbers:
  - number: "+15005550001"
    agent: reception
"""


def settings(folder: Path, lab: Lab | None = None, **more: str) -> Settings:
    """Settings of a server whose data lie in this folder and whose vendors are the lab, or nowhere."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    where = {
        f"{vendor}_URL": lab.url if lab else nowhere for vendor in ("DEEPGRAM", "ANTHROPIC_BASE", "ELEVENLABS_BASE")
    }
    return Settings.read({"DATA_DIR": str(folder), **where, **more})


# --- tables ---------------------------------------------------------------------------------------------------------


def test_an_empty_database_gets_its_tables(tmp_path: Path) -> None:
    asyncio.run(commands.tables_ready(settings(tmp_path)))
    assert asyncio.run(revision_of(f"sqlite:///{tmp_path}/patchcord.db")) == revisions()[-1]


def test_the_tables_of_another_release_are_left_to_the_operator(tmp_path: Path) -> None:
    asyncio.run(migrate(f"sqlite:///{tmp_path}/patchcord.db", "0001"))
    with pytest.raises(SettingsError, match=f"at revision 0001, this release needs {revisions()[-1]}: run patchcord"):
        asyncio.run(commands.tables_ready(settings(tmp_path)))
    assert asyncio.run(revision_of(f"sqlite:///{tmp_path}/patchcord.db")) == "0001"


def test_tables_go_up_and_down_and_say_where_they_are(tmp_path: Path) -> None:
    newest = revisions()[-1]
    said = [asyncio.run(commands.migrate(settings(tmp_path), to)) for to in ("0001", "head", "head", "base")]
    assert said == [
        "The tables were at revision base and are at 0001 now.",
        f"The tables were at revision 0001 and are at {newest} now.",
        f"The tables are at revision {newest}; there was nothing to do.",
        f"The tables were at revision {newest} and are at base now.",
    ]


# --- agents ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_applied_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    for outcome in ("created", "unchanged"):
        told = asyncio.run(commands.apply(settings(tmp_path), ROSTER, "clinic.yaml"))
        assert told == [f"agent reception: {outcome} (version 1)", f"number +15005550001: {outcome}"]


def test_a_wrong_file_changes_nothing_and_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    asyncio.run(commands.apply(settings(tmp_path), ROSTER, "clinic.yaml"))
    wrong = (
        ROSTER.replace("Hello", "Good day").replace("agent: reception", "agent: recepton").replace("prompt", "promt")
    )
    with pytest.raises(RosterFaults) as faults:
        asyncio.run(commands.apply(settings(tmp_path), wrong, "clinic.yaml"))
    assert len(faults.value.sentences) >= 2
    assert all(sentence.startswith("clinic.yaml, line ") for sentence in faults.value.sentences)

    async def greeting() -> str:
        database = Database.open(f"sqlite:///{tmp_path}/patchcord.db")
        async with database.reading() as session:
            found = await answering(session, "+15005550001")
        await database.close()
        assert found is not None
        return found[0].greeting

    assert asyncio.run(greeting()) == "Hello, this is the clinic."


# --- traces ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def traced(tmp_path: Path) -> Path:
    """The trace of a call with a barge-in in it."""
    play_in(tmp_path, BARGE_IN, BARGE_IN.agent)
    return tmp_path / "CA1.1.jsonl"


def test_a_call_is_told_from_its_trace(traced: Path) -> None:
    said: list[str] = []
    assert commands.replay(traced, said.append) == 0
    told = "\n".join(said)
    for part in ("When are you open?", "Our clinic was founded", "closed on Sundays", "exactly the same today"):
        assert part in told


def test_a_quiet_replay_says_only_whether_all_is_the_same(traced: Path) -> None:
    said: list[str] = []
    assert commands.replay(traced, said.append, quiet=True) == 0
    assert said == ["The core would do exactly the same today."]


def test_a_replay_says_where_the_core_would_do_otherwise(traced: Path) -> None:
    text = traced.read_text()
    assert '"is":"Clear"' in text
    traced.write_text("".join(line for line in text.splitlines(keepends=True) if '"is":"Clear"' not in line))
    said: list[str] = []
    assert commands.replay(traced, said.append, quiet=True) == 1
    happened, then, now, verdict = said
    assert "at SpeechStarted(" in happened
    assert then == "  then: nothing"
    assert now == "  now:  Clear()"
    assert verdict == "The core would do otherwise today at 1 moments."


# --- a look at everything -------------------------------------------------------------------------------------------


def looked(settings: Settings) -> tuple[int, list[str]]:
    said: list[str] = []
    return asyncio.run(commands.doctor(settings, said.append)), said


async def test_where_all_is_well_the_doctor_says_so(tmp_path: Path, redis_url: str) -> None:
    keys = {f"{vendor}_API_KEY": "key" for vendor in ("DEEPGRAM", "ANTHROPIC", "ELEVENLABS")}
    said: list[str] = []
    async with vendors() as lab:
        well = settings(tmp_path, lab, TWILIO_AUTH_TOKEN="t", REDIS_URL=redis_url, **keys)
        assert await commands.doctor(well, said.append) == 0
    assert all(line.startswith("well   ") for line in said)
    assert len(said) == 6


def test_the_doctor_says_of_everything_that_is_amiss_how_to_mend_it(tmp_path: Path) -> None:
    asyncio.run(migrate(f"sqlite:///{tmp_path}/patchcord.db", "0001"))
    redis, public = f"redis://127.0.0.1:{free_port()}/0", "https://phone.example.com"
    code, said = looked(settings(tmp_path, REDIS_URL=redis, PUBLIC_URL=public))
    assert code == 1
    amiss = [line for line in said if line.startswith("amiss  ")]
    for part in (
        "TWILIO_AUTH_TOKEN is not set",
        "DEEPGRAM_API_KEY is not set",
        "ANTHROPIC_API_KEY is not set",
        "ELEVENLABS_API_KEY is not set",
        "Deepgram cannot be reached",
        "Anthropic cannot be reached",
        "ElevenLabs cannot be reached",
        "run patchcord migrate",
        "check REDIS_URL",
    ):
        assert sum(part in line for line in amiss) == 1, part
    assert len(amiss) == 9


def test_the_doctor_asks_no_vendor_where_none_is_needed(tmp_path: Path) -> None:
    code, said = looked(Settings.read({"DATA_DIR": str(tmp_path)}))
    assert code == 0
    assert any("no TWILIO_AUTH_TOKEN" in line and "/phone" in line for line in said)
    assert any("this machine can do without" in line for line in said)
    assert not any(vendor in line for line in said for vendor in ("Deepgram", "Anthropic", "ElevenLabs"))


def test_the_doctor_looks_at_the_servers_that_take_a_vendors_place(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    code, said = looked(Settings.read({"DATA_DIR": str(tmp_path), "STT_URL": nowhere}))
    assert code == 1
    (line,) = [line for line in said if line.startswith("amiss  ")]
    assert line.startswith(f"amiss  the server that hears cannot be reached at {nowhere}")


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    code, said = looked(settings(tmp_path, DATABASE_URL=f"sqlite:///{file}/patchcord.db"))
    assert code == 1
    assert any("check DATABASE_URL" in line for line in said)


def test_a_replay_draws_the_call_when_asked(traced: Path, tmp_path: Path) -> None:
    assert commands.replay(traced, print, quiet=True, picture=tmp_path / "call.svg") == 0
    assert (tmp_path / "call.svg").read_text(encoding="utf-8").startswith("<svg")
