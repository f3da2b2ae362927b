"""What is written down can be read again, and says the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.audio import Clip, silence
from app.call.actions import Play, Remember, Said, Think, Used
from app.call.agent import Agent, HttpTool, Patience
from app.call.call import Call
from app.call.events import (
    Digit,
    Event,
    LineOpened,
    Played,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    Thought,
    ThoughtEnded,
    ToolAnswer,
    ToolCall,
    ToolsWanted,
    Voiced,
    VoiceEnded,
    Word,
    WordsHeard,
)
from app.errors import SettingsError
from app.switchboard.ports import CallFacts
from app.switchboard.trace import (
    Entry,
    FileTrace,
    Head,
    Recorded,
    end_line,
    head_line,
    line,
    read,
    replay,
    tick_line,
)

AGENT = Agent(
    "reception",
    "Hello.",
    "You answer.",
    keyterms=("clinic",),
    tools=(HttpTool("book", "Books.", "https://example.com", parameters={"type": "object"}),),
    transfers={"desk": "+1"},
    patience=Patience(cover=0.7),
)
HEAD = Head(
    1.5, "2026-11-21T00:00:00+00:00", CallFacts("CA1", "inbound", "+1", "+2"), AGENT, 4, (Said("caller", "Hi"),)
)
THINGS = (
    LineOpened(),
    SpeechEnded("Öffnen Sie?", 0.5),
    ToolsWanted(2, (ToolCall("t", "book", {"day": "Monday", "guests": 2}),)),
    Think(2, (Said("caller", "Hi"), Used((ToolCall("t", "book", {}),), (ToolAnswer("t", "done"),))), ahead=True),
    Voiced(3, Clip.of(silence(0.25)), (Word("Hello", 0.0, 0.25),)),
    Play(Clip.of(silence(0.1)), 7),
    Remember(()),
)


def written(tmp_path: Path, *lines: str) -> Path:
    trace = FileTrace(tmp_path, "CA1")
    for text in lines:
        trace.write(text)
    trace.close()
    return trace.path


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    path = written(
        tmp_path, head_line(HEAD), *(line(2.0, thing) for thing in THINGS), tick_line(3.0), end_line(4, "a", "b")
    )
    recorded = read(path)
    assert recorded.head == HEAD
    assert [entry.thing for entry in recorded.entries] == [*THINGS, None]
    assert recorded.end == (4, "a", "b")


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, head_line(HEAD), line(2.0, LineOpened()), '{"t":3.0,"is":"Speech')
    assert [entry.thing for entry in read(path).entries] == [LineOpened()]


def test_a_file_that_is_no_trace_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, line(2.0, LineOpened()))
    with pytest.raises(SettingsError, match="is no trace of a call"):
        read(path)


def test_only_its_owner_may_read_a_trace(tmp_path: Path) -> None:
    assert written(tmp_path, head_line(HEAD)).stat().st_mode & 0o777 == 0o600


def test_replay_says_where_the_core_has_changed_its_mind() -> None:
    changed = Recorded(HEAD, [Entry(1.6, LineOpened()), Entry(1.6, Play(Clip.of(silence(0.1)), 1))])
    differences = replay(changed)
    assert len(differences) == 1
    assert differences[0].happened == "LineOpened()"
    assert differences[0].then == ("Play(clip=Clip(0.100 s), mark=1)",)
    assert "Speak" in differences[0].now[0]


@pytest.mark.parametrize(
    "broken",
    [b"agents:\n", b"\xff\xfe\n", b"[]\n", b'{"t":1.0,"is":"Inkling"}\n', b'{"t":1.0}\n'],
    ids=["no JSON", "no text", "no object", "a word of another release", "no word at all"],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, broken: bytes) -> None:
    path = written(tmp_path, head_line(HEAD))
    with path.open("ab") as file:
        file.write(broken)
    with pytest.raises(SettingsError, match=r"is no trace of a call: line 2 cannot be read\."):
        read(path)


# --- what nobody may keep -------------------------------------------------------------------------------------------

SPOKEN = (
    (2.0, LineOpened()),
    (2.1, Voiced(1, Clip.of(silence(0.5)), (Word("Hello.", 0.0, 0.5),))),
    (2.1, VoiceEnded(1)),
    (2.6, Played(1)),
    (3.0, SpeechStarted()),
    (3.5, WordsHeard("My card is 4111")),
    (4.0, WordsHeard("My card is 4111 1111")),
    (5.5, WordsHeard("My card is 4111 1111 one one one one")),
    (6.4, SpeechPaused()),
    (6.5, SpeechEnded("My card is 4111 1111 one one one one 1111")),
    (7.2, Thought(2, "I have 4111 1111")),
    (7.3, Thought(2, "1111 1111, is that right?")),
    (7.3, ThoughtEnded(2)),
    (8.8, Digit("4")),
    (8.9, Digit("1")),
    (9.0, Digit("#")),
)


def taped(agent: Agent, *happened: tuple[float, Event]) -> list[str]:
    """The lines of a call to which this happened."""
    call, lines = Call(agent, 1.5), [head_line(replace(HEAD, agent=agent, memory=()))]
    for moment, event in happened:
        while (alarm := call.deadline()) <= moment:
            lines += [tick_line(alarm), *(line(alarm, action) for action in call.tick(alarm))]
        lines += [line(moment, event), *(line(moment, action) for action in call.receive(event, moment))]
    return lines


def test_a_cards_number_is_nowhere_in_a_trace_and_the_trace_replays(tmp_path: Path) -> None:
    lines = taped(Agent("shop", "Hello.", "You sell."), *SPOKEN)
    assert any('"is":"Commit"' in told and "xxxx" in told for told in lines)
    for told in lines[1:]:
        assert "4111" not in told, told
        assert "1111 1111" not in told, told
        assert "one one" not in told, told
    path = written(tmp_path, *lines)
    assert replay(read(path)) == []


def test_a_telephone_number_is_kept_where_the_turn_is_written(tmp_path: Path) -> None:
    happened = (*SPOKEN[:5], (4.5, SpeechPaused()), (4.6, SpeechEnded("Call 415 555 0100 please.")), (9.0, Digit("#")))
    lines = taped(Agent("shop", "Hello.", "You sell."), *happened)
    assert any('"is":"Write"' in told and "415 555 0100" in told for told in lines)
    assert replay(read(written(tmp_path, *lines))) == []
