"""Whole calls in virtual time: the caller acts its story, and what it measures is right to the sample."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.lab import speech
from ops.lab.caller import Caller
from ops.lab.phone import FRAME_SECONDS, Phone
from ops.lab.story import (
    FIRST_CALL,
    Answers,
    Coughs,
    Ends,
    HangsUp,
    Hears,
    IsQuiet,
    Mutters,
    Noise,
    Parts,
    Presses,
    Repeats,
    Says,
    SilentFor,
    Step,
    Story,
    StoryError,
    TalksOver,
    Waits,
    read,
    rounds,
)
from ops.lab.turns_sounds import wordless
from tests.lab.talker import CLINIC, QUIET, Talker

START = 1000.0


def call(talker: Talker, *steps: Step, story: Story | None = None, late: float = 0.0) -> Caller:
    """One call without a wire: every message arrives in the moment it is sent, the agent's `late` seconds later."""
    caller = Caller(story or Story("a test", steps))
    phone = Phone(stream_sid="MZ1", call_sid="CA1", account_sid="AC1")
    on_their_way: list[tuple[float, str]] = []

    def tell_agent(messages: list[str], now: float) -> None:
        for message in messages:
            on_their_way.extend((now + late, reply) for reply in talker.receive(message))

    tell_agent(phone.open(START), START)
    caller.lift(phone, START)
    for now in grid():
        for at, reply in arrived(on_their_way, now):
            tell_agent(caller.receive(reply, at), at)
        if caller.leaving or talker.closed:
            break
        tell_agent(caller.beat(now), now)
    caller.lower(now)
    caller.hang_up()
    return caller


def grid() -> Iterator[float]:
    yield from (START + n * FRAME_SECONDS for n in range(1, 10_000))


def arrived(messages: list[tuple[float, str]], now: float) -> list[tuple[float, str]]:
    due = [message for message in messages if message[0] <= now]
    messages[:] = messages[len(due) :]
    return due


def first_sound(text: str) -> float:
    """How long after its first sample an agent's sentence becomes audible."""
    sound = speech.say(text, voice="agent")
    return (len(sound) - len(sound.lstrip(QUIET))) / speech.RATE


def lines(caller: Caller) -> list[str]:
    return [f"{line.who}: {line.text}{' --' if line.cut else ''}" for line in caller.transcript.lines]


def test_the_first_call_ends_well() -> None:
    talker = Talker(CLINIC, greeting="Hello, this is the clinic. How can I help?")
    caller = call(talker, story=FIRST_CALL)
    assert caller.failed == ""
    assert lines(caller) == [
        "agent: Hello, this is the clinic.",
        "agent: How can I help?",
        "caller: When are you open?",
        "agent: We open at nine and close at five.",
        "caller: Tell me everything about the clinic.",
        "caller: Sorry, are you open on Sundays?",
        "agent: The clinic has four --",
        "agent: On Sundays we are closed.",
        "caller: Thank you, goodbye.",
        "agent: Thank you for calling.",
        "agent: Goodbye.",
    ]
    assert talker.heard == [
        "When are you open?",
        "Tell me everything about the clinic.",
        "Sorry, are you open on Sundays?",
        "Thank you, goodbye.",
    ]
    assert caller.holes() == []


def test_the_greeting_is_measured_from_the_start_of_the_stream_to_its_first_audible_sample() -> None:
    caller = call(Talker(CLINIC, greeting="Hello."), Hears("hello"), HangsUp(), late=0.1)
    # On its way for 0.1 s; then it is played at once.
    assert caller.greeting == pytest.approx(0.1 + first_sound("Hello."), abs=2e-4)


def test_a_gap_is_measured_from_the_last_sample_of_the_voice_to_the_first_audible_one_of_the_answer() -> None:
    caller = call(Talker(CLINIC, gap=0.4), Hears("hello"), Says("When are you open?"), Hears("nine"), HangsUp())
    [turn] = caller.turns
    assert turn.end - turn.onset == pytest.approx(len(speech.say("When are you open?")) / speech.RATE)
    assert turn.gap is not None
    # The agent waits for 0.4 s of silent frames; the last frame of the voice is filled up with silence that is none.
    frames = -(-len(speech.say("When are you open?")) // 160) * FRAME_SECONDS - (turn.end - turn.onset)
    assert turn.gap == pytest.approx(frames + 0.4 + first_sound("We"), abs=3e-4)
    assert (turn.barge_in, turn.quieted, turn.spoken_into) == (None, None, False)


def test_talking_over_is_measured_to_the_clear_and_to_the_last_sample() -> None:
    story = (Hears("hello"), Says("Tell me everything."), TalksOver("Are you open on Sundays?", after_words=4))
    caller = call(Talker(CLINIC), *story, Hears("closed"), HangsUp())
    assert caller.failed == ""
    over = caller.turns[1]
    assert over.over
    # Three loud frames of 20 ms: the third is sent 60 ms after the voice began.
    assert over.barge_in == pytest.approx(0.06)
    assert over.quieted == pytest.approx(0.06)  # a clear stops the sound in that sample
    assert over.gap == pytest.approx(0.41, abs=0.03)
    told = [word for line in caller.transcript.lines if line.cut for word in line.text.split()]
    assert told[:4] == ["The", "clinic", "has", "four"]


def test_the_voice_over_the_agent_begins_one_beat_after_the_words_that_were_waited_for() -> None:
    story = (Hears("hello"), Says("Tell me everything."), TalksOver("Sorry.", after_words=3))
    caller = call(Talker(CLINIC), *story, HangsUp())
    third = next(word for word in caller.ear.words if word.text == "has")
    assert 0.0 <= caller.turns[1].onset - third.end <= FRAME_SECONDS + 1e-6


def test_an_agent_that_does_not_stop_fails_the_story() -> None:
    story = (Hears("hello"), Says("Tell me everything."), TalksOver("Sorry?", after=0.5, quiet_within=1.0))
    caller = call(Talker(CLINIC, deaf=True), *story, HangsUp())
    assert "did not stop" in caller.failed


def test_an_answer_that_begins_while_the_caller_speaks_is_no_gap() -> None:
    caller = call(Talker(CLINIC, gap=0.1), Hears("hello"), Says("Hello, when are you open?"), Hears(), HangsUp())
    assert caller.turns[0].spoken_into  # the comma was long enough for it
    assert caller.turns[0].gap is None


def test_what_is_not_heard_in_time_fails_the_story_and_says_what_was_heard() -> None:
    caller = call(Talker(CLINIC), Hears("hello"), Says("When are you open?"), Hears("midnight", within=5.0))
    assert caller.failed == ("the caller did not hear 'midnight', but 'We open at nine and close at five.' within 5 s")


def test_a_call_that_ends_before_the_story_has_failed() -> None:
    caller = call(Talker(CLINIC), Hears("hello"), Says("goodbye"), Hears("call again"))
    assert caller.failed.startswith("the call ended early: the caller did not hear 'call again'")


@pytest.mark.parametrize("ending", [Ends(), Parts()])
def test_an_agent_that_hangs_up_ends_the_story_well(ending: Step) -> None:
    caller = call(Talker(CLINIC), Hears("hello"), Says("goodbye"), Hears("Goodbye"), ending)
    assert caller.failed == ""


def test_a_caller_may_insist_that_the_agent_hangs_up_or_not() -> None:
    assert call(Talker({}), Hears("hello"), Parts(within=2.0)).failed == ""
    assert call(Talker({}), Hears("hello"), Ends(within=2.0)).failed == "the caller was not hung up on within 2 s"


def test_keys_are_pressed_one_after_the_other() -> None:
    talker = Talker({})
    caller = call(talker, Hears("hello"), Presses("12#"), HangsUp())
    assert talker.keys == "12#"
    assert "caller: [2]" in lines(caller)


def test_muttering_and_coughing_want_no_answer() -> None:
    talker = Talker(CLINIC, deaf=True)
    story = (Hears("hello"), Says("Tell me everything."), Mutters("mhm", after_words=3), Waits(0.5), Coughs())
    caller = call(talker, *story, Hears("today"), IsQuiet(), HangsUp())
    assert caller.failed == ""
    assert [turn.text for turn in caller.turns] == ["Tell me everything."]
    assert "caller: (mhm)" in lines(caller)


def test_a_noisy_room_is_heard_wherever_the_caller_does_not_speak() -> None:
    quiet, noisy = Talker({}, deaf=True), Talker({}, deaf=True)
    steps = (SilentFor(1.0), Hears("hello"), HangsUp())
    call(quiet, *steps)
    call(noisy, Noise(seconds=5.0, level=2000.0), *steps)
    assert (quiet._loud, noisy._loud > 4000) == (0, True)


def test_steps_may_be_repeated_by_number_and_by_time() -> None:
    asked = (Says("When are you open?"), Hears("nine"))
    assert len(call(Talker(CLINIC), Hears("hello"), Repeats(asked, times=3), HangsUp()).turns) == 3
    long = call(Talker(CLINIC), Hears("hello"), Repeats(asked, seconds=20.0), HangsUp())
    assert long.turns[-1].onset - long.turns[0].onset < 20.0
    assert len(long.turns) >= 4
    assert call(Talker(CLINIC), story=rounds(2)).failed == ""


def test_a_stall_in_the_middle_of_a_sentence_is_a_hole_and_one_between_sentences_is_not() -> None:
    caller = Caller(Story("listens", (Waits(20.0),)))
    phone = Phone(stream_sid="MZ1", call_sid="CA1", account_sid="AC1")
    phone.open(START)
    caller.lift(phone, START)
    talker = Talker({})
    talker._stream = "MZ1"
    whole = speech.say("We open at nine.", voice="agent")
    words = speech.words_of("We open at nine.")
    first, second = "We open", "at nine."
    play = {
        0.0: first,  # and the rest of the sentence 0.3 s too late
        words[1].end + 0.3: second,
        5.0: "We close at five.",  # a whole sentence, and the next one 0.3 s after it
        5.0 + len(speech.say("We close at five.")) / speech.RATE + 0.3: "Come early.",
    }
    assert len(whole) > 0
    for now in grid():
        for at in [at for at in play if START + at <= now]:
            for message in talker.say(play.pop(at)):
                caller.receive(message, START + at)
        if now > START + 12:
            break
        caller.beat(now)
    caller.lower(now)
    assert [word.text for word in caller.ear.words] == [
        "We",
        "open",
        "at",
        "nine.",
        "We",
        "close",
        "at",
        "five.",
        "Come",
        "early.",
    ]
    assert [hole.seconds for hole in caller.holes()] == [pytest.approx(0.3, abs=1e-3)]


# --- stories in files -----------------------------------------------------------------------------------------------


REPLIES = {"what": "Apples.", "right": "That is right.", "": "Four, please."}


def test_a_caller_answers_what_the_agent_asks_until_it_says_what_was_wanted() -> None:
    rules = {
        "Four": "Four what?",
        "Apples": "Apples, is that right?",
        "is right": "They are ordered.",
        "bye": "Goodbye.",
    }
    caller = call(Talker(rules), Answers(REPLIES, until="ordered"), Says("bye"), Answers({"": "bye"}))
    assert caller.failed == ""
    assert [turn.text for turn in caller.turns] == ["Four, please.", "Apples.", "That is right.", "bye"]


def test_a_caller_who_goes_round_in_circles_or_has_no_answer_says_what_was_heard_last() -> None:
    circle = call(Talker({}), Answers({"": "Four, please."}, until="ordered", times=3))
    assert circle.failed == "the caller had no more answers: 'I see.'"
    assert len(circle.turns) == 3
    assert call(Talker({}), Answers({"what": "Apples."})).failed == "the caller had no more answers: 'Hello.'"
    silent = call(Talker({}, greeting=""), Answers(REPLIES, until="ordered", within=2))
    assert silent.failed == "the caller did not hear 'ordered' within 2 s"


def test_a_voice_without_words_is_understood_by_what_somebody_tells() -> None:
    said: list[tuple[str, float]] = []

    def voice(text: str, pace: float) -> bytes:
        said.append((text, pace))
        return speech.say("mhm")

    caller = Caller(Story("", (Hears("Hello"), Says("Four, please.", pace=2.0))), voice=voice, prompted=True)
    phone = Phone(stream_sid="MZ1", call_sid="CA1", account_sid="AC1")
    phone.open(START)
    caller.lift(phone, START)
    hum = wordless(speech.say("Hello.", voice="agent"))
    media = {"event": "media", "streamSid": "MZ1", "media": {"payload": b64encode(hum).decode()}}
    caller.receive(json.dumps(media), START)
    for now in grid():
        caller.beat(now)
        if now >= START + 2.0 and not caller.ear.words:
            assert caller.transcript.lines == []
            caller.understands("Hello.")
        if caller.leaving:
            break
    assert caller.failed == ""
    assert said == [("Four, please.", 2.0)]
    assert lines(caller) == ["agent: Hello.", "caller: Four, please."]
    heard, answered = caller.transcript.lines
    assert heard.end - heard.start == pytest.approx(len(hum) / speech.RATE, abs=0.05)
    assert answered.start >= START + 2.0


def test_a_story_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(
        """
        name: opening hours
        steps:
          - hears: clinic|practice
            within: 5
          - repeats:
              - says: When are you open?
              - talks_over: Sundays?
                after_words: 4
            times: 2
          - answers: {which: "The blue one."}
            until: thank you
          - presses: 12#
          - waits: 1
          - coughs
          - ends:
        """
    )
    assert read(file) == Story(
        "opening hours",
        (
            Hears("clinic|practice", within=5.0),
            Repeats((Says("When are you open?"), TalksOver("Sundays?", after_words=4)), times=2),
            Answers({"which": "The blue one."}, until="thank you"),
            Presses("12#"),
            Waits(1.0),
            Coughs(),
            Ends(),
        ),
    )


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("steps: [sings]", "step 1: 'sings' is none of hears, says"),
        ("steps: [{says: hi, loud: true}]", "step 1: says has no loud; it has text"),
        ("steps: [coughs, {waits: }]", "step 2: waits needs seconds"),
        ("steps: [{presses: 1x}]", "presses '1x'"),
        ("steps: [{hears: '('}]", "hears: "),
        ("steps: [{waits: long}]", "waits: could not convert"),
        ("steps: 3", "a story has a name and a list of steps"),
        ("steps: [", "not YAML"),
    ],
)
def test_a_story_that_cannot_be_acted_out_says_where_and_why(tmp_path: Path, written: str, sentence: str) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(written)
    with pytest.raises(StoryError) as wrong:
        read(file)
    assert sentence in str(wrong.value)
