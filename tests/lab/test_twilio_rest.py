"""Twilio's REST interface, asked by Twilio's own package."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from ops.lab.twilio_rest import Call, Calls
from ops.lab.vendors import Lab, vendors

# The package passes its credentials in a way that its HTTP client has begun to discourage.
pytestmark = pytest.mark.filterwarnings("ignore:The .auth. parameter:DeprecationWarning")

ACCOUNT = "AC" + "1" * 32
GOOD: dict[str, Any] = {"to": "+4915112345678", "from_": "+14155550100", "url": "https://us.example/voice"}


class LabTwilio(AsyncTwilioHttpClient):  # type: ignore[misc]
    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self._lab = lab

    async def request(self, method: str, url: str, *given: Any, **more: Any) -> Any:
        asked = urlsplit(url)
        return await super().request(method, f"{self._lab.url}/{asked.netloc}{asked.path}", *given, **more)


class Telephones:
    """Somebody whose telephone rings: remembers what the lab told."""

    def __init__(self) -> None:
        self.created: list[Call] = []
        self.updated: list[Call] = []
        self.calls = Calls(self.created.append, self.updated.append)


@pytest.fixture
def phones() -> Telephones:
    return Telephones()


@pytest_asyncio.fixture
async def lab(phones: Telephones) -> AsyncIterator[Lab]:
    async with vendors(calls=phones.calls) as lab:
        yield lab


@pytest_asyncio.fixture
async def twilio(lab: Lab) -> AsyncIterator[Client]:
    http = LabTwilio(lab)
    yield Client(ACCOUNT, "token", http_client=http)
    await http.close()


async def test_a_call_is_created_told_of_and_looked_up(twilio: Client, phones: Telephones) -> None:
    call = await twilio.calls.create_async(**GOOD, status_callback_event=["initiated", "ringing"], async_amd="true")
    assert (call.status, call.direction, call.price) == ("queued", "outbound-api", None)
    (created,) = phones.created
    assert created.sid == call.sid
    assert created.form["StatusCallbackEvent"] == ["initiated", "ringing"]
    assert created.asked("AsyncAmd") == "true"
    phones.calls.move(created.sid, "in-progress", 0.0, answered_by="human")
    again = await twilio.calls(created.sid).fetch_async()
    assert (again.status, again.answered_by) == ("in-progress", "human")
    assert again.start_time is not None


async def test_a_call_is_hung_up_once(twilio: Client, phones: Telephones) -> None:
    call = await twilio.calls.create_async(**GOOD)
    assert call.sid is not None
    phones.calls.move(call.sid, "in-progress", 0.0)
    ended = await twilio.calls(call.sid).update_async(status="completed")
    assert ended.status == "completed"
    assert [each.sid for each in phones.updated] == [call.sid]
    with pytest.raises(TwilioRestException) as refused:
        await twilio.calls(call.sid).update_async(status="completed")
    assert (refused.value.status, refused.value.code) == (400, 21220)


async def test_a_live_call_is_sent_elsewhere(twilio: Client, phones: Telephones) -> None:
    call = await twilio.calls.create_async(**GOOD)
    assert call.sid is not None
    phones.calls.move(call.sid, "in-progress", 0.0)
    await twilio.calls(call.sid).update_async(twiml="<Response><Dial>+15550100</Dial></Response>")
    assert phones.updated[0].changes == [{"Twiml": ["<Response><Dial>+15550100</Dial></Response>"]}]
    recording = await twilio.calls(call.sid).recordings.create_async(recording_channels="dual")
    assert recording.channels == 2


def test_a_price_comes_a_while_after_the_end_for_every_minute_begun() -> None:
    calls = Calls()
    call = calls.admit("CA1", ACCOUNT, to="+14155550100", from_="+4915112345678")
    calls.move("CA1", "in-progress", 10.0)
    calls.move("CA1", "completed", 75.0)
    call.duration = 65
    assert (call.told(76.0)["duration"], call.told(76.0)["price"]) == ("65", None)
    assert call.told(77.0)["price"] == "-0.02800"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"to": ""}, 21201), ({"to": "12"}, 21211), ({"url": ""}, 21205), ({"from_": ""}, 21213)],
)
async def test_a_call_to_nowhere_is_refused(twilio: Client, wrong: dict[str, str], code: int) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await twilio.calls.create_async(**{**GOOD, **wrong})
    assert (refused.value.status, refused.value.code) == (400, code)


async def test_strangers_and_unknown_calls_are_refused(lab: Lab, twilio: Client) -> None:
    with pytest.raises(TwilioRestException) as unknown:
        await twilio.calls("CA" + "0" * 32).fetch_async()
    assert (unknown.value.status, unknown.value.code) == (404, 20404)
    http = LabTwilio(lab)
    with pytest.raises(TwilioRestException) as stranger:
        await Client(ACCOUNT, "wrong", http_client=http).calls.create_async(**GOOD)
    assert (stranger.value.status, stranger.value.code) == (401, 20003)
    await http.close()


async def test_too_many_requests_are_told_as_such(lab: Lab, twilio: Client) -> None:
    lab.faults(vendor="twilio", kind="refuse", status=429, times=1)
    with pytest.raises(TwilioRestException) as refused:
        await twilio.calls.create_async(**GOOD)
    assert (refused.value.status, refused.value.code) == (429, 20429)
    await twilio.calls.create_async(**GOOD)
    assert lab.counts()["twilio"]["requests"] == {"refused": 1, "create": 1}
