"""Sound in base64, cut without being decoded: to the sample where that is promised, to three samples elsewhere."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.audio import FRAME_BYTES, FRAME_SECONDS, RATE, Clip, key_tone, loudness, silence, to_linear, to_mulaw

SOUNDS = some.binary(max_size=3000)
SECONDS = some.floats(0.001, 1.0)


def tone(hertz: float, linear: bytes) -> float:
    """How strong this pitch is in 16-bit samples, by Goertzel's rule."""
    samples = [int.from_bytes(linear[at : at + 2], "little", signed=True) for at in range(0, len(linear), 2)]
    angle = 2 * math.pi * hertz / RATE
    real = sum(sample * math.cos(angle * n) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(angle * n) for n, sample in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / len(samples)


@given(SOUNDS)
def test_a_clip_is_as_long_as_its_sound(mulaw: bytes) -> None:
    clip = Clip.of(mulaw)
    assert clip.mulaw() == mulaw
    assert clip.samples == len(mulaw)
    assert clip.seconds == len(mulaw) / RATE


@given(SOUNDS, SECONDS)
def test_pieces_are_the_same_sound_in_order_and_none_is_too_long(mulaw: bytes, at_most: float) -> None:
    pieces = Clip.of(mulaw).pieces(at_most)
    assert b"".join(piece.mulaw() for piece in pieces) == mulaw
    assert sum(piece.samples for piece in pieces) == len(mulaw)
    assert all(piece.samples <= at_most * RATE + 3 for piece in pieces)


@given(SOUNDS, SECONDS)
def test_pieces_are_of_one_size_but_for_the_last(mulaw: bytes, at_most: float) -> None:
    *others, last = (piece.samples for piece in Clip.of(mulaw).pieces(at_most))
    assert len(set(others)) <= 1
    assert not others or 0 < last <= others[0]


@given(SOUNDS, some.floats(-0.1, 0.5))
def test_what_is_left_after_some_seconds_is_the_end_of_the_sound(mulaw: bytes, seconds: float) -> None:
    left = Clip.of(mulaw).after(seconds)
    assert mulaw.endswith(left.mulaw())
    dropped = len(mulaw) - left.samples
    wanted = min(max(seconds * RATE, 0.0), len(mulaw))
    assert abs(dropped - wanted) <= 2


def test_a_clip_says_how_long_it_is() -> None:
    assert repr(Clip.of(silence(0.25))) == "Clip(0.250 s)"
    assert Clip.of(b"").seconds == 0.0


def test_a_frame_is_twenty_milliseconds() -> None:
    assert len(silence(FRAME_SECONDS)) == FRAME_BYTES


def test_silence_is_silent_and_speech_is_not() -> None:
    assert loudness(to_linear(silence(0.1))) == 0
    assert loudness(to_linear(key_tone("5")[:960])) > 1000


@given(some.binary(min_size=1, max_size=400))
def test_mu_law_there_and_back_is_the_same_sound(mulaw: bytes) -> None:
    linear = to_linear(mulaw)
    assert len(linear) == 2 * len(mulaw)
    assert to_linear(to_mulaw(linear)) == linear


@pytest.mark.parametrize(
    ("key", "low", "high"), [("1", 697, 1209), ("5", 770, 1336), ("9", 852, 1477), ("0", 941, 1336), ("#", 941, 1477)]
)
def test_a_key_is_its_two_tones_and_then_a_silence_as_long(key: str, low: int, high: int) -> None:
    sound = key_tone(key, 0.1)
    tones, pause = sound[: len(sound) // 2], sound[len(sound) // 2 :]
    assert len(tones) == 0.1 * RATE
    assert set(pause) == {0xFF}
    linear = to_linear(tones)
    strengths = {pitch: tone(pitch, linear) for pitch in (697, 770, 852, 941, 1209, 1336, 1477, 1633)}
    assert set(sorted(strengths, key=lambda pitch: strengths[pitch])[-2:]) == {low, high}
    assert min(strengths[low], strengths[high]) > 5 * sorted(strengths.values())[-3]


def test_every_key_of_a_telephone_has_a_sound_of_its_own() -> None:
    assert len({key_tone(key) for key in "0123456789*#ABCD"}) == 16
