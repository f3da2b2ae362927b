"""The telephone company against a real server on loopback: forms, signatures, TwiML, streams, and how calls end."""

import asyncio

import pytest

from ops.lab import twiml
from ops.lab.caller import Caller
from ops.lab.carrier import Carrier, Outcome
from ops.lab.story import FIRST_CALL, Ends, HangsUp, Hears, Parts, Says, Step, Story, TalksOver, Waits
from ops.lab.twiml import Verb
from ops.lab.webhook import Reach, sign
from tests.lab.talker import CLINIC, Talker
from tests.lab.voice_server import ACCOUNT, TOKEN, Send, VoiceServer, serving

CONNECT = """<Response>
    <Connect action="/next">
        <Stream url="{ws}/media/one" name="first" statusCallback="/stream"><Parameter name="token" value="t1"/></Stream>
    </Connect>
</Response>"""
HANGUP = "<Response><Hangup/></Response>"


def clinic(**more: str) -> VoiceServer:
    return VoiceServer({"/voice": CONNECT, "/next": HANGUP, "/status": "", "/stream": "", **more})


async def ring(
    server: VoiceServer, *steps: Step, story: Story | None = None, strict: bool = False
) -> tuple[Outcome, Caller]:
    caller = Caller(story or Story("a test", steps))
    async with (
        asyncio.timeout(60),
        Carrier(account_sid=ACCOUNT, auth_token=TOKEN, plain=not strict, status_url=f"{server.http}/status") as carrier,
    ):
        outcome = await carrier.ring(f"{server.http}/voice", caller, from_="+15005550100", to="+15005550001")
    return outcome, caller


def codes(outcome: Outcome) -> list[int]:
    return [error.code for error in outcome.errors]


async def test_a_call_is_rung_streamed_and_reported_with_signed_forms() -> None:
    async with serving(clinic()) as server:
        outcome, caller = await ring(server, Hears("clinic"), Says("goodbye", after=0.1), Hears("Goodbye"), Ends())
    assert caller.failed == ""
    assert (outcome.by, outcome.streams, outcome.grave) == ("agent", 1, [])
    assert codes(outcome) == [31921]  # the company logs that the server closed the stream, as it may
    assert outcome.verbs == [f"Connect Stream {server.ws}/media/one", "Hangup"]

    assert all(asked.signed for asked in server.asked)
    assert server.sockets_signed == [True]
    voice = server.of("/voice")[0].fields
    sid = voice["CallSid"]
    assert sid.startswith("CA")
    assert len(sid) == 34
    assert voice == {
        "CallSid": sid,
        "AccountSid": ACCOUNT,
        "From": "+15005550100",
        "To": "+15005550001",
        "Caller": "+15005550100",
        "Called": "+15005550001",
        "CallStatus": "ringing",
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
    }
    assert server.talkers[0].start["callSid"] == sid
    assert server.talkers[0].start["customParameters"] == {"token": "t1"}
    assert server.of("/next")[0].fields["CallStatus"] == "in-progress"
    assert {asked.fields["StreamEvent"] for asked in server.of("/stream")} == {"stream-started", "stream-stopped"}
    assert server.of("/stream")[0].fields["StreamName"] == "first"
    status = server.of("/status")[0].fields
    assert (status["CallStatus"], status["CallDuration"].isdigit()) == ("completed", True)


async def test_the_first_call_is_held_and_its_times_are_those_of_the_server() -> None:
    async with serving(clinic()) as server:
        outcome, caller = await ring(server, story=FIRST_CALL)
    assert caller.failed == ""
    assert outcome.by == "agent"
    assert server.talkers[0].heard == [turn.text for turn in caller.turns]
    question, _, over, _ = caller.turns
    # The server answers 0.2 s after the voice, to the frame; the rest is the way there and back.
    assert question.gap == pytest.approx(0.21, abs=0.03)
    assert over.barge_in == pytest.approx(0.06, abs=0.03)
    assert over.quieted == pytest.approx(0.06, abs=0.03)
    assert caller.greeting is not None
    assert caller.greeting < 0.04
    assert caller.holes() == []
    heard = " ".join(word.text for word in caller.ear.words)
    assert heard.startswith("The clinic. We open at nine and close at five. The clinic has four")
    assert "two of them" not in heard.lower()


async def test_a_caller_who_hangs_up_stops_the_stream_and_the_action_is_told_that_the_call_is_over() -> None:
    async with serving(clinic()) as server:
        outcome, caller = await ring(server, Hears("clinic"), HangsUp())
    assert (outcome.by, caller.failed, outcome.errors) == ("caller", "", [])
    assert server.of("/next")[0].fields["CallStatus"] == "completed"
    assert outcome.verbs == [f"Connect Stream {server.ws}/media/one"]


async def test_a_stream_that_breaks_is_resumed_by_the_action_and_the_story_goes_on() -> None:
    again = CONNECT.replace("/media/one", "/media/two").replace("/next", "/last")
    async with serving(clinic(**{"/next": again, "/last": HANGUP})) as server:

        async def die_once(talker: Talker, send: Send) -> None:
            if len(server.talkers) == 1 and talker.marks:
                await send({"type": "websocket.close", "code": 1012})
                talker.closed = True

        server.on_message = die_once
        outcome, caller = await ring(
            server,
            Hears("clinic"),
            Hears("clinic"),
            Says("When are you open?", after=0.1, pace=2.0),
            Hears("open"),
            HangsUp(),
        )
    assert caller.failed == ""
    assert (outcome.streams, outcome.by) == (2, "caller")
    assert codes(outcome) == [31921]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("not XML", twiml.BAD_DOCUMENT),
        ("<Answer/>", twiml.BAD_DOCUMENT),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Response/>', twiml.BAD_DOCUMENT),
        ("<Response><Dance/><Hangup/></Response>", twiml.UNKNOWN_PART),
        ('<Response><Hangup how="fast"/></Response>', twiml.UNKNOWN_PART),
        ("<Response><Connect><Say>x</Say></Connect></Response>", twiml.UNKNOWN_PART),
        ('<Response><Connect><Stream url="ws://127.0.0.1:1/x"/></Connect></Response>', twiml.NOT_SECURE),
        ('<Response><Connect><Stream url="wss://127.0.0.1:1/x?token=1"/></Connect></Response>', twiml.HANDSHAKE),
        ('<Response><Connect><Stream url="wss://127.0.0.1:1/x"/></Connect></Response>', 31901),
        ("<Response><Redirect>/voice</Redirect></Response>", twiml.BAD_DOCUMENT),
        ("<Response><Redirect>/missing</Redirect></Response>", 11200),
    ],
)
async def test_what_the_company_does_not_accept_is_an_error_with_its_number(document: str, code: int) -> None:
    async with serving(clinic(**{"/voice": document})) as server:
        outcome, caller = await ring(server, Hears(), strict=True)
    assert code in codes(outcome)
    assert caller.failed != ""


async def test_a_document_of_the_wrong_type_is_refused() -> None:
    async with serving(clinic()) as server:
        server.content_type = "application/json"
        outcome, _ = await ring(server, Hears())
    assert codes(outcome) == [twiml.BAD_TYPE]
    assert outcome.by == "carrier"


async def test_a_socket_that_is_refused_is_told_to_the_stream_s_callback() -> None:
    async with serving(clinic()) as server:
        server.refuse_sockets = True
        outcome, _ = await ring(server, Hears())
    assert codes(outcome) == [31920]
    assert [asked.fields["StreamEvent"] for asked in server.of("/stream")] == ["stream-error"]
    assert outcome.verbs[-1] == "Hangup"  # the action was asked all the same


async def test_verbs_are_followed_one_after_the_other() -> None:
    document = """<Response><Say>One moment.</Say><Pause length="0"/><Play digits="1"/>
        <Dial action="/after"><Number url="/whisper">+15005550009</Number></Dial></Response>"""
    whisper = "<Response><Say>A caller.</Say></Response>"
    async with serving(clinic(**{"/voice": document, "/whisper": whisper, "/after": HANGUP})) as server:
        outcome, caller = await ring(server, Ends())
    assert outcome.verbs == [
        "Say One moment.",
        "Pause",
        "Play",
        "Dial Number /whisper",
        "whisper: Say A caller.",
        "Hangup",
    ]
    assert outcome.dialled == ["+15005550009"]
    assert [line.text for line in caller.transcript.lines] == ["One moment."]
    assert server.of("/after")[0].fields["DialCallStatus"] == "completed"
    assert server.of("/whisper")[0].fields["To"] == "+15005550009"


async def test_a_public_address_is_signed_and_reached_on_loopback() -> None:
    async with serving(clinic()) as server:
        server.public = "https://voice.example"
        caller = Caller(Story("a test", (Hears("clinic"), HangsUp())))
        reach = Reach(server.public, server.http)
        async with Carrier(account_sid=ACCOUNT, auth_token=TOKEN, reach=reach) as carrier:
            outcome = await carrier.ring("https://voice.example/voice", caller, from_="+1", to="+2")
    assert (caller.failed, outcome.errors) == ("", [])
    assert outcome.verbs == ["Connect Stream wss://voice.example/media/one"]
    assert all(asked.signed for asked in server.asked)
    assert server.sockets_signed == [True]


async def test_a_wrong_token_makes_wrong_signatures() -> None:
    async with serving(clinic()) as server:
        caller = Caller(Story("a test", (Hears("clinic"), HangsUp())))
        async with Carrier(account_sid=ACCOUNT, auth_token="another", plain=True) as carrier:
            await carrier.ring(f"{server.http}/voice", caller, from_="+1", to="+2")
    assert not any(asked.signed for asked in server.asked)
    assert server.sockets_signed == [False]


async def test_a_server_that_has_only_a_socket_can_be_called_too() -> None:
    async with serving(clinic()) as server:
        caller = Caller(
            Story(
                "a test",
                (Hears("clinic"), Says("When are you open?", after=0.1, pace=2.0), Hears("open"), Parts(within=0.2)),
            )
        )
        async with Carrier(account_sid=ACCOUNT, auth_token=TOKEN, plain=True) as carrier:
            outcome = await carrier.ring_socket(f"{server.ws}/ws", caller, {"agent": "clinic"})
    assert (caller.failed, outcome.by, server.asked) == ("", "caller", [])
    assert server.talkers[0].start["customParameters"] == {"agent": "clinic"}


async def test_a_live_call_changes_its_course_when_it_is_updated() -> None:
    async with serving(clinic()) as server:
        greeted = asyncio.Event()
        caller = Caller(Story("a test", (Hears("clinic"), Waits(30.0))), tell=lambda line: greeted.set())
        async with (
            Carrier(account_sid=ACCOUNT, auth_token=TOKEN, plain=True) as carrier,
            asyncio.timeout(20),
            asyncio.TaskGroup() as tasks,
        ):
            ringing = tasks.create_task(carrier.ring(f"{server.http}/voice", caller, from_="+1", to="+2"))
            await greeted.wait()
            [call] = carrier.live.values()
            call.update([Verb("Say", {}, "Wait."), Verb("Hangup")])
        outcome = ringing.result()
    assert outcome.verbs[-2:] == ["Say Wait.", "Hangup"]
    assert server.of("/next") == []
    assert carrier.live == {}


async def test_many_calls_at_once_do_not_touch_each_other() -> None:
    story = Story("short", (Hears("clinic"), Says("When are you open?", after=0.1, pace=2.0), Hears("open"), HangsUp()))
    async with serving(clinic()) as server, Carrier(account_sid=ACCOUNT, auth_token=TOKEN, plain=True) as carrier:
        callers = [Caller(story) for _ in range(10)]
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            for caller in callers:
                tasks.create_task(carrier.ring(f"{server.http}/voice", caller, from_="+1", to="+2"))
    assert [caller.failed for caller in callers] == [""] * 10
    assert {len(talker.heard) for talker in server.talkers} == {1}
    assert len({asked.fields["CallSid"] for asked in server.asked}) == 10


def test_a_signature_is_what_the_company_publishes_as_its_example() -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    assert sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", fields) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


async def test_talking_over_an_agent_that_sends_faster_than_it_plays_leaves_its_rest_unheard() -> None:
    story = (
        Hears("clinic"),
        Says("everything", after=0.1),
        TalksOver("Sundays?", after_words=4),
        Hears("closed"),
    )
    async with serving(clinic()) as server:
        outcome, caller = await ring(server, *story, HangsUp())
    assert (caller.failed, outcome.by) == ("", "caller")
    assert caller.phones[0].clearings[0].seconds > 2.0
    assert CLINIC["everything"].split()[-1] not in [word.text for word in caller.ear.words]
