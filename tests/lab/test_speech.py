"""Speech that carries its words: read back whole, cut and in any pieces, and taken for a voice by a detector."""

import warnings
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.lab.speech import (
    RATE,
    VOICES,
    Reader,
    Spoken,
    cough,
    hum,
    noise,
    pause_after,
    say,
    silence,
    to_linear,
    to_mulaw,
    words_of,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import webrtcvad

SENTENCE = "Hello, are you open on Sundays? I'd like to book Grüße 日本語 an appointment."
FRAME = 160


def read(mulaw: bytes, size: int = FRAME) -> tuple[list[Spoken], Reader]:
    reader = Reader()
    words = [word for at in range(0, len(mulaw), size) for word in reader.feed(mulaw[at : at + size])]
    return words, reader


def voiced(mulaw: bytes) -> list[bool]:
    detector = webrtcvad.Vad(3)
    linear = to_linear(mulaw)
    return [detector.is_speech(linear[at : at + 320], RATE) for at in range(0, len(linear) - 319, 320)]


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("pace", [0.5, 1.0, 2.0])
def test_what_is_said_is_what_is_read(voice: str, pace: float) -> None:
    words, reader = read(say(SENTENCE, voice=voice, pace=pace))
    assert words == words_of(SENTENCE, pace=pace)
    assert [word.text for word in words] == SENTENCE.split()
    assert reader.cut == 0
    assert reader.open_word is None


@given(cuts=st.lists(st.integers(1, 4000), max_size=60), lead=st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_any_cutting_into_pieces_gives_the_same_words(cuts: list[int], lead: int) -> None:
    words = say("yes please, tomorrow at nine")
    sound = b"\xff" * lead + words[:5000] + words + b"\xff" * 300
    whole = Reader()
    expected = whole.feed(sound)
    pieces, at = Reader(), 0
    heard: list[Spoken] = []
    for size in [*cuts, len(sound)]:
        heard += pieces.feed(sound[at : at + size])
        at += size
    assert heard == expected
    assert (pieces.cut, pieces.open_word, pieces.samples) == (whole.cut, whole.open_word, whole.samples)


def test_words_survive_linear_audio_and_back() -> None:
    sound = say(SENTENCE) + noise(0.5, 300) + say(SENTENCE, voice="agent")
    assert 0x7F not in sound
    assert to_mulaw(to_linear(sound)) == sound


@pytest.mark.parametrize("after", [silence(2), noise(2, 500), say("and something else entirely, you know")])
def test_a_word_that_was_cut_is_not_heard(after: bytes) -> None:
    (word,) = words_of("appointment")
    cut = say("appointment")[: round(word.end * RATE) - 40]
    words, reader = read(cut + after)
    assert "appointment" not in [word.text for word in words]
    assert reader.cut == 1
    assert reader.open_word is None


def test_a_hole_in_a_word_costs_the_word_and_no_other() -> None:
    sound = say("good morning everybody")
    hole = round(words_of("good morning everybody")[1].start * RATE) + 1000
    words, reader = read(sound[:hole] + silence(0.02) + sound[hole:])
    assert [word.text for word in words] == ["good", "everybody"]
    assert reader.cut == 1


@pytest.mark.parametrize("at", [3, 33, 40, 60, 90, 110])
def test_a_head_that_was_cut_does_not_hold_up_the_next_word(at: int) -> None:
    words, _ = read(say("appointment")[:at] + say("yes") + silence(0.1))
    assert [word.text for word in words] == ["yes"]


def test_an_open_word_is_known_before_it_is_over() -> None:
    (word,) = words_of("appointment")
    reader = Reader()
    assert reader.feed(silence(0.1) + say("appointment")[:800]) == []
    assert reader.open_word is not None
    assert reader.open_word.text == "appointment"
    assert reader.open_word.start == pytest.approx(0.1)
    assert reader.open_word.end == pytest.approx(0.1 + word.end)


def test_quiet_follows_the_punctuation() -> None:
    one, two, three = words_of("Well, yes. Good")
    assert two.start - one.end == pytest.approx(pause_after("Well,")) == pytest.approx(0.15)
    assert three.start - two.end == pytest.approx(0.25)
    assert words_of("a - b")[1].start - words_of("a - b")[0].end == pytest.approx(0.04)


def test_a_pace_of_two_halves_a_word() -> None:
    assert words_of("appointment", pace=2.0)[0].end == pytest.approx(words_of("appointment")[0].end / 2)
    with pytest.raises(ValueError, match="pace"):
        say("yes", pace=9.0)


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("text", ["yes", "I", "mhm", "Sundays too", "one two three four five six seven"])
def test_a_voice_detector_hears_the_onset_within_60_ms_and_stays_on(voice: str, text: str) -> None:
    flags = voiced(silence(0.5) + say(text, voice=voice) + silence(0.6))
    first = flags.index(True)
    assert first * 0.02 >= 0.48
    assert (first + 1) * 0.02 - 0.5 <= 0.06
    for word in words_of(text):
        inside = flags[round((0.5 + word.start) / 0.02) + 3 : int((0.5 + word.end) / 0.02)]
        assert all(inside), word
    assert not any(flags[-20:])


def test_a_voice_detector_hears_nothing_in_silence_and_in_quiet_noise() -> None:
    assert not any(voiced(silence(1)))
    assert sum(voiced(noise(1, 150))) <= 5


def test_a_cough_sounds_like_a_voice_and_holds_no_words() -> None:
    assert sum(voiced(silence(0.2) + cough() + silence(0.2))) >= 8
    words, reader = read(cough() + noise(1, 800))
    assert (words, reader.cut) == ([], 0)
    assert [word.text for word in read(hum())[0]] == ["mhm"]


def test_noise_is_as_loud_as_asked_and_the_same_for_the_same_seed() -> None:
    assert noise(0.2, 400, 7) == noise(0.2, 400, 7) != noise(0.2, 400, 8)
    assert len(noise(0.2, 400)) == 1600


def test_reading_is_cheap_enough_for_hundreds_of_calls() -> None:
    sound = say("I would like to book an appointment " * 10)
    frames = [sound[at : at + FRAME] for at in range(0, len(sound), FRAME)]
    best = 1.0
    for _ in range(5):
        reader = Reader()
        began = perf_counter()
        for frame in frames:
            reader.feed(frame)
        best = min(best, (perf_counter() - began) / len(frames))
    assert best < 0.001  # microseconds on a quiet machine; the bound only catches a search sample by sample
