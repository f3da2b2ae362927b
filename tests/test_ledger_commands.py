"""The operator's commands about money and time, as they are typed: their output, their faults, their exit codes."""

import asyncio
import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.store.database import Database
from app.store.migrate import migrate
from tests.servers import free_port
from tests.store.ledgers import COST, GHOST, LINES, written

Patchcord = Callable[..., Result]
HEADER = "vendor,product,unit,price,per,tier_from,effective_from,source,checked_on"


@pytest.fixture
def patchcord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patchcord:
    """The command, in a house whose ledger holds one call of 2026-11-20 that used something without a price."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, words, catch_exceptions=False)

    url = f"sqlite:///{tmp_path}/patchcord.db"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    asyncio.run(_one_call(url))
    return run


async def _one_call(url: str) -> None:
    await migrate(url)
    database = Database.open(url)
    await written(database, lines=(*LINES, GHOST))
    await database.close()


def test_the_cost_of_a_day_is_told_as_a_table(patchcord: Patchcord) -> None:
    told = patchcord("report", "cost", "--from", "2026-11-20", "--to", "2026-11-20")
    assert told.exit_code == 0
    assert told.output.startswith("Cost by day, 2026-11-20 (UTC)\n")
    day = next(row for row in told.output.splitlines() if row.startswith("2026-11-20"))
    assert day.split()[:2] == ["2026-11-20", "1"]
    assert f"{COST:.6f}" in day


@pytest.mark.parametrize("by", ["day", "component", "agent", "campaign", "number"])
def test_the_same_cost_stands_in_every_form(patchcord: Patchcord, by: str) -> None:
    asked = ("report", "cost", "--from", "2026-11-01", "--to", "2026-11-30", "--by", by, "--format")
    rows = list(csv.DictReader(StringIO(patchcord(*asked, "csv").output)))
    told = json.loads(patchcord(*asked, "json").output)
    assert rows[-1][by] == "total"
    assert rows[-1]["cost_usd"] == told["rows"][-1]["cost_usd"] == f"{COST:.6f}"
    assert rows[-1]["unpriced"] == "1"


def test_latency_is_told_by_stage_with_its_definitions(patchcord: Patchcord) -> None:
    told = patchcord("report", "latency", "--from", "2026-11-20", "--to", "2026-11-20")
    assert told.exit_code == 0
    assert "p95" in told.output
    assert "end of the turn when that came later" in told.output, "a figure stands beside its definition"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("report", "cost", "--by", "moon"), "no report by 'moon'; choose one of day, component"),
        (("report", "latency", "--by", "number"), "choose one of stage, agent, day"),
        (("report", "cost", "--from", "2026-11-02", "--to", "2026-11-01"), "give --from a day before --to"),
        (("report", "cost", "--from", "yesterday"), "does not match the format"),
        (("report", "weather"), "'weather' is not one of"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(patchcord: Patchcord, words: tuple[str, ...], fault: str) -> None:
    told = patchcord(*words)
    assert told.exit_code == 2
    assert fault in told.stderr
    assert "Traceback" not in told.stderr


def test_a_database_that_is_away_is_a_sentence_too(patchcord: Patchcord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    told = patchcord("report", "cost")
    assert told.exit_code == 2
    assert "patchcord: The database cannot be used" in told.stderr
    assert "check DATABASE_URL" in told.stderr


def test_what_has_no_price_is_named_until_one_is_imported(patchcord: Patchcord, tmp_path: Path) -> None:
    told = patchcord("rates", "check")
    assert told.exit_code == 1
    assert "elevenlabs eleven_v9 character has no rate, and 1 calls used it" in told.output
    file = tmp_path / "more.csv"
    file.write_text(f"{HEADER}\nelevenlabs,eleven_v9,character,0.05,1000,0,2026-01-01,list,2026-11-20\n")
    told = patchcord("rates", "import", str(file))
    assert told.output == "1 rates were added, 0 stood there already. 1 calls have a known cost now.\n"
    assert "has no rate" not in patchcord("rates", "check").output
    assert patchcord("rates", "import", str(file)).output == "0 rates were added, 1 stood there already.\n"


def test_what_is_listed_can_be_imported(patchcord: Patchcord, tmp_path: Path) -> None:
    listed = patchcord("rates", "list").output
    assert listed.startswith(HEADER)
    (tmp_path / "all.csv").write_text(listed)
    told = patchcord("rates", "import", str(tmp_path / "all.csv"))
    assert told.output == f"0 rates were added, {len(listed.splitlines()) - 1} stood there already.\n"


def test_a_file_of_rates_with_faults_names_every_one_with_its_line(patchcord: Patchcord, tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(f"{HEADER}\na,b,c,cheap,1,0,2026-01-01,list,2026-01-01\na,b,c,1,1,0,tomorrow,list,2026-01-01\n")
    told = patchcord("rates", "import", str(file))
    assert told.exit_code == 2
    assert "line 2" in told.stderr
    assert "line 3" in told.stderr


def test_a_price_that_calls_were_charged_by_cannot_be_changed(patchcord: Patchcord, tmp_path: Path) -> None:
    file = tmp_path / "changed.csv"
    file.write_text(f"{HEADER}\ndeepgram,nova-3,second,0.9,60,0,2026-01-01,list,2026-11-20\n")
    told = patchcord("rates", "import", str(file))
    assert told.exit_code == 2
    assert "cannot change; give the new price a later effective_from" in told.stderr


def test_a_cap_is_set_and_listed_with_what_is_used_of_it(patchcord: Patchcord) -> None:
    told = patchcord("budget", "set", "agent", "20", "usd", "--per", "month", "--of", "reception", "--then", "warn")
    assert told.output == "agent reception: 20 usd a month, then warn.\n"
    assert patchcord("budget", "set", "call", "2", "usd", "--per", "now").output == "each call: 2 usd, then pause.\n"
    rows = list(csv.DictReader(StringIO(patchcord("budget", "list", "--format", "csv").output)))
    assert [(row["scope"], row["cap"], row["action"]) for row in rows][-2:] == [
        ("agent", "20.000000", "warn"),
        ("call", "2.000000", "pause"),
    ]


def test_a_cap_without_sense_is_refused_with_a_sentence(patchcord: Patchcord) -> None:
    told = patchcord("budget", "set", "caller", "5", "usd")
    assert (told.exit_code, "There is no cap on the usd of 'caller'" in told.stderr) == (2, True)
    assert patchcord("budget", "set", "agent", "much", "usd").exit_code == 2


def test_an_address_that_is_told_of_alerts_has_a_secret_and_a_log(patchcord: Patchcord) -> None:
    told = patchcord("webhook", "add", "https://example.com/alerts", "--events", "alert.budget")
    assert told.output.startswith("https://example.com/alerts is told of alert.budget. Its messages are signed with ")
    assert "https://example.com/alerts" in patchcord("webhook", "list").output
    assert patchcord("webhook", "add", "example.com").exit_code == 2


def test_a_caller_is_forgotten_and_the_sums_stay(patchcord: Patchcord) -> None:
    assert patchcord("forget", "+15005550009", "--yes").output == "1 calls and 0 files of +15005550009 are deleted.\n"
    assert patchcord("forget", "+15005550009", "--yes").output == "0 calls and 0 files of +15005550009 are deleted.\n"
    assert f"{COST:.6f}" in patchcord("report", "cost", "--from", "2026-11-20", "--to", "2026-11-20").output
