"""The `patchcord` command: what it prints, and with which code it ends. A fault of the operator's is always code 2."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from tests.servers import free_port
from tests.stories.stage import play_in
from tests.stories.tales import THREE_TURNS

ROSTER = """
agents:
  - name: reception
    greeting: "Hello, this is the clinic."
    prompt: "You answer the phone of a small clinic."
numbers:
  - number: "+15005550001"
    agent: reception
"""


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings are those that a test names, and the data lie in its own folder."""
    for name in ("TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


def patchcord(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(main, words, env=environ)


@pytest.fixture
def roster(tmp_path: Path) -> str:
    file = tmp_path / "clinic.yaml"
    file.write_text(ROSTER)
    return str(file)


@pytest.fixture
def traced(tmp_path: Path) -> Path:
    play_in(tmp_path, THREE_TURNS, THREE_TURNS.agent)
    return tmp_path / "CA1.1.jsonl"


def test_help_names_every_command() -> None:
    done = patchcord("--help")
    assert done.exit_code == 0
    for command in ("serve", "apply", "migrate", "replay", "doctor", "call", "load"):
        assert f"\n  {command} " in done.output
    assert patchcord("-h").output == done.output


def test_the_version_is_told() -> None:
    assert patchcord("--version").output.startswith("patchcord")


# --- wrong settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["serve"], ["migrate"], ["doctor"]])
def test_a_wrong_setting_stops_every_command_with_one_clear_sentence(command: list[str]) -> None:
    done = patchcord(*command, PORT="99999999", TWILIO_AUTH_TOKEN="t")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == (
        "patchcord: The environment variable PORT=99999999 is not a whole number from 1 to 65535: "
        "write for example PORT=8000.\n"
    )


def test_every_wrong_setting_has_its_own_sentence() -> None:
    done = patchcord("serve", PORT="0", LOG_LEVEL="loud", PATCHCORD_PROT="8000")
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("patchcord: The environment variable ") for line in lines)


def test_nobody_serves_without_the_secret_that_tells_twilio_from_strangers() -> None:
    done = patchcord("serve", PUBLIC_URL="https://phone.example.com")
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("patchcord: The environment variable TWILIO_AUTH_TOKEN is not set")


def test_a_database_of_another_release_stops_the_start() -> None:
    assert patchcord("migrate", "0001").exit_code == 0
    done = patchcord("serve", TWILIO_AUTH_TOKEN="t", PORT=str(free_port()))
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith("patchcord: The tables of the database are at revision 0001")
    assert "run patchcord migrate" in done.stderr


# --- agents and tables ----------------------------------------------------------------------------------------------


def test_applying_twice_says_that_nothing_has_changed(roster: str) -> None:
    first, second = patchcord("apply", roster), patchcord("apply", roster)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.output == "agent reception: created (version 1)\nnumber +15005550001: created\n"
    assert second.output == "agent reception: unchanged (version 1)\nnumber +15005550001: unchanged\n"


def test_a_wrong_roster_is_refused_with_the_lines_of_its_faults(roster: str) -> None:
    Path(roster).write_text(ROSTER.replace("greeting", "greting").replace("+15005550001", "15005550001"))
    done = patchcord("apply", roster)
    assert done.exit_code == 2
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["patchcord"] * len(
        done.stderr.splitlines()
    )
    assert "clinic.yaml, line 4: " in done.stderr
    assert "clinic.yaml, line 7: " in done.stderr


def test_a_file_that_is_not_there_is_the_operators_fault() -> None:
    for command in ("apply", "replay"):
        done = patchcord(command, "nowhere.yaml")
        assert done.exit_code == 2
        assert "'nowhere.yaml' does not exist" in done.stderr


def test_tables_are_brought_to_the_newest_revision() -> None:
    assert "at revision base and are at" in patchcord("migrate").output
    assert "there was nothing to do" in patchcord("migrate").output


def test_a_revision_that_there_is_not_is_the_operators_fault() -> None:
    done = patchcord("migrate", "9999")
    assert done.exit_code == 2
    assert "9999" in done.stderr


# --- traces ---------------------------------------------------------------------------------------------------------


def test_a_trace_is_replayed(traced: Path) -> None:
    done = patchcord("replay", str(traced))
    assert done.exit_code == 0
    assert "And on Sundays?" in done.output
    assert done.output.endswith("The core would do exactly the same today.\n")


def test_a_trace_that_would_go_otherwise_ends_with_code_one(traced: Path) -> None:
    lines = traced.read_text().splitlines(keepends=True)
    traced.write_text("".join(line for line in lines if '"is":"Commit","turn":2' not in line))
    done = patchcord("replay", "--quiet", str(traced))
    assert done.exit_code == 1
    assert "The core would do otherwise today" in done.output


def test_what_is_no_trace_is_the_operators_fault(roster: str, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"is":"tick","t":1.0}\n')
    for file in (roster, str(other)):
        done = patchcord("replay", file)
        assert done.exit_code == 2
        assert "is no trace of a call: " in done.stderr


# --- the doctor, and the lab ----------------------------------------------------------------------------------------


def test_the_doctor_ends_with_code_one_when_something_is_amiss() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    vendors = dict.fromkeys(("DEEPGRAM_URL", "ANTHROPIC_BASE_URL", "ELEVENLABS_BASE_URL"), nowhere)
    done = patchcord("doctor", PUBLIC_URL="https://phone.example.com", **vendors)
    assert done.exit_code == 1
    assert done.output.count("amiss  ") >= 7
    assert "well   the database is there" in done.output


@pytest.mark.parametrize("command", ["call", "load"])
def test_calls_are_placed_by_the_lab(command: str) -> None:
    done = patchcord(command)
    assert done.exit_code == 2
    assert f"patchcord {command}: whom to call?" in done.stderr


def test_a_call_to_nobody_fails_with_its_reason() -> None:
    done = patchcord("call", f"http://127.0.0.1:{free_port()}", "--json", "--auth-token", "t", "--to", "+15005550001")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert not told["ok"]
    assert "cannot be asked" in told["failed"]


def test_a_load_on_nobody_counts_its_failures() -> None:
    done = patchcord(
        "load", f"http://127.0.0.1:{free_port()}", "--json", "--auth-token", "t", "--calls", "2", "--ramp", "0"
    )
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["calls"], told["ok"]) == (2, 0)
