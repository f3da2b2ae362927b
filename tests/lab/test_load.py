"""Calls from the command line against a real server: what is printed, what is written, and the exit codes."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from ops.lab.__main__ import main
from ops.lab.grid import LATE, PHASE_SECONDS, Grid
from ops.lab.load import load, load_command
from ops.lab.place import Target, call_command
from ops.lab.report import Lateness, Report, Spread, Tally
from ops.lab.story import HangsUp, Hears, Says, Story
from tests.lab.talker import CLINIC, Talker
from tests.lab.voice_server import TOKEN, VoiceServer, serving

CONNECT = '<Response><Connect action="/next"><Stream url="{ws}/media/one"/></Connect></Response>'
SHORT = """
name: short
steps:
  - hears: clinic
  - says: When are you open?
    after: 0.1
    pace: 2
  - hears: open
  - hangs_up
"""


@pytest.fixture
async def server() -> AsyncIterator[VoiceServer]:
    documents = {"/twilio/voice": CONNECT, "/next": "<Response/>", "/twilio/status": ""}
    async with serving(VoiceServer(documents)) as it:
        yield it


@pytest.fixture
def short(tmp_path: Path) -> str:
    file = tmp_path / "short.yaml"
    file.write_text(SHORT)
    return str(file)


@pytest.fixture
def hasty(tmp_path: Path) -> str:
    file = tmp_path / "hasty.yaml"
    file.write_text(SHORT.replace("hears: clinic", "hears: clinic\n    within: 2"))
    return str(file)


async def test_one_call_is_printed_with_its_words_and_its_times(
    server: VoiceServer, short: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await asyncio.to_thread(call_command, server.http, story=short, auth_token=TOKEN)
    printed = capsys.readouterr().out
    assert code == 0
    for part in ("The clinic.", "When are you open?", "We open", "The call went well", "the caller hung up after"):
        assert part in printed
    assert all(asked.signed for asked in server.asked)
    assert server.of("/twilio/status")[0].fields["CallStatus"] == "completed"


async def test_one_call_is_told_as_json(server: VoiceServer, short: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = await asyncio.to_thread(main, ["call", f"{server.http}/twilio/voice", "--story", short, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (told["ok"], told["ended_by"], told["streams"]) == (True, "caller", 1)
    assert [turn["text"] for turn in told["turns"]] == ["When are you open?"]
    assert told["turns"][0]["gap"] == pytest.approx(0.21, abs=0.05)
    assert server.of("/twilio/status") == []  # only a base tells where the other doors are


async def test_a_call_that_goes_wrong_says_so_and_exits_with_1(
    server: VoiceServer, short: str, hasty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.documents = {}
    code = await asyncio.to_thread(call_command, server.http, story=short)
    assert code == 1
    assert "11200" not in capsys.readouterr().err
    server.documents = {"/twilio/voice": CONNECT}
    server.make = lambda: Talker(CLINIC, greeting="Wrong number.")
    assert await asyncio.to_thread(call_command, server.http, story=hasty) == 1
    assert "did not hear 'clinic', but 'Wrong number.'" in capsys.readouterr().out


async def test_many_calls_are_counted_and_their_figures_written(
    server: VoiceServer, short: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "figures.json"
    options = {"calls": 6, "ramp": 0.5, "story": short, "output": str(output)}
    code = await asyncio.to_thread(lambda: load_command(server.http, **options))
    printed, figures = capsys.readouterr().out, json.loads(output.read_text())
    assert code == 0
    assert "6 of 6 calls went well" in printed
    assert (figures["calls"], figures["ok"], figures["failed"], figures["turns"]) == (6, 6, {}, 6)
    assert (figures["gap"]["n"], figures["greeting"]["n"], figures["barge_in"]["n"]) == (6, 6, 0)
    assert figures["gap"]["p50"] == pytest.approx(0.21, abs=0.05)
    assert (figures["holes"], figures["unanswered"], figures["errors"]) == (0, 0, {})
    assert figures["caller"]["beats"] > 6 * 50
    assert len({asked.fields["From"] for asked in server.of("/twilio/voice")}) == 6


async def test_failed_calls_are_counted_by_reason_and_harm_no_other(server: VoiceServer) -> None:
    talkers = iter([Talker(CLINIC, greeting="Wrong number."), *(server.make() for _ in range(2))])
    server.make = lambda: next(talkers)
    story = Story("short", (Hears("clinic", within=2.0), HangsUp()))
    tally = await load(Target(server.http), story, calls=3, ramp=0.2)
    assert dict(tally.reasons()) == {"the caller did not hear 'clinic'": 1}
    assert (tally.as_data()["calls"], tally.as_data()["ok"]) == (3, 2)


async def test_a_media_socket_alone_can_be_loaded(server: VoiceServer) -> None:
    story = Story("short", (Hears("clinic"), Says("goodbye", after=0.1), Hears("Goodbye")))
    tally = await load(Target(socket=f"{server.ws}/ws"), story, calls=2, ramp=0.0)
    assert [report.failed for report in tally.reports] == ["", ""]
    assert server.asked == []


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("call", [], "whom to call?"),
        ("call", ["localhost:8000"], "'localhost:8000' is no address"),
        ("call", ["--socket", "http://localhost/ws"], "it begins with ws:// or wss://"),
        ("call", ["http://localhost", "--story", "no-such-file.yaml"], "no-such-file.yaml: cannot be read"),
        ("load", ["http://localhost", "--calls", "-1"], "calls must be one or more"),
        ("load", ["http://localhost", "--from", "somebody"], "end in four digits"),
    ],
)
def test_wrong_options_are_answered_with_a_sentence_and_exit_code_2(
    command: str, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert Spread.of(values) == Spread(100, 50.0, 95.0, 99.0, 100.0)
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(3, 2.0, 3.0, 3.0, 3.0)
    assert Spread.of([]) == Spread(0, None, None, None, None)


def test_a_tally_of_nothing_can_be_told() -> None:
    told = Tally(lateness=Lateness(100, 2, 0.01, 0.5)).as_data()
    assert (told["calls"], told["gap"]["n"], told["caller"]["late"]) == (0, 0, 2)


async def test_every_call_beats_every_20_ms_on_a_grid_and_the_calls_are_spread_over_its_phases() -> None:
    grid, enough = Grid(), asyncio.Event()
    beats: dict[int, list[float]] = {number: [] for number in range(40)}

    def beat(number: int, due: float) -> None:
        beats[number].append(due)
        if len(beats[39]) == 10:
            enough.set()

    members = [lambda due, number=number: beat(number, due) for number in beats]
    for member in members:
        grid.join(member)
    async with asyncio.timeout(5):
        await enough.wait()
    for member in members:
        grid.leave(member)
    for dues in beats.values():
        assert {round((later - due) / 0.02, 6) for due, later in pairwise(dues)} == {1.0}
    phases = {round(dues[0] % 0.02 / PHASE_SECONDS) % 20 for dues in beats.values()}
    assert len(phases) == 20


async def test_a_grid_that_was_held_up_makes_up_for_every_beat_and_owns_to_it() -> None:
    grid, enough = Grid(), asyncio.Event()
    dues: list[float] = []

    def beat(due: float) -> None:
        dues.append(due)
        if len(dues) == 2:
            held = grid.clock() + 0.1
            while grid.clock() < held:  # a program that keeps the processor for a tenth of a second
                pass
        if len(dues) == 10:
            enough.set()

    grid.join(beat)
    async with asyncio.timeout(5):
        await enough.wait()
    grid.leave(beat)
    assert dues[-1] - dues[0] == pytest.approx(0.02 * (len(dues) - 1))
    assert grid.late >= 3
    assert grid.worst > 10 * LATE


async def test_a_report_owns_up_to_what_the_telephone_company_found_wrong(server: VoiceServer) -> None:
    server.documents["/twilio/voice"] = CONNECT.replace("<Connect", "<Dance/><Connect")
    target = Target(server.http)
    report: Report = (await load(target, Story("short", (Hears("clinic"), HangsUp())), calls=1)).reports[0]
    assert report.failed == "12200 unknown: <Dance>"
