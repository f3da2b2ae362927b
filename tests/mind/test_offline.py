"""Whole talks with the clinic's mind. Each thought is another mind's, which knows the memory and the diary alone."""

from datetime import datetime

from app.call.actions import Said
from app.call.agent import Agent
from app.call.events import Metered, Thought, ThoughtBegan, ThoughtEnded, ToolsWanted
from tests.mind.diary import PaperDiary, Talk

MONDAY_1030 = datetime(2026, 11, 23, 10, 30)
ANNA = ("Anna Miller", "+15005550100")


def anna() -> Talk:
    return Talk(PaperDiary({MONDAY_1030: ANNA}))


async def test_an_appointment_is_booked_after_it_was_read_back() -> None:
    talk = Talk()
    assert await talk.say("I'd like to book an appointment.") == "Which day would suit you?"
    assert "9 o'clock, 12:30 and 4 o'clock. Which time would you like?" in await talk.say("On Monday, please.")
    assert await talk.say("Ten thirty.") == "Monday, November 23rd at 10:30 is free. What is your name, please?"
    read_back = await talk.say("Anna Miller")
    assert read_back == "So I book Anna Miller for Monday, November 23rd at 10:30. Is that right?"
    assert talk.diary.booked == {}
    assert (await talk.say("Yes, that's right.")).startswith("You are booked for Monday, November 23rd at 10:30.")
    assert talk.diary.booked == {MONDAY_1030: ANNA}


async def test_all_of_it_may_be_said_at_once() -> None:
    talk = Talk()
    await talk.say("My name is Zoë Kowalski and I need an appointment on November 24th at 3pm.")
    await talk.say("Yes")
    assert talk.diary.booked == {datetime(2026, 11, 24, 15): ("Zoë Kowalski", talk.phone)}


async def test_a_time_that_is_taken_is_answered_with_the_nearest_that_are_not() -> None:
    talk = anna()
    await talk.say("I want to book an appointment on monday at ten thirty")
    talk.phone = "+15005550102"
    assert "is not free. I have 10 o'clock and 11 o'clock." in await talk.say("ten thirty")
    assert "11 o'clock is free" in await talk.say("at eleven")


async def test_whatever_is_wrong_in_what_was_read_back_can_be_changed() -> None:
    talk = Talk()
    for line in ("book an appointment on monday at eleven", "John Smith"):
        await talk.say(line)
    assert await talk.say("no") == "What is wrong, the name, the day or the time?"
    assert "on Tuesday" in (await talk.say("the day")).replace("Which day would suit you?", "on Tuesday")
    assert "Tuesday, November 24th at 11 o'clock" in await talk.say("tuesday")
    assert "Tuesday, November 24th at 2 o'clock" in await talk.say("No, at two.")
    assert "spell" in await talk.say("no the name is wrong")
    assert "John Smythe, spelled S, M, Y, T, H, E," in await talk.say("i spell it s. mike y. tango h. e.")
    await talk.say("yes")
    assert talk.diary.booked == {datetime(2026, 11, 24, 14): ("John Smythe", talk.phone)}


async def test_the_next_free_appointment_is_offered_and_taken() -> None:
    talk = Talk()
    assert "Friday, November 20th at 12:30. Would that suit you?" in await talk.say("the first appointment please")
    assert "November 20th at 12:30 is free" in await talk.say("yes")


async def test_an_appointment_is_moved() -> None:
    talk = anna()
    assert await talk.say("I need to move my appointment") == "What is your name, please?"
    assert "You have an appointment on Monday, November 23rd at 10:30." in await talk.say("Anna Miller")
    await talk.say("next wednesday at nine")
    assert "Your appointment is now on Wednesday, November 25th at 9 o'clock." in await talk.say("yes please")
    assert talk.diary.booked == {datetime(2026, 11, 25, 9): ANNA}


async def test_an_appointment_is_cancelled_and_only_by_whom_it_belongs_to() -> None:
    stranger = anna()
    stranger.phone = "+15005550102"
    await stranger.say("cancel my appointment")
    assert "I find no appointment for Anna Miller" in await stranger.say("Anna Miller")
    talk = anna()
    await talk.say("cancel my appointment")
    assert "So I cancel" in await talk.say("Anna Miller")
    assert "Then it stays as it is." in await talk.say("no")
    await talk.say("cancel my appointment")
    assert "I have cancelled" in await talk.say("yes")
    assert talk.diary.booked == {}


async def test_nothing_is_written_before_the_turn_is_over() -> None:
    talk = Talk()
    for line in ("book an appointment on monday at ten thirty", "Anna Miller"):
        await talk.say(line)
    talk.memory.append(Said("caller", "yes"))
    assert await talk.think(ahead=True) == ""
    assert talk.failed
    assert talk.diary.booked == {}
    assert "You are booked" in await talk.think()


async def test_asked_twice_the_diary_is_written_once() -> None:
    """The answer of the first request was too late for the caller, so a second one was asked the same."""
    talk = Talk()
    for line in ("book an appointment on monday at ten thirty", "Anna Miller"):
        await talk.say(line)
    talk.memory.append(Said("caller", "yes"))
    assert await talk.think() == await talk.think()
    assert talk.diary.booked == {MONDAY_1030: ANNA}


async def test_somebody_else_may_be_faster() -> None:
    talk = Talk()
    for line in ("book an appointment on monday at ten thirty", "Anna Miller"):
        await talk.say(line)
    talk.diary.booked[MONDAY_1030] = ("Ben Hill", "")
    answer = await talk.say("yes")
    assert answer.startswith("Monday, November 23rd at 10:30 is not free.")
    assert talk.diary.booked[MONDAY_1030] == ("Ben Hill", "")


async def test_a_message_is_taken_with_the_houses_own_tool() -> None:
    talk = Talk()
    await talk.say("Can I leave a message?")
    assert await talk.say("Rosa Diaz") == "What is your message?"
    assert "please call me back about my bill. Is that right?" in await talk.say("please call me back about my bill")
    assert await talk.say("yes") == ""
    message = {"name": "Rosa Diaz", "message": "please call me back about my bill", "number": talk.phone}
    assert [(call.name, call.arguments) for call in talk.tools] == [("take_message", message)]
    assert "I have written that down" in await talk.used()
    assert "that did not work" in await talk.used(failed=True)


async def test_who_only_says_what_it_is_about_leaves_a_message() -> None:
    talk = Talk()
    assert await talk.say("i have a question about my insurance") == "What is your name, please?"
    assert "from Rosa Diaz: i have a question about my insurance. Is that right?" in await talk.say("Rosa Diaz")


async def test_the_caller_is_put_through_to_whom_they_ask_for() -> None:
    talk = Talk()
    await talk.say("Can I talk to a nurse?")
    assert [call.arguments["to"] for call in talk.tools] == ["nurse"]
    alone = Talk(agent=Agent("clinic", "Hello.", ""))
    assert "nobody is free" in await alone.say("Can I talk to a nurse?")
    assert alone.tools == []


async def test_who_is_not_understood_three_times_is_put_through() -> None:
    talk = Talk()
    assert await talk.say("(unclear)") == "Sorry, I did not get that. What can I do for you?"
    assert "opening hours" in await talk.say("blue bicycles")
    await talk.say("(unclear)")
    assert [call.arguments["to"] for call in talk.tools] == ["front desk"]


async def test_a_question_in_between_leads_back_to_the_open_one() -> None:
    talk = Talk()
    await talk.say("book an appointment")
    assert (await talk.say("When are you open?")).endswith("Monday to Friday. Which day would suit you?")
    assert (await talk.say("(unclear)")).endswith("Which day would suit you?")
    assert await talk.say("could you repeat that") == talk.memory[-3].text  # type: ignore[union-attr]


async def test_goodbye_is_said_and_then_the_call_ends() -> None:
    talk = Talk()
    assert "Goodbye" in await talk.say("That's all, thank you.")
    kinds = [type(event) for event in talk.events if not isinstance(event, Metered)]
    assert kinds == [ThoughtBegan, *[Thought] * (len(kinds) - 3), ToolsWanted, ThoughtEnded]
    assert talk.tools[0].name == "end_call"


async def test_a_call_goes_on_from_a_line_that_was_cut() -> None:
    talk = Talk()
    await talk.say("book an appointment on monday")
    talk.memory[-1] = Said("agent", "On Monday, November…")
    assert "10:30 is free" in await talk.say("at ten thirty")


async def test_a_database_that_is_away_is_a_thought_that_failed() -> None:
    talk = Talk(PaperDiary(away=True))
    assert await talk.say("book an appointment on monday") == ""
    assert talk.failed


async def test_thinking_costs_nothing_and_is_counted_all_the_same() -> None:
    talk = Talk()
    await talk.say("hello")
    metered = [(event.vendor, event.product, event.unit) for event in talk.events if isinstance(event, Metered)]
    assert metered == [("offline", "rules", "input_token"), ("offline", "rules", "output_token")]
