"""Numbers that a server dials by REST: who answers, what the server is told, and how a live call is changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ops.lab.carrier import Carrier
from ops.lab.people import at_home
from ops.lab.report import Report
from ops.lab.story import Ends, HangsUp, Hears, Story, Waits
from ops.lab.twilio_rest import Calls
from tests.lab.voice_server import ACCOUNT, TOKEN, VoiceServer, serving

CONNECT = '<Response><Connect><Stream url="{ws}/media/one"/></Connect></Response>'
NUMBER = "+15005550100"


@dataclass
class Town:
    server: VoiceServer
    calls: Calls
    reports: list[Report] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def dial(self, **form: str | list[str]) -> None:
        """What the REST interface does with a POST to Calls.json."""
        base = {"To": NUMBER, "From": "+15005550001", "Url": f"{self.server.http}/voice", **form}
        lists = {name: value if isinstance(value, list) else [value] for name, value in base.items()}
        self.calls.create(ACCOUNT, lists, "CA1")

    async def report(self) -> Report:
        async with asyncio.timeout(20):
            await self.told.wait()
        return self.reports[0]

    def statuses(self) -> list[str]:
        """As they were told, in the order of their numbers: requests may overtake each other."""
        asked = sorted((asked.fields for asked in self.server.of("/status")), key=lambda it: it["SequenceNumber"])
        return [fields["CallStatus"] for fields in asked]


@asynccontextmanager
async def town(answers: str, *steps: Hears | HangsUp | Waits | Ends) -> AsyncIterator[Town]:
    async with (
        serving(
            VoiceServer(
                {"/voice": CONNECT, "/other": "<Response><Say>Bye.</Say></Response>", "/status": "", "/amd": ""}
            )
        ) as server,
        Carrier(account_sid=ACCOUNT, auth_token=TOKEN, plain=True) as carrier,
        asyncio.TaskGroup() as tasks,
    ):
        it = Town(server, Calls())

        def done(report: Report) -> None:
            it.reports.append(report)
            it.told.set()

        at_home(it.calls, carrier, lambda number: (answers, Story("at home", steps)), tasks, done)
        yield it


ALL = ["initiated", "ringing", "answered", "completed"]


async def test_whoever_is_dialled_answers_and_hears_the_agent() -> None:
    async with town("human", Hears("clinic"), HangsUp()) as it:
        it.dial(StatusCallback=f"{it.server.http}/status", StatusCallbackEvent=ALL)
        report = await it.report()
    assert report.failed == ""
    assert it.statuses() == ["initiated", "ringing", "in-progress", "completed"]
    voice = it.server.of("/voice")[0].fields
    assert (voice["CallSid"], voice["Direction"], voice["To"]) == ("CA1", "outbound-api", NUMBER)
    assert "AnsweredBy" not in voice
    assert it.calls.by_sid["CA1"].status == "completed"
    assert all(asked.signed for asked in it.server.asked)


@pytest.mark.parametrize("answers", ["busy", "no-answer", "failed"])
async def test_a_number_that_nobody_answers_is_told_to_who_wants_to_know_of_the_end(answers: str) -> None:
    async with town(answers, Ends()) as it:
        it.dial(StatusCallback=f"{it.server.http}/status")
        report = await it.report()
    assert report.outcome.why == f"nobody answered: {answers}"
    assert it.statuses() == [answers]
    assert it.server.of("/voice") == []
    assert it.calls.by_sid["CA1"].status == answers


async def test_a_machine_is_found_out_before_the_document_or_beside_the_call() -> None:
    async with town("machine", Hears("clinic"), HangsUp()) as it:
        it.dial(MachineDetection="DetectMessageEnd")
        await it.report()
    assert it.server.of("/voice")[0].fields["AnsweredBy"] == "machine_end_beep"

    async with town("machine", Hears("clinic"), HangsUp()) as it:
        it.dial(MachineDetection="Enable", AsyncAmd="true", AsyncAmdStatusCallback=f"{it.server.http}/amd")
        await it.report()
    assert "AnsweredBy" not in it.server.of("/voice")[0].fields
    assert it.server.of("/amd")[0].fields == {
        "CallSid": "CA1",
        "AccountSid": ACCOUNT,
        "AnsweredBy": "machine_start",
        "MachineDetectionDuration": "4000",
    }


async def test_a_live_call_is_ended_or_led_elsewhere_by_rest() -> None:
    for change, verbs in (
        ({"Status": ["completed"]}, ["Hangup"]),
        ({"Twiml": ["<Response><Say>Wait.</Say></Response>"]}, ["Say Wait."]),
        ({"Url": ["{http}/other"]}, ["Redirect {http}/other", "Say Bye."]),
    ):
        async with town("human", Ends()) as it:
            it.dial()
            async with asyncio.timeout(10):
                await it.server.called.wait()
            call = it.calls.by_sid["CA1"]
            call.changes.append({name: [values[0].format(http=it.server.http)] for name, values in change.items()})
            it.calls.on_updated(call)
            report = await it.report()
        assert report.failed == ""
        assert report.outcome.verbs[1:] == [verb.format(http=it.server.http) for verb in verbs]
