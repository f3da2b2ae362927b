"""Twilio's webhooks: who is let in, and what the carrier is told to do."""

import asyncio

import pytest
from werkzeug.datastructures import Headers

from app.call.events import Event, LineClosed, SpeechEnded, ToolCall, TransferAsked
from app.switchboard.exchange import BUSY, NOT_IN_SERVICE, TROUBLE
from tests.switchboard.puppets import PuppetLine
from tests.web.house import PUBLIC, House, ringing, signed, visit

WEBHOOKS = ("/twilio/voice", "/twilio/next", "/twilio/status")
GOODBYE = ((ToolCall("t", "end_call", {}),),)


async def talking(house: House, sid: str = "CA1") -> PuppetLine:
    """A call that has rung and whose stream stands."""
    answer = await house.knock("/twilio/voice", ringing(sid))
    conversation = await house.exchange.connect(answer.stream.rpartition("/")[2])
    assert conversation is not None
    line = PuppetLine(conversation.report)
    conversation.attach(line)
    await asyncio.sleep(2)
    return line


async def happens(house: House, *events: Event) -> None:
    for event in events:
        house.exchange.conversations[0].report(event)
        await asyncio.sleep(5)


# --- who is let in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WEBHOOKS)
def test_a_webhook_without_a_signature_is_refused(path: str) -> None:
    async def story(house: House) -> None:
        answer = await house.knock(path, ringing(), Headers())
        assert answer.status == 403
        assert "signature is missing" in answer.text
        assert house.exchange.conversations == []

    visit(story)


@pytest.mark.parametrize("path", WEBHOOKS)
def test_a_webhook_with_a_strangers_signature_is_refused(path: str) -> None:
    async def story(house: House) -> None:
        answer = await house.knock(path, ringing(), signed(path, ringing(), "a stranger's secret"))
        assert answer.status == 403
        assert "PUBLIC_URL and TWILIO_AUTH_TOKEN" in answer.text
        assert house.exchange.conversations == []

    visit(story)


def test_a_signature_is_good_for_its_own_form_and_address_only() -> None:
    async def story(house: House) -> None:
        elsewhere = signed("/twilio/status", ringing())
        another = signed("/twilio/voice", ringing(To="+15005559999"))
        for headers in (elsewhere, another):
            assert (await house.knock("/twilio/voice", ringing(), headers)).status == 403

    visit(story)


def test_a_query_is_part_of_what_is_signed() -> None:
    async def story(house: House) -> None:
        path = "/twilio/voice?tier=gold"
        assert (await house.knock(path, ringing())).status == 200
        assert (await house.knock(path, ringing(), signed("/twilio/voice", ringing()))).status == 403

    visit(story)


def test_only_posts_are_webhooks() -> None:
    async def story(house: House) -> None:
        response = await house.client.get("/twilio/voice", headers=signed("/twilio/voice", {}))
        assert response.status_code == 405

    visit(story)


# --- a call rings ---------------------------------------------------------------------------------------------------


def test_a_call_is_brought_to_its_socket_and_never_left_in_dead_air() -> None:
    async def story(house: House) -> None:
        answer = await house.knock("/twilio/voice", ringing())
        assert answer.status == 200
        token = answer.parameters["token"]
        assert answer.stream == f"wss://phone.example.com/twilio/media/{token}"
        assert answer.verbs == ["Connect", "Say", "Hangup"]
        assert answer.document.find("Connect").attrib["action"] == f"{PUBLIC}/twilio/next"  # type: ignore[union-attr]
        assert answer.document.findtext("Say") == TROUBLE
        assert [it.facts.party for it in house.exchange.conversations] == ["+15005550002"]

    visit(story)


def test_a_call_that_rings_twice_is_told_the_same() -> None:
    async def story(house: House) -> None:
        first = await house.knock("/twilio/voice", ringing())
        assert (await house.knock("/twilio/voice", ringing())).text == first.text
        assert len(house.exchange.conversations) == 1

    visit(story)


def test_of_a_call_that_we_placed_our_number_is_the_one_it_comes_from() -> None:
    async def story(house: House) -> None:
        form = ringing(From="+15005550001", To="+15005550002", Direction="outbound-api")
        await house.knock("/twilio/voice", form)
        (facts,) = (it.facts for it in house.exchange.conversations)
        assert (facts.direction, facts.number, facts.party) == ("outbound", "+15005550001", "+15005550002")

    visit(story)


@pytest.mark.parametrize("missing", ["CallSid", "To"])
def test_a_form_without_its_fields_is_told_what_is_missing(missing: str) -> None:
    async def story(house: House) -> None:
        form = {name: value for name, value in ringing().items() if name != missing}
        answer = await house.knock("/twilio/voice", form)
        assert answer.status == 400
        assert missing in answer.text
        assert house.exchange.conversations == []

    visit(story)


def test_a_number_that_nobody_answers_is_told_so() -> None:
    async def story(house: House) -> None:
        answer = await house.knock("/twilio/voice", ringing(To="+15005559999"))
        assert (answer.status, answer.verbs) == (200, ["Say", "Hangup"])
        assert answer.document.findtext("Say") == NOT_IN_SERVICE

    visit(story)


def test_a_full_house_says_that_it_is_busy() -> None:
    async def story(house: House) -> None:
        await house.knock("/twilio/voice", ringing("CA1"))
        answer = await house.knock("/twilio/voice", ringing("CA2"))
        assert answer.verbs == ["Say", "Hangup"]
        assert answer.document.findtext("Say") == BUSY

    visit(story, most_calls=1)


# --- a stream has ended ---------------------------------------------------------------------------------------------


def after(sid: str = "CA1", **more: str) -> dict[str, str]:
    return ringing(sid, CallStatus="in-progress", **more)


def test_after_the_agents_goodbye_the_carrier_hangs_up() -> None:
    async def story(house: House) -> None:
        line = await talking(house)
        await happens(house, SpeechEnded("Goodbye."))
        assert line.closed
        assert (await house.knock("/twilio/next", after())).verbs == ["Hangup"]

    visit(story, answers=GOODBYE)


def test_after_a_transfer_the_carrier_dials() -> None:
    async def story(house: House) -> None:
        await talking(house)
        await happens(house, TransferAsked("+15005550009"))
        answer = await house.knock("/twilio/next", after())
        assert answer.verbs == ["Dial", "Hangup"]
        assert answer.document.findtext("Dial/Number") == "+15005550009"

    visit(story)


def test_after_the_transfers_own_end_the_carrier_hangs_up() -> None:
    async def story(house: House) -> None:
        await talking(house)
        await happens(house, TransferAsked("+15005550009"))
        await house.knock("/twilio/next", after())
        assert (await house.knock("/twilio/next", after(DialCallStatus="completed"))).verbs == ["Hangup"]

    visit(story)


def test_after_a_break_the_carrier_comes_again_with_another_token() -> None:
    async def story(house: House) -> None:
        first = await house.knock("/twilio/voice", ringing())
        await talking(house)
        await happens(house, SpeechEnded("My name is Ann."), LineClosed("carrier"))
        answer = await house.knock("/twilio/next", after())
        assert answer.verbs == ["Connect", "Say", "Hangup"]
        assert answer.parameters["resumed"] == "yes"
        assert answer.parameters["token"] != first.parameters["token"]
        conversation = await house.exchange.connect(answer.parameters["token"])
        assert conversation is not None

    visit(story)


def test_a_caller_who_has_hung_up_is_not_called_back_in() -> None:
    async def story(house: House) -> None:
        await talking(house)
        await happens(house, SpeechEnded("My name is Ann."), LineClosed("caller"))
        answer = await house.knock("/twilio/next", ringing(CallStatus="completed"))
        assert answer.verbs == ["Hangup"]
        assert house.exchange.conversations == []

    visit(story)


def test_a_call_of_which_nothing_is_known_gets_an_apology_instead_of_silence() -> None:
    async def story(house: House) -> None:
        answer = await house.knock("/twilio/next", after("CA99"))
        assert answer.verbs == ["Say", "Hangup"]
        assert answer.document.findtext("Say") == TROUBLE

    visit(story)


# --- news -----------------------------------------------------------------------------------------------------------


def test_news_is_taken_without_a_word_and_a_failed_stream_is_written_down(caplog: pytest.LogCaptureFixture) -> None:
    async def story(house: House) -> None:
        answer = await house.knock("/twilio/status", ringing(StreamEvent="stream-error", StreamError="31920 refused"))
        assert (answer.status, answer.text) == (204, "")

    visit(story)
    assert "call CA1: the stream failed: 31920 refused" in caplog.text
