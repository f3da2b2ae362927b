"""Work ahead: an answer that is begun before the caller has finished, and all the ways in which it may come too early.

A caller who pauses in the middle of a sentence goes on after any time: while the mind reads, while the mouth begins,
when the answer is ready to be heard, when it is heard. Whatever happens first, nobody hears a word of a dead answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from app.call.actions import Commit, Play, Speak, StopSpeaking, StopThinking, Think, UseTools
from app.call.agent import HttpTool, Patience
from app.call.events import Thought, ThoughtBegan, ToolsWanted, Voiced
from ops.lab.profile import REFERENCE, Profile, Spread
from ops.lab.story import Ends, Hears, Mutters, Says, Waits
from tests.stories.evidence import Evidence, first
from tests.stories.stage import play
from tests.stories.tale import CLINIC, SAID_GOODBYE, Tale
from tests.stories.tales import BARGE_IN, GOODBYE, NOTHING, THREE_TURNS

EARS = ("nova-3", "flux-general-en")
WORK_AHEAD = ("off", "careful", "eager")


# --- how much is done ahead -------------------------------------------------------------------------------------------


def done_ahead(told: Evidence) -> list[Think]:
    return [ask for ask in told.of(Think) if ask.ahead]


@pytest.mark.parametrize("ears", EARS)
@pytest.mark.parametrize("work_ahead", WORK_AHEAD)
@pytest.mark.parametrize("tale", [THREE_TURNS, BARGE_IN], ids=lambda tale: tale.name)
def test_a_tale_goes_the_same_however_much_is_done_ahead(tale: Tale, work_ahead: str, ears: str) -> None:
    told = play(tale, ears=ears, work_ahead=work_ahead)
    tale.expect(told)
    assert bool(done_ahead(told)) == (work_ahead != "off")


@pytest.mark.parametrize("ears", EARS)
def test_work_ahead_makes_answers_earlier(ears: str) -> None:
    def gaps(work_ahead: str) -> list[float]:
        return [turn.gap or 0.0 for turn in play(THREE_TURNS, ears=ears, work_ahead=work_ahead).account.turns]

    assert all(ahead < off - 0.1 for ahead, off in zip(gaps("eager"), gaps("off"), strict=True))


# --- a caller who pauses in the middle of a sentence ------------------------------------------------------------------


# So patient with a sentence that lacks its end that a whole answer can be ready before the turn is over.
PATIENT = replace(CLINIC, patience=Patience(unfinished_more=1.6))


def pausing(seconds: float) -> Tale:
    return Tale(
        f"a pause of {seconds} s in the middle of a sentence",
        (
            Hears("How can I help"),
            Waits(1.0),
            Mutters("I would like to book an"),
            Waits(seconds),
            Mutters("appointment for Tuesday."),
            Hears("Tuesday at ten is free", within=20.0),
            *GOODBYE,
        ),
        agent=PATIENT,
        rules=(
            {"when": "appointment for Tuesday", "say": "Tuesday at ten is free."},
            {"when": "book an$", "say": "Would you like to book a visit?"},
        ),
        heard=("Tuesday at ten is free[.]", "Goodbye"),
        ends=SAID_GOODBYE,
    )


PAUSES = [0.16 * n for n in range(1, 13)]
QUICK = Profile("quick", first_token=Spread(0.1), first_voice=Spread(0.05))


@cache
def after_a_pause(seconds: float, ears: str, work_ahead: str, profile: Profile = REFERENCE) -> Evidence:
    return play(pausing(seconds), ears=ears, work_ahead=work_ahead, profile=profile)


@pytest.mark.parametrize("ears", EARS)
@pytest.mark.parametrize("work_ahead", WORK_AHEAD)
def test_a_pause_of_any_length_is_borne(work_ahead: str, ears: str) -> None:
    for seconds in PAUSES:
        told = after_a_pause(seconds, ears, work_ahead)
        pausing(seconds).expect(told)
        assert " ".join(told.turns[:-1]) == "i would like to book an appointment for tuesday"
        said = [text for text in told.asked()[-1] if text.startswith("user: ")]
        assert (
            " ".join(text.removeprefix("user: ") for text in said[1:-1])
            == "I would like to book an appointment for Tuesday."
        )


# --- the races, each of which the pauses above must have hit ----------------------------------------------------------


def dropped_ahead(told: Evidence) -> Iterator[int]:
    """The questions that were begun ahead and given up because the caller went on."""
    ahead = {ask.question for ask in done_ahead(told)}
    kept = {commit.question for commit in told.of(Commit)}
    yield from sorted(ahead - kept)


def voices_of(told: Evidence, question: int) -> set[int]:
    """The utterances that were begun for this question, before anything else was asked."""
    asked = [moment for moment, ask in told.timed(Think) if ask.question >= question] + [float("inf")]
    return {speak.question for moment, speak in told.timed(Speak) if asked[0] < moment < asked[1]}


def during_the_first_token(told: Evidence, question: int) -> bool:
    return not any(began.question == question for began in told.of(ThoughtBegan))


def during_the_first_voice(told: Evidence, question: int) -> bool:
    voices, voiced = voices_of(told, question), {sound.question for sound in told.of(Voiced)}
    stopped = {stop.question for stop in told.of(StopSpeaking)}
    return bool(voices & stopped) and not voices & voiced


def when_it_could_be_heard(told: Evidence, question: int) -> bool:
    return bool(voices_of(told, question) & {sound.question for sound in told.of(Voiced)})


@pytest.mark.parametrize("race", [during_the_first_token, during_the_first_voice, when_it_could_be_heard])
def test_the_caller_goes_on_in_the_midst_of_work_ahead(race: Callable[[Evidence, int], bool]) -> None:
    calls = [
        after_a_pause(seconds, ears, "eager", profile)
        for seconds in PAUSES
        for ears in EARS
        for profile in (REFERENCE, QUICK)
    ]
    hit = [(told, question) for told in calls for question in dropped_ahead(told) if race(told, question)]
    assert hit, "no pause was as long as that"
    for told, question in hit:
        assert "a visit" not in told.heard
        assert not any("a visit" in text for texts in told.asked() for text in texts)
        asked, given_up = told.timed(Think), [m for m, stop in told.timed(StopThinking) if stop.question == question]
        began = next(moment for moment, ask in asked if ask.question == question)
        ended = given_up[0] if given_up else next(m for m, thought in told.timed(Commit) if m > began)
        assert not [moment for moment, _ in told.timed(Play) if began < moment < ended]


MISHEARD = Tale(
    "the last word is another one than it seemed to be",
    (Hears("How can I help"), Says("Is the doctor there on Tuesday?"), Hears("Tuesdays"), *GOODBYE),
    rules=(
        {"when": "Tuesday", "say": "Yes, on Tuesdays she is."},
        {"when": "Thursday", "say": "No, never on Thursdays."},
    ),
    misheard=("Tuesday", "Thursday"),
    heard=("Yes, on Tuesdays she is[.]", "Goodbye"),
    turns=("is the doctor there on tuesday", "thank you goodbye"),
    ends=SAID_GOODBYE,
)


@pytest.mark.parametrize("ears", EARS)
@pytest.mark.parametrize("work_ahead", ["careful", "eager"])
def test_words_that_change_at_the_end_are_answered_as_they_are(work_ahead: str, ears: str) -> None:
    told = play(MISHEARD, ears=ears, work_ahead=work_ahead)
    MISHEARD.expect(told)
    first(told, StopThinking, lambda stop: stop.wasted == "the words changed")
    assert "Thursday" not in told.heard
    assert not any("Thursday" in text for text in told.asked()[-1])


NOTES = replace(
    CLINIC,
    greeting="Hello, what is your phone number?",
    patience=Patience(digits_more=1.8),
    tools=(HttpTool("note_number", "Write the number down.", "http://tools.example/note_number", "POST", NOTHING),),
)


def noting(*said: str) -> Tale:
    """A number in groups: each may be the last one, and the tool may be wanted for each."""
    groups = [step for text in said for step in (Mutters(text), Waits(1.0))]
    return Tale(
        "a tool is wanted while the caller is still speaking",
        (Hears("phone number"), Waits(1.2), *groups, Hears("note_number is done", within=15.0), *GOODBYE[:1], Ends()),
        agent=NOTES,
        rules=({"when": r"(?i)\bfive\b", "say": "Let me write that down.", "tools": ["note_number"]},),
        heard=("write that down[.] Here is what I found: note_number is done[.]",),
        ends=SAID_GOODBYE,
    )


@pytest.mark.parametrize("ears", EARS)
@pytest.mark.parametrize("said", [("Five five five.",), ("Five five five.", "Six six.")], ids=["to the end", "resumed"])
def test_a_tool_that_is_wanted_ahead_waits_for_the_end_of_the_turn(said: tuple[str, ...], ears: str) -> None:
    told = play(noting(*said), ears=ears)
    noting(*said).expect(told)
    wanted_at, _ = first(told, ToolsWanted)
    committed_at, commit = first(told, Commit)
    ((used_at, used),) = told.timed(UseTools)
    assert wanted_at < committed_at <= used_at
    assert used.question == commit.question
    assert told.turns[0] == " ".join(said).lower().replace(".", "")
    assert len(told.of(Thought)) > 0
