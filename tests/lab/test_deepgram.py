"""The addresses of Deepgram's sockets, and how its sockets end."""

from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest

from ops.lab.deepgram import FluxSide, NovaSide, Unheard, flux_options, nova_options
from ops.lab.hearing import Flux, FluxOptions, Nova, NovaOptions
from ops.lab.profile import REFERENCE

MULAW = "encoding=mulaw&sample_rate=8000"


def nova() -> NovaSide:
    return NovaSide(Nova(NovaOptions(), REFERENCE, Random(1), "r"), 0.0)


def flux() -> FluxSide:
    return FluxSide(Flux(FluxOptions(), REFERENCE, Random(1), "r"), 0.0)


def test_a_nova_address_is_read() -> None:
    query = f"model=nova-3&{MULAW}&interim_results=true&endpointing=300&utterance_end_ms=1000&smart_format=true"
    options = nova_options(parse_qsl(query))
    assert options == NovaOptions("mulaw", "nova-3", True, 0.3, 1.0, False, True)
    assert nova_options(parse_qsl(f"model=nova-3&{MULAW}")).endpointing == 0.01
    assert nova_options(parse_qsl(f"model=nova-3&{MULAW}&endpointing=false")).endpointing is None


@pytest.mark.parametrize(
    "wrong",
    [
        "model=flux-general-en",
        "model=nova-3&keywords=x",
        "model=nova-2&keyterm=x",
        "model=nova-3&encoding=silk",
        "model=nova-3&encoding=mulaw",
        "model=nova-3&utterance_end_ms=1000",
        "model=nova-3&interim_results=true&utterance_end_ms=900",
        "model=nova-3&interim_results=perhaps",
        "model=nova-3&eot_threshold=0.7",
    ],
)
def test_a_nova_address_that_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(Unheard):
        nova_options(parse_qsl(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        "model=nova-3",
        "model=flux-general-en&eot_threshold=0.4",
        "model=flux-general-en&eager_eot_threshold=0.2",
        "model=flux-general-en&eager_eot_threshold=0.8&eot_threshold=0.7",
        "model=flux-general-en&eot_timeout_ms=100",
        "model=flux-general-en&interim_results=true",
    ],
)
def test_a_flux_address_that_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(Unheard):
        flux_options(parse_qsl(wrong))


@pytest.mark.parametrize("side", [nova(), flux()])
def test_ten_seconds_without_audio_end_a_socket(side: NovaSide | FluxSide) -> None:
    side.poll(0.0)
    side.take(b"\xff" * 160, 3.0)
    moment = 0.0
    while side.closing is None:
        moment = side.deadline() or 0.0
        side.poll(moment)
    assert moment == pytest.approx(13.0)
    assert side.closing[0] == 1011
    assert "NET-0001" in side.closing[1]


def test_keep_alive_keeps_a_nova_socket_alive() -> None:
    side = nova()
    side.take('{"type": "KeepAlive"}', 9.0)
    side.poll(18.9)
    assert side.closing is None
    side.poll(19.0)
    assert side.closing is not None


def test_audio_without_an_encoding_cannot_be_decoded() -> None:
    side = NovaSide(Nova(NovaOptions(encoding=""), REFERENCE, Random(1), "r"), 0.0)
    side.take(b"\xff" * 160, 1.0)
    assert side.closing is not None
    assert side.closing[1].startswith("DATA-0000")


def configured(message: str) -> tuple[dict[str, Any], FluxSide]:
    side = flux()
    side.poll(0.0)
    side.take(message, 1.0)
    return side.poll(1.0)[0], side


def test_flux_is_configured_while_it_runs() -> None:
    answer, side = configured('{"type": "Configure", "thresholds": {"eager_eot_threshold": 0.5}, "keyterms": ["Ada"]}')
    assert answer["type"] == "ConfigureSuccess"
    assert answer["thresholds"] == {"eot_threshold": 0.7, "eot_timeout_ms": 5000, "eager_eot_threshold": 0.5}
    assert answer["keyterms"] == ["Ada"]
    assert side.model.options.eager_eot_threshold == 0.5


def test_flux_refuses_a_configuration_and_goes_on() -> None:
    answer, side = configured('{"type": "Configure", "thresholds": {"eot_threshold": 7}}')
    assert answer["type"] == "ConfigureFailure"
    assert side.closing is None
