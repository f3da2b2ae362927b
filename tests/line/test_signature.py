"""Twilio's signatures, signed here independently, as the telephone company does it."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from app.errors import CallerError
from app.line.signature import Signatures

TOKEN = "12345"
FORM = {"CallSid": "CA1", "From": "+15550100", "To": "+15550199"}


def sign(url: str, form: Mapping[str, str] | None = None, token: str = TOKEN) -> str:
    text = url + "".join(f"{name}{value}" for name, value in sorted((form or {}).items()))
    return b64encode(hmac.digest(token.encode(), text.encode(), sha1)).decode()


@pytest.mark.parametrize(
    ("public", "signed"),
    [
        ("https://a.example", "https://a.example/twilio/voice?x=1"),
        ("https://a.example/", "https://a.example/twilio/voice?x=1"),
        ("https://a.example", "https://a.example:443/twilio/voice?x=1"),
        ("https://a.example:443", "https://a.example/twilio/voice?x=1"),
        ("https://a.example:8443", "https://a.example/twilio/voice?x=1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/twilio/voice?x=1"),
    ],
)
def test_a_signed_webhook_passes(public: str, signed: str) -> None:
    Signatures(TOKEN, public).check_webhook("/twilio/voice?x=1", FORM, sign(signed, FORM))


def test_a_field_that_comes_twice_is_signed_twice() -> None:
    form: Any = MultiDict([("Digit", "2"), ("Digit", "1"), ("CallSid", "CA1")])
    text = "https://a.example/twilio/voiceCallSidCA1Digit1Digit2"
    signature = b64encode(hmac.digest(TOKEN.encode(), text.encode(), sha1)).decode()
    Signatures(TOKEN, "https://a.example").check_webhook("/twilio/voice", form, signature)


@pytest.mark.parametrize(
    ("public", "signed"),
    [
        ("https://a.example", "wss://a.example/twilio/media/t-1"),
        ("https://a.example", "wss://a.example/twilio/media/t-1/"),
        ("https://a.example", "wss://a.example:443/twilio/media/t-1"),
        ("https://a.example:443", "wss://a.example/twilio/media/t-1"),
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/twilio/media/t-1"),
    ],
)
def test_a_signed_handshake_passes(public: str, signed: str) -> None:
    Signatures(TOKEN, public).check_handshake("/twilio/media/t-1", sign(signed))


@pytest.mark.parametrize(
    "header",
    [
        sign("https://a.example/twilio/voice"),
        sign("https://b.example/twilio/voice", FORM),
        sign("https://a.example/twilio/voice", FORM, token="another"),
        sign("https://a.example/twilio/voice", FORM)[:-2],
        "nonsense",
        "ä",
    ],
)
def test_anything_else_is_refused(header: str) -> None:
    with pytest.raises(CallerError, match="does not fit"):
        Signatures(TOKEN, "https://a.example").check_webhook("/twilio/voice", FORM, header)


@pytest.mark.parametrize("header", [None, ""])
def test_a_missing_signature_is_refused_in_other_words(header: str | None) -> None:
    signatures = Signatures(TOKEN, "https://a.example")
    with pytest.raises(CallerError, match="missing"):
        signatures.check_webhook("/twilio/voice", FORM, header)
    with pytest.raises(CallerError, match="missing"):
        signatures.check_handshake("/twilio/media/t-1", header)


def test_a_handshake_signed_for_another_token_is_refused() -> None:
    with pytest.raises(CallerError):
        Signatures(TOKEN, "https://a.example").check_handshake("/m/t-1", sign("wss://a.example/m/t-2"))


def test_without_a_token_nothing_passes_not_even_what_was_signed_with_none() -> None:
    signatures = Signatures("", "https://a.example")
    with pytest.raises(CallerError, match="TWILIO_AUTH_TOKEN is not set here"):
        signatures.check_webhook("/twilio/voice", FORM, sign("https://a.example/twilio/voice", FORM, token=""))
    with pytest.raises(CallerError, match="TWILIO_AUTH_TOKEN is not set here"):
        signatures.check_handshake("/twilio/media/t-1", sign("wss://a.example/twilio/media/t-1", token=""))
