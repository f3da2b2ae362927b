"""Documents for Twilio, read back as XML."""

from xml.etree import ElementTree

import pytest

from app.line import twiml

NEXT, STATUS = "https://a.example/next", "https://a.example/stream"
CONNECT = twiml.connect("wss://a.example/media/", "t-1", action=NEXT, status=STATUS, apology="Sorry & goodbye.")
RESUME = twiml.resume("wss://a.example/media", "t-2", action=NEXT, status=STATUS, apology="Sorry & goodbye.")
DIAL = twiml.dial("+15550123", action=NEXT, caller_id="+15550199", whisper_url="https://a.example/w")


def test_connect_brings_the_token_in_the_path_and_as_a_parameter() -> None:
    response = ElementTree.fromstring(CONNECT)
    connect = response[0]
    assert connect.attrib == {"action": "https://a.example/next", "method": "POST"}
    stream = connect[0]
    assert stream.get("url") == "wss://a.example/media/t-1"
    assert stream.get("statusCallback") == "https://a.example/stream"
    assert [parameter.attrib for parameter in stream] == [{"name": "token", "value": "t-1"}]


def test_the_last_resort_is_an_apology() -> None:
    assert [verb.tag for verb in ElementTree.fromstring(CONNECT)] == ["Connect", "Say", "Hangup"]
    assert ElementTree.fromstring(CONNECT)[1].text == "Sorry & goodbye."


def test_a_resumed_call_says_so_at_its_start() -> None:
    stream = ElementTree.fromstring(RESUME)[0][0]
    assert {parameter.get("name"): parameter.get("value") for parameter in stream} == {
        "token": "t-2",
        "resumed": "yes",
    }


def test_a_transfer_rings_until_somebody_answers_and_whispers_to_them() -> None:
    dial = ElementTree.fromstring(DIAL)[0]
    assert dial.get("answerOnBridge") == "true"
    assert dial.get("timeout") == "25"
    assert dial.get("action") == "https://a.example/next"
    assert dial.get("callerId") == "+15550199"
    assert dial[0].text == "+15550123"
    assert dial[0].get("url") == "https://a.example/w"


def test_a_transfer_without_a_whisper_names_no_document() -> None:
    dial = ElementTree.fromstring(twiml.dial("+15550123", action=NEXT))[0]
    assert dial[0].attrib == {}
    assert dial.get("callerId") is None


@pytest.mark.parametrize("document", [CONNECT, RESUME, DIAL, twiml.apologise("Sorry."), twiml.hang_up()])
def test_every_document_ends_by_hanging_up(document: str) -> None:
    assert ElementTree.fromstring(document)[-1].tag == "Hangup"


def test_but_a_whisper_must_not_hang_up_on_the_one_who_hears_it() -> None:
    assert [verb.tag for verb in ElementTree.fromstring(twiml.whisper("Ann, about a cake."))] == ["Say"]
