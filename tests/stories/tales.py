"""The tales that every release must be able to tell. Each is told to both kinds of ears."""

from dataclasses import replace
from itertools import pairwise

from app.call.actions import Clear, StopThinking, Think, UseTools
from app.call.agent import HttpTool
from app.call.events import ToolsAnswered
from ops.lab.profile import Fault
from ops.lab.story import (
    FIRST_CALL,
    Coughs,
    Ends,
    HangsUp,
    Hears,
    Mutters,
    Presses,
    Says,
    Waits,
)
from tests.stories.evidence import Evidence, first, interrupted
from tests.stories.tale import CLINIC, SAID_GOODBYE, Tale

NOTHING = {"type": "object", "properties": {}}
HISTORY = (
    "Our clinic was founded in nineteen fifty two by two sisters who had just come home from the coast. "
    "In the first years they had one room, one nurse and a bicycle. "
    "Later the town grew, and the clinic moved into the old school by the river. "
    "Today eleven doctors work here, and three of them are grandchildren of the founders. "
    "Every spring we open the garden for our patients and their families. "
    "If you like, I can tell you more about any of that."
)
BEGINNING = HISTORY[: HISTORY.index(" Later")]
ON_ITS_BEGINNING = {"when": "how did it begin", "say": BEGINNING}
GOODBYE = (Says("Thank you, goodbye."), Hears("Goodbye"), Ends())


def expect_no_interruption(told: Evidence) -> None:
    assert interrupted(told) == []


# --- talking in turns -----------------------------------------------------------------------------------------------

THREE_TURNS = Tale(
    "three questions, three answers",
    (
        Hears("How can I help"),
        Says("When are you open?"),
        Hears("nine to five"),
        Says("And on Sundays?"),
        Hears("closed on Sundays"),
        *GOODBYE,
    ),
    heard=("clinic", "nine to five", "ten to two", "Goodbye"),
    turns=("when are you open", "and on sundays", "thank you goodbye"),
    asked=("assistant: No, we are closed on Sundays. On .* two[.]", "user: Thank you, goodbye[.]"),
    ends=SAID_GOODBYE,
    check=expect_no_interruption,
)


def expect_a_quick_clear(told: Evidence) -> None:
    (over,) = [turn for turn in told.caller.turns if turn.over]
    assert over.barge_in is not None
    assert over.barge_in <= 0.1 + told.slack
    (cut,) = interrupted(told)
    assert HISTORY.startswith(cut.heard)
    assert 4 <= len(cut.heard.split()) <= 8
    assert len(told.account.barge_ins) == told.account.interruptions == 1


BARGE_IN = Tale(
    "a question over the agent's words",
    FIRST_CALL.steps,
    heard=("nine to five", "founded", "closed on Sundays", "Goodbye"),
    turns=(
        "when are you open",
        "tell me everything about the clinic",
        "sorry are you open on sundays",
        "thank you goodbye",
    ),
    asked=(
        "user: Tell me everything about the clinic[.]",
        "assistant: Our clinic was founded[^.]*…",
        "user: Sorry, are you open on Sundays[?]",
    ),
    ends=SAID_GOODBYE,
    check=expect_a_quick_clear,
)


def expect_the_whole_beginning(told: Evidence) -> None:
    assert BEGINNING in told.heard
    expect_no_interruption(told)


BACKCHANNEL = Tale(
    "mhm and okay while the agent tells a story",
    (
        Hears("How can I help"),
        Says("How did it begin?"),
        Mutters("mhm", after_words=7),
        Mutters("okay", after_words=20),
        Hears("bicycle", within=20.0),
        *GOODBYE,
    ),
    rules=(ON_ITS_BEGINNING,),
    turns=("how did it begin", "thank you goodbye"),
    ends=SAID_GOODBYE,
    check=expect_the_whole_beginning,
)


def expect_to_go_on_within_a_second(told: Evidence) -> None:
    stretches = told.caller.ear.stretches
    pauses = [after.start - before.end for before, after in pairwise(stretches) if before.cleared]
    assert len(pauses) == 1
    assert pauses[0] <= 1.1 + told.slack
    expect_the_whole_beginning(told)


COUGH = Tale(
    "a cough while the agent speaks",
    (
        Hears("How can I help"),
        Says("How did it begin?"),
        Coughs(after_words=7),
        Hears("bicycle", within=20.0),
        *GOODBYE,
    ),
    rules=(ON_ITS_BEGINNING,),
    turns=("how did it begin", "thank you goodbye"),
    ends=SAID_GOODBYE,
    check=expect_to_go_on_within_a_second,
)

SILENCE = Tale(
    "nobody says a word",
    (Hears("How can I help"), Ends(within=40.0)),
    heard=("How can I help[?]", "Are you still there[?]", "Are you still on the line[?]", "hang up now.* Goodbye[.]"),
    turns=(),
    ends=("caller stayed silent", "caller"),
    check=expect_no_interruption,
)

DIGITS_IN_GROUPS = Tale(
    "a number in groups, with pauses between them",
    (
        Hears("How can I help"),
        Says("Please call me back."),
        Hears("number"),
        Says("Five five five."),
        Waits(0.9),
        Says("One two three."),
        Waits(0.9),
        Says("Four."),
        Hears("call you back"),
        *GOODBYE,
    ),
    rules=(
        {"when": "^Please call me back", "say": "Of course. What is your phone number?"},
        {"when": "Four", "say": "Thank you. We will call you back."},
        {"when": "five five", "say": "That is not all of it."},
    ),
    heard=("phone number[?]", "We will call you back[.]"),
    turns=("please call me back", "five five five one two three four", "thank you goodbye"),
    ends=SAID_GOODBYE,
)

# --- more than talk -------------------------------------------------------------------------------------------------

KEYS = Tale(
    "keys that end with #, and keys that do not",
    (
        Hears("How can I help"),
        Waits(0.5),
        Presses("12#"),
        Hears("twelve"),
        Waits(0.5),
        Presses("7"),
        Hears("seven"),
        *GOODBYE,
    ),
    rules=(
        {"when": r"pressed the keys 12\b", "say": "You have chosen twelve."},
        {"when": r"pressed the keys 7\b", "say": "You have chosen seven."},
    ),
    turns=("pressed the keys 12", "pressed the keys 7", "thank you goodbye"),
    asked=("assistant: You have chosen twelve[.]", "user: .pressed the keys 7."),
    ends=SAID_GOODBYE,
)


def expect_both_tools_at_once(told: Evidence) -> None:
    ((asked_at, used),) = told.timed(UseTools)
    ((answered_at, answered),) = told.timed(ToolsAnswered)
    assert [call.name for call in used.calls] == ["opening_hours", "price_list"]
    assert [answer.failed for answer in answered.answers] == [False, False]
    assert answered_at - asked_at < 0.9 + told.slack  # each takes half a second
    committed = told.account.turns[0].turn_end
    assert asked_at >= committed


TOOLS = Tale(
    "two tools for one question",
    (
        Hears("How can I help"),
        Says("Look up the hours and the prices, please."),
        Hears("price_list is done", within=15.0),
        *GOODBYE,
    ),
    agent=replace(
        CLINIC,
        tools=(
            HttpTool(
                "opening_hours", "When the clinic is open.", "http://tools.example/opening_hours", "POST", NOTHING
            ),
            HttpTool("price_list", "What things cost.", "http://tools.example/price_list", "POST", NOTHING),
        ),
    ),
    rules=({"when": "hours and the prices", "say": "Let me look.", "tools": ["opening_hours", "price_list"]},),
    heard=("Let me look[.]", "Here is what I found: opening_hours is done; price_list is done[.]"),
    asked=("assistant: Let me look[.]", "tool: opening_hours is done", "tool: price_list is done"),
    ends=SAID_GOODBYE,
    check=expect_both_tools_at_once,
)

TRANSFER = Tale(
    "put me through",
    (Hears("How can I help"), Says("Can I talk to a person?"), Hears("putting you through"), Ends()),
    heard=("putting you through to the front desk[.]",),
    dialled=("+15005550009",),
    ends=("transferred", "agent"),
)

RECORDED = "This call is being recorded so that we can get better at our work."
DISCLOSURE = Tale(
    "words over a disclosure, which is heard to its end",
    (
        Mutters("Hello, when are you open?", after_words=2),
        Hears("nine to five"),
        *GOODBYE,
    ),
    agent=replace(CLINIC, disclosure=RECORDED),
    heard=(RECORDED, "nine to five"),
    turns=("hello when are you open", "thank you goodbye"),
    ends=SAID_GOODBYE,
)

# --- slow and failing minds -----------------------------------------------------------------------------------------


def expect_a_cover(told: Evidence) -> None:
    (turn, *_) = told.account.turns
    assert turn.sent_first is not None
    assert turn.sent_first - turn.turn_end < 1.1 + told.slack
    assert not any("One moment." in text for texts in told.asked() for text in texts)


SLOW_MIND = Tale(
    "a mind that takes its time is covered by a word",
    (Hears("How can I help"), Says("What does a check-up cost?"), Hears("eighty"), *GOODBYE),
    rules=({"when": "cost", "say": "It is eighty francs.", "delay": 1.2},),
    heard=("One moment[.] It is eighty francs[.]", "Goodbye"),
    turns=("what does a check-up cost", "thank you goodbye"),
    ends=SAID_GOODBYE,
    check=expect_a_cover,
)


def expect_a_second_request(told: Evidence) -> None:
    expect_a_cover(told)
    asked = [ask for ask in told.of(Think) if ask.fallback]
    assert asked
    first(told, StopThinking, lambda stop: stop.wasted == "its twin was faster")


TOO_SLOW_MIND = Tale(
    "a mind that is slower than patience has a second one asked",
    (Hears("How can I help"), Says("And what about an operation?"), Hears("eight hundred"), *GOODBYE),
    rules=({"when": "operation", "say": "That is eight hundred francs.", "delay": 2.5},),
    heard=("One moment[.] That is eight hundred francs[.]", "Goodbye"),
    ends=SAID_GOODBYE,
    check=expect_a_second_request,
)


def expect_the_fallback(told: Evidence) -> None:
    assert [body["model"] for body in told.requests if texts_end(body, "When are you open?")][
        -1
    ] == CLINIC.fallback_model


def texts_end(body: object, text: str) -> bool:
    assert isinstance(body, dict)
    return bool(body["messages"][-1]["content"][-1].get("text") == text)


FAILING_MIND = Tale(
    "a mind that fails is stood in for",
    (Hears("How can I help"), Says("When are you open?"), Hears("nine to five"), *GOODBYE),
    agent=replace(CLINIC, model="claude-that-never-was"),
    heard=("nine to five", "Goodbye"),
    turns=("when are you open", "thank you goodbye"),
    ends=SAID_GOODBYE,
    check=expect_the_fallback,
)

BROKEN_ANSWER = Tale(
    "an answer that breaks off is gone on with by the second mind",
    (Hears("How can I help"), Says("Who works here?"), Hears("Saturdays"), *GOODBYE),
    rules=(
        {"when": "who works here", "say": "Doctor Adams and Doctor Brown work here. They are both in all week long."},
        {"when": "broke off", "say": "Doctor Clark comes in on Saturdays."},
    ),
    mind_faults=(Fault("anthropic", "drop", after=0.5),),
    heard=("Doctor Adams", "Doctor Clark comes in on Saturdays[.]", "Goodbye"),
    turns=("who works here", "thank you goodbye"),
    ends=SAID_GOODBYE,
)

NO_MIND = Tale(
    "no mind at all: an apology, and at the second time a goodbye",
    (
        Hears("How can I help"),
        Says("When are you open?"),
        Hears("say it again"),
        Says("When are you open?"),
        Hears("technical problem"),
        Ends(),
    ),
    mind_faults=(Fault("anthropic", "refuse", status=529),) * 12,
    heard=("Could you say it again[?]", "call again later[.] Goodbye[.]"),
    turns=("when are you open", "when are you open"),
    ends=("mind failed", "vendor"),
)

# --- the ends of a call ---------------------------------------------------------------------------------------------


def expect_the_rest_unsaid(told: Evidence) -> None:
    assert "river" not in told.heard
    (line,) = interrupted(told)
    assert HISTORY.startswith(line.heard)
    assert told.of(Clear) == told.of(Clear)[:1]


CALLER_LEAVES = Tale(
    "the caller hangs up in the midst of an answer",
    (Hears("How can I help"), Says("Tell me everything about the clinic."), Hears("nineteen"), HangsUp()),
    turns=("tell me everything about the clinic",),
    check=expect_the_rest_unsaid,
)


def expect_two_streams_and_one_memory(told: Evidence) -> None:
    assert len(told.traces) == 2
    assert told.traces[0].end is not None
    assert told.traces[0].end[1:] == ("media stream broke", "carrier")
    assert told.traces[1].head.memory


BROKEN_LINE = Tale(
    "the socket breaks, and the call goes on with its memory",
    (
        Hears("How can I help"),
        Says("When are you open?"),
        Hears("Monday to Friday"),
        Hears("Where were we", within=15.0),
        Says("And on Sundays?"),
        Hears("closed on Sundays"),
        *GOODBYE,
    ),
    breaks=10.5,
    heard=("nine to five", "the line dropped", "closed on Sundays"),
    turns=("when are you open", "and on sundays", "thank you goodbye"),
    asked=(
        "user: When are you open[?]",
        "assistant: We are open from nine to five, Monday to Friday[.]",
        "assistant: Sorry, the line dropped for a moment[.] Where were we[?]",
        "user: And on Sundays[?]",
    ),
    ends=SAID_GOODBYE,
    check=expect_two_streams_and_one_memory,
)

TALES = (
    THREE_TURNS,
    BARGE_IN,
    BACKCHANNEL,
    COUGH,
    SILENCE,
    DIGITS_IN_GROUPS,
    KEYS,
    TOOLS,
    TRANSFER,
    DISCLOSURE,
    SLOW_MIND,
    TOO_SLOW_MIND,
    FAILING_MIND,
    BROKEN_ANSWER,
    NO_MIND,
    CALLER_LEAVES,
    BROKEN_LINE,
)
