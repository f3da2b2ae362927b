"""The detector against sounds whose edges are known to the sample, on quiet and on noisy lines."""

import random

import pytest

from app.audio import FRAME_BYTES, RATE, SILENCE, silence, to_linear, to_mulaw
from app.call.doubt import ECHO_PEAK
from app.call.events import SpeechPaused, SpeechStarted
from app.ears.detector import Detector
from ops.lab.speech import cough, noise, say
from ops.lab.turns_sounds import at_level, mixed

QUIET, OFFICE, STREET = 0, 60, 300
LINES = pytest.mark.parametrize("noise_level", [QUIET, OFFICE, STREET])
LEAD = 1.0

Heard = list[tuple[float, SpeechStarted | SpeechPaused]]


def listen(sound: bytes, noise_level: int = QUIET) -> Heard:
    """What the detector reports, each with the time at which the frame that told it was complete."""
    if noise_level:
        hiss = to_linear(noise(len(sound) / RATE, noise_level, seed=len(sound)))
        sound = to_mulaw(_added(to_linear(sound), hiss))
    detector = Detector()
    heard = []
    for start in range(0, len(sound) - FRAME_BYTES + 1, FRAME_BYTES):
        event = detector.frame(sound[start : start + FRAME_BYTES])
        if event is not None:
            heard.append(((start + FRAME_BYTES) / RATE, event))
    return heard


def _added(one: bytes, other: bytes) -> bytes:
    sums = (a + b for a, b in zip(memoryview(one).cast("h"), memoryview(other).cast("h"), strict=True))
    return b"".join(max(-32768, min(32767, value)).to_bytes(2, "little", signed=True) for value in sums)


def placed(sound: bytes, offset: int) -> bytes:
    """The sound after a second of quiet and `offset` samples, with a second of quiet behind it."""
    return silence(LEAD) + SILENCE * offset + sound + silence(1.0)


def click(seconds: float, seed: int) -> bytes:
    chance = random.Random(seed)
    samples = (int(chance.uniform(-12000, 12000)) for _ in range(round(seconds * RATE)))
    return to_mulaw(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))


@LINES
@pytest.mark.parametrize("offset", [0, 41, 97, 159])
@pytest.mark.parametrize("text", ["yes", "a table for two"])
def test_a_voice_is_reported_within_three_frames_of_its_beginning(noise_level: int, offset: int, text: str) -> None:
    began = LEAD + offset / RATE
    at, event = listen(placed(say(text), offset), noise_level)[0]
    assert isinstance(event, SpeechStarted)
    assert began < at <= began + 0.062
    assert at - event.ago == pytest.approx(began, abs=0.005)


@LINES
@pytest.mark.parametrize("offset", [0, 41, 97, 159])
def test_silence_is_reported_once_it_has_lasted_and_says_when_the_voice_ended(noise_level: int, offset: int) -> None:
    voice = say("a table for two")
    ended = LEAD + (offset + len(voice)) / RATE
    at, event = listen(placed(voice, offset), noise_level)[-1]
    assert isinstance(event, SpeechPaused)
    assert ended + 0.09 <= at <= ended + 0.12  # a voice that dies away sinks into the noise a little before its end
    assert at - event.ago == pytest.approx(ended, abs=0.01)


@LINES
@pytest.mark.parametrize("seconds", [0.002, 0.01, 0.02, 0.039])
def test_clicks_and_pops_are_no_voice(noise_level: int, seconds: float) -> None:
    for offset in range(0, FRAME_BYTES, 23):
        assert listen(placed(click(seconds, offset), offset), noise_level) == []


@pytest.mark.parametrize("level", [30, 100, 300, 1500])
def test_noise_alone_is_no_voice(level: int) -> None:
    assert listen(noise(10, level)) == []


def test_noise_that_sets_in_during_the_call_becomes_the_lines_own() -> None:
    heard = listen(silence(2) + noise(10, 400) + say("hello") + noise(1, 400))
    assert all(at < 4.0 or at > 12.0 for at, _ in heard)
    assert [type(event) for at, event in heard if at > 12.0] == [SpeechStarted, SpeechPaused]


def test_a_short_gap_inside_a_word_is_no_pause() -> None:
    stop = say("stop") + silence(0.09) + say("over")
    assert [type(event) for _, event in listen(placed(stop, 0))] == [SpeechStarted, SpeechPaused]


def test_two_sentences_are_two_stretches_of_voice() -> None:
    events = [type(event) for _, event in listen(placed(say("Good morning. Is there a table"), 0), OFFICE)]
    assert events == [SpeechStarted, SpeechPaused] * 2


def test_a_cough_is_taken_for_a_voice_and_left_to_the_words_to_judge() -> None:
    assert [type(event) for _, event in listen(placed(cough(), 0))] == [SpeechStarted, SpeechPaused]


def test_speaking_tells_what_was_last_reported() -> None:
    detector = Detector()
    told = []
    sound = placed(say("yes"), 0)
    for start in range(0, len(sound), FRAME_BYTES):
        event = detector.frame(sound[start : start + FRAME_BYTES])
        if event is not None:
            told.append((type(event), detector.speaking))
    assert told == [(SpeechStarted, True), (SpeechPaused, False)]


def test_a_frame_of_another_length_says_nothing_and_harms_nothing() -> None:
    detector = Detector()
    assert detector.frame(b"") is None
    assert detector.frame(say("yes")[:80]) is None
    assert detector.speaking is False


# --- a louder voice over a softer one -------------------------------------------------------------------------------


@pytest.mark.parametrize("decibels", [-30.0, -25.0, -20.0])
@pytest.mark.parametrize("offset", [0, 41, 97, 159])
def test_a_caller_is_heard_over_the_echo_of_our_voice(decibels: float, offset: int) -> None:
    echo = at_level(say("we are open from nine to five on every day of the week", voice="agent"), decibels)
    began = LEAD + 0.6 + offset / RATE
    caller = silence(began) + say("are you open on Sundays")
    line = silence(LEAD) + echo
    sound = mixed(line.ljust(len(caller), SILENCE), caller.ljust(len(line), SILENCE))
    starts = [(at, event.peak) for at, event in listen(sound) if isinstance(event, SpeechStarted)]
    assert all(peak < ECHO_PEAK for at, peak in starts if at <= began)
    at, _ = next((at, peak) for at, peak in starts if peak > ECHO_PEAK)
    assert began < at <= began + 0.082


def test_one_voice_is_reported_once_though_its_syllables_differ() -> None:
    heard = listen(placed(say("a table for two on Sunday at half past seven"), 0))
    assert [type(event) for _, event in heard] == [SpeechStarted, SpeechPaused]


def test_a_start_tells_how_loud_the_voice_is() -> None:
    loud, soft = (listen(placed(at_level(say("yes"), decibels), 0))[0][1] for decibels in (0.0, -20.0))
    assert isinstance(loud, SpeechStarted)
    assert isinstance(soft, SpeechStarted)
    assert loud.peak == pytest.approx(10 * soft.peak, rel=0.2)
