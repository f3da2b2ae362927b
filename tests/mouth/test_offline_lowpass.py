"""The way to 8 kHz keeps what a telephone carries and lets nothing fold back, wherever the pieces are cut."""

import math
from random import Random

import pytest

from app.audio import RATE, loudness, to_linear
from app.mouth.offline_lowpass import TAPS, Telephoned, taps


def tone(hertz: float, rate: int, seconds: float = 0.5) -> bytes:
    samples = (int(12000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(round(seconds * rate)))
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def telephoned(sound: bytes, rate: int) -> bytes:
    on_the_way = Telephoned(rate)
    return on_the_way.add(sound) + on_the_way.end()


@pytest.mark.parametrize("rate", [16000, 22050, 24000])
@pytest.mark.parametrize(("hertz", "kept"), [(300, True), (1000, True), (3000, True), (4900, False), (6500, False)])
def test_what_a_telephone_carries_is_kept_and_the_rest_is_gone(rate: int, hertz: float, kept: bool) -> None:
    before = loudness(tone(hertz, rate))
    after = loudness(to_linear(telephoned(tone(hertz, rate), rate)[400:-400]))
    if kept:
        assert 0.85 < after / before < 1.05
    else:
        assert after / before < 0.03


def test_pieces_of_any_size_give_the_same_sound() -> None:
    sound, chance = tone(700, 22050), Random(5)
    pieces, on_the_way, at = [], Telephoned(22050), 0
    while at < len(sound):
        size = 2 * chance.choice([1, 10, TAPS, 400, 1323])
        pieces.append(on_the_way.add(sound[at : at + size]))
        at += size
    assert b"".join([*pieces, on_the_way.end()]) == telephoned(sound, 22050)


@pytest.mark.parametrize("rate", [16000, 22050, 24000])
def test_the_sound_is_as_long_as_before(rate: int) -> None:
    assert abs(len(telephoned(tone(500, rate, 1.0), rate)) - RATE) <= 2


def test_the_loudest_sound_is_not_torn() -> None:
    loud = b"".join((32767 if n % 40 < 20 else -32768).to_bytes(2, "little", signed=True) for n in range(8000))
    heard = to_linear(telephoned(loud, 16000))
    assert loudness(heard) > 28000


def test_the_filter_lets_silence_be_silence_and_a_level_be_a_level() -> None:
    assert sum(taps(22050)) == pytest.approx(1.0)
    assert set(telephoned(bytes(44100), 22050)) == {0xFF}
