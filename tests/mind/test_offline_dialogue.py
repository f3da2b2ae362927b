"""What a history says of the caller's wish, line by line."""

from datetime import date, datetime, time

from app.call.actions import Message, Said, Used
from app.call.events import ToolAnswer, ToolCall
from app.mind.offline_calendar import Clinic
from app.mind.offline_dialogue import Asked, Wish, wish

FRIDAY = date(2026, 11, 20)
MONDAY = date(2026, 11, 23)


def after(*lines: str | Message) -> Wish:
    """The wish after lines of "agent: ..." and "caller: ..."."""
    messages: list[Message] = []
    for line in lines:
        if isinstance(line, str):
            who, _, text = line.partition(": ")
            messages.append(Said(who, text))
        else:
            messages.append(line)
    return wish(messages, FRIDAY, Clinic())


def test_a_wish_grows_line_by_line() -> None:
    known = after("caller: book an appointment", "agent: Which day would suit you?", "caller: monday at ten thirty")
    assert (known.job, known.day, known.at) == ("book", MONDAY, time(10, 30))
    assert (known.said, known.told) == ("monday at ten thirty", "Which day would suit you?")


def test_the_agents_question_is_known_by_its_words_even_when_the_line_was_cut_elsewhere() -> None:
    assert after("agent: It is free. What is your name, please?").asked is Asked.NAME
    assert after("agent: It is free. What is…").asked is None


def test_a_yes_means_what_was_asked() -> None:
    offer = "agent: The next free appointment is on Monday, November 23rd at 9 o'clock. Would that suit you?"
    taken = after("caller: any time", offer, "caller: yes")
    assert (taken.day, taken.at, taken.earliest) == (MONDAY, time(9), False)
    assert after("agent: So I book it. Is that right?", "caller: yes").agreed
    assert not after("agent: Which day would suit you?", "caller: yes").agreed


def test_an_offer_is_read_to_the_letter() -> None:
    known = after("agent: The next is on Friday, November 20th at 2:30. Would that suit you?")
    assert known.offered == datetime(2026, 11, 20, 14, 30)


def test_a_no_with_something_better_is_no_refusal() -> None:
    asked = "agent: So I book Anna Miller for Monday, November 23rd at 10:30. Is that right?"
    assert after("caller: book an appointment on monday at ten thirty", asked, "caller: no").refused
    better = after("caller: book an appointment on monday at ten thirty", asked, "caller: no at eleven")
    assert (better.refused, better.at) == (False, time(11))
    wrong = after("caller: book an appointment on monday at ten thirty", asked, "caller: no the day is wrong")
    assert (wrong.refused, wrong.day, wrong.at) == (False, None, time(10, 30))


def test_what_is_done_is_done_and_the_name_stays() -> None:
    known = after(
        "caller: book an appointment on monday at ten thirty",
        "agent: What is your name, please?",
        "caller: Anna Miller",
        "agent: You are booked for Monday, November 23rd at 10:30. Is there anything else I can do for you?",
    )
    assert known == Wish(name="Anna Miller", asked=Asked.MORE, told=known.told)


def test_another_wish_takes_the_place_of_the_first() -> None:
    known = after("caller: book an appointment on monday", "caller: no, cancel my appointment")
    assert (known.job, known.day) == ("cancel", None)


def test_a_used_tool_ends_its_job() -> None:
    used = Used((ToolCall("1", "take_message", {}),), (ToolAnswer("1", "noted"),))
    assert after("caller: can i leave a message", used).job == ""


def test_what_means_nothing_is_counted_until_something_does() -> None:
    assert after("caller: (unclear)", "caller: red bicycles").missed == 2
    assert after("caller: (unclear)", "caller: monday").missed == 0


def test_what_the_platform_notes_changes_nothing() -> None:
    assert after("caller: monday", "platform: The caller pressed 1.") == after("caller: monday")
