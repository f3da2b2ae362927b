"""The bench: whose time it was, what a run comes to, and that all of it works on a server and vendors of its own."""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from ops.lab.bench import host
from ops.lab.bench.caller import rules, story
from ops.lab.bench.chart import chart
from ops.lab.bench.command import bench_command
from ops.lab.bench.figures import figures
from ops.lab.bench.share import Asked, Share, names, shares
from ops.lab.brain import Rule
from ops.lab.hearing import Flux, FluxOptions, Nova, NovaOptions
from ops.lab.profile import REFERENCE
from ops.lab.speech import say, silence
from ops.lab.stamps import AnswerWatch, HearingWatch, Stamps, VoiceWatch

# One turn: the voice ends at 12.0, the answer begins at 12.75.
TURN = Asked("bobazuko", onset=10.0, end=12.0, answered=12.75)


def note(at: float, what: str, place: str, **facts: Any) -> dict[str, Any]:
    return {"at": at, "what": what, "place": place, **facts}


def words(at: float, text: str, *, ends: bool, heard: float, quiet: float) -> dict[str, Any]:
    return note(at, "words", "deepgram 1", text=text, ends=ends, heard=heard, sound=7.5 + quiet, voice=7.5)


def whole_turn() -> list[dict[str, Any]]:
    """Words settled after 0.12 s of quiet, told 0.1 s later; asked, answered and voiced; the turn ended meanwhile."""
    return [
        words(12.223, "Are you open, Bobazuko?", ends=False, heard=12.123, quiet=0.12),
        note(12.225, "asked", "anthropic 1", text="are you open, bobazuko?"),
        words(12.402, "", ends=True, heard=12.302, quiet=0.3),
        note(12.525, "token", "anthropic 1", text="No, we are closed"),
        note(12.540, "token", "anthropic 1", text=" on Sundays."),
        note(12.555, "token", "anthropic 1", text=" On Saturdays from ten to two, Bobazuko."),
        note(12.556, "text", "elevenlabs 1", context="3", text="No, we are closed on Sundays. "),
        note(12.600, "text", "elevenlabs 1", context="3", text="On Saturdays from ten to two, Bobazuko. "),
        note(12.676, "sound", "elevenlabs 1", context="3"),
    ]


def share_of(notes: list[dict[str, Any]], turn: Asked = TURN) -> Share:
    [share] = shares([turn], notes)
    assert share is not None
    return share


def test_the_way_back_from_the_ear_to_the_mouth_is_cut_into_vendors_time_and_ours() -> None:
    share = share_of(whole_turn())
    assert share.hearing == pytest.approx(0.003)
    assert share.thinking == pytest.approx(0.002)
    assert share.speaking == pytest.approx(0.001)  # from the letter behind the full stop, which proves the end
    assert share.playing == pytest.approx(0.074)
    assert share.total == pytest.approx(0.080)


def test_who_does_not_wait_for_the_proof_is_measured_from_the_words_alone() -> None:
    notes = whole_turn()
    notes[6]["at"] = 12.5405
    assert share_of(notes).speaking == pytest.approx(0.0005)


def test_an_answer_that_lay_ready_is_measured_from_the_end_of_the_turn() -> None:
    notes = [*whole_turn(), words(12.740, "", ends=True, heard=12.640, quiet=0.637)]
    assert share_of(notes).total == pytest.approx(0.003 + 0.010)


def test_the_lateness_of_the_caller_itself_is_nobody_elses() -> None:
    late = Asked(TURN.name, TURN.onset, TURN.end, TURN.answered, beats=((12.1, 0.0), (12.12, 0.002), (12.14, 0.5)))
    assert share_of(whole_turn(), late).hearing == pytest.approx(0.001)


def test_who_waits_for_the_end_of_the_turn_is_measured_from_there() -> None:
    notes = whole_turn()
    notes[1]["at"] = 12.405
    share = share_of(sorted(notes, key=lambda each: float(each["at"])))
    assert share.thinking == pytest.approx(0.003)
    assert share.hearing == pytest.approx(0.002)


def test_who_asks_in_the_quiet_is_measured_by_the_quickest_tenth_of_such_requests() -> None:
    turns: list[Asked] = []
    notes: list[Mapping[str, Any]] = []
    for name, asked in (("babazuko", 12.1225), ("bebazuko", 12.1235), ("bibazuko", 12.1485)):
        beats = tuple((12.0 + 0.02 * n, 0.0005 * (name == "bebazuko")) for n in range(1, 80))
        turns.append(Asked(name, TURN.onset, TURN.end, TURN.answered, beats))
        for each in whole_turn():
            text = re.sub("bobazuko", name, each.get("text", ""), flags=re.IGNORECASE)
            at = {"Are you open, Bobazuko?": 11.9, "are you open, bobazuko?": asked}.get(
                each.get("text", ""), each["at"]
            )
            notes.append({**each, "at": at, "place": each["place"] + name, "text": text})
    told = [share and share.thinking for share in shares(turns, notes)]
    assert told == [0.0, pytest.approx(0.0005), pytest.approx(0.026)]


def test_a_turn_whose_sound_nobody_noted_has_no_share() -> None:
    assert shares([TURN], [each for each in whole_turn() if each["what"] != "sound"]) == [None]


def test_what_belongs_to_another_caller_is_left_alone() -> None:
    other = [{**each, "place": f"{each['place']}0"} for each in whole_turn()]
    for each in other:
        each["at"] += 0.01
        if "text" in each:
            each["text"] = each["text"].replace("Bobazuko", "Didazuko").replace("bobazuko", "didazuko")
    assert share_of(sorted(whole_turn() + other, key=lambda each: float(each["at"]))) == share_of(whole_turn())


def test_an_answer_that_was_begun_in_vain_is_not_the_one_that_was_heard() -> None:
    vain = [
        note(11.5, "asked", "anthropic 0", text="are you, bobazuko"),
        note(11.6, "token", "anthropic 0", text="No, we are closed on Sundays. Really."),
        note(11.7, "text", "elevenlabs 1", context="2", text="No, we are closed on Sundays. "),
        note(11.8, "sound", "elevenlabs 1", context="2"),
    ]
    assert share_of(vain + whole_turn()) == share_of(whole_turn())


def test_every_caller_has_a_name_that_the_mind_repeats() -> None:
    callers = names(200)
    assert len(set(callers)) == 200
    read = [Rule.read(rule) for rule in rules(callers)]
    assert all(name in rule.say for name, rule in zip(callers, read, strict=True))
    assert story(callers[0], 20.0).steps != story(callers[0], 0.0).steps


# --- the vendors' notes -----------------------------------------------------------------------------------------------


def heard(model: Nova | Flux) -> dict[str, Any]:
    """One utterance and a second of quiet, frame by frame; the first note about it that ends a turn."""
    stamps = Stamps(on=True)
    watch = HearingWatch(stamps, "deepgram 1", model)
    sound = say("Hello there.") + silence(1.0)
    for start in range(0, len(sound), 160):
        now = start / 8000
        model.receive(sound[start : start + 160], now)
        watch.heard(sound[start : start + 160])
        for message in model.poll(now):
            watch.told(message)
    return next(each for each in stamps.taken() if each["ends"])


def test_transcripts_are_noted_with_the_quiet_before_them() -> None:
    nova = heard(Nova(NovaOptions(endpointing=0.3), REFERENCE, Random(0), "r"))
    assert nova["text"] == "hello there"
    assert nova["sound"] - nova["voice"] == pytest.approx(0.3, abs=0.02)
    flux = heard(Flux(FluxOptions(), REFERENCE, Random(0), "r"))
    assert flux["sound"] - flux["voice"] == pytest.approx(0.5, abs=0.02)
    assert flux["heard"] <= flux["at"]


def test_answers_and_texts_are_noted_as_they_pass() -> None:
    stamps = Stamps(on=True)
    answer = AnswerWatch(stamps, "anthropic 1", "hello")
    answer.told({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi."}})
    answer.told({"type": "content_block_stop"})
    voice = VoiceWatch(stamps, "elevenlabs 1")
    voice.heard(json.dumps({"context_id": "1", "text": " "}))
    voice.heard(json.dumps({"context_id": "1", "text": "Hi. "}))
    voice.told({"contextId": "1", "audio": "////"})
    voice.told({"contextId": "1", "audio": "////"})
    assert [each["what"] for each in stamps.taken()] == ["asked", "token", "done", "text", "sound"]
    assert stamps.taken() == []


def test_a_lab_that_was_not_asked_to_keeps_no_notes() -> None:
    stamps = Stamps()
    stamps.note("asked", "anthropic 1")
    assert stamps.taken() == []


# --- figures ----------------------------------------------------------------------------------------------------------


def seen(**changes: Any) -> Mapping[str, Any]:
    call = {
        "failed": "",
        "seconds": 10.0,
        "greeting": 0.02,
        "holes": [0.1],
        "asked": [{"name": TURN.name, "onset": TURN.onset, "end": TURN.end, "answered": TURN.answered}],
        "clears": [0.06],
        "without_clear": 0,
        "unanswered": 0,
        "spoken_into": 0,
    }
    lateness = {"beats": 500, "late": 6, "worst": 0.01, "processor_seconds": 1.0}
    return {"calls": [{**call, **changes}], "lateness": lateness, "seconds": 10.0}


def test_a_run_comes_to_figures_with_their_numbers() -> None:
    run = figures(
        "patchcord",
        "nova-3",
        seen(),
        whole_turn(),
        looks=[0.001],
        lags=[0.002],
        tasks=6.0,
        processor_seconds=0.05,
        megabytes=0.4,
    )
    data = run.as_data()
    assert data["gap"]["p50"] == 0.75
    assert data["own share"]["p95"] == pytest.approx(0.08)
    assert data["processor_percent_per_call"] == 0.5
    assert data["megabytes_per_call"] == 0.4
    assert (data["holes"], data["hole_seconds"], data["untold"]) == (1, 0.1, 0)
    assert run.is_noisy
    assert not run.has_collapsed


def test_a_run_with_failed_calls_has_collapsed() -> None:
    failed = seen(failed="the caller did not hear anything, but 'x' within 10 s")
    run = figures("pipecat", "flux", failed, [], looks=[], lags=[], tasks=None, processor_seconds=None, megabytes=None)
    assert run.has_collapsed
    assert run.as_data()["failed"] == {"the caller did not hear anything": 1}
    assert run.as_data()["untold"] == 1


def test_the_chart_is_whole_and_names_its_lines() -> None:
    drawn = chart("Own share", {"patchcord, nova-3": [(1, 0.004), (50, 0.009)], "pipecat": [(1, 0.02)]}, 0.02)
    root = ElementTree.fromstring(drawn)
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"patchcord, nova-3", "pipecat", "10 ms", "50"} <= texts


def test_no_name_in_the_chart_covers_another() -> None:
    drawn = chart("Own share", {"one": [(50, 0.009)], "two": [(50, 0.0091)], "three": [(50, 0.0092)]}, 0.02)
    root = ElementTree.fromstring(drawn)
    heights = sorted(float(e.get("y", 0)) for e in root.iter() if e.text in ("one", "two", "three"))
    assert all(after - before >= 16 for before, after in pairwise(heights))
    assert len(heights) == 3


# --- all of it --------------------------------------------------------------------------------------------------------


def test_a_quick_bench_rings_a_real_server_and_writes_what_it_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "FOLDER", tmp_path)
    assert bench_command(["--quick", "--output", str(tmp_path / "out.json"), "--chart", str(tmp_path / "c.svg")]) == 0
    [run] = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert run["who"] == "patchcord"
    assert run["gap"]["n"] >= 3
    assert run["own share"]["n"] >= 3
    assert run["untold"] == 0
    assert "Own share" in (tmp_path / "c.svg").read_text()


@pytest.mark.parametrize("wrong", [["--calls", "0"], ["--calls", "few"], ["--ears", "elephant"], ["--peer", "me"]])
def test_wrong_options_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        bench_command(wrong)
    assert refused.value.code == 2
    assert "usage" in capsys.readouterr().err
