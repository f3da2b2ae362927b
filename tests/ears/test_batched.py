"""Ears that are a speech server: real requests to the lab's, real seconds, few of them."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from app.audio import FRAME_BYTES, RATE, silence, to_linear
from app.call.agent import Agent
from app.call.events import EarsBack, EarsLost, Metered, SpeechEnded, WordsHeard
from app.ears.batched import BatchedEars, open_requests, recording
from ops.lab.audio_api import AudioApi, audio_api
from ops.lab.profile import REFERENCE, Fault, Spread
from ops.lab.speech import say
from tests.mouth.stage import Call, working

AGENT = Agent("clinic", "Hello.", "", language="en-GB")
SENTENCE = "I would like to book an appointment, please."
SOON = replace(REFERENCE, transcript_lag=Spread(0.001))


@asynccontextmanager
async def hearing(api: AudioApi, key: str = "") -> AsyncIterator[tuple[Call, BatchedEars]]:
    call = Call()
    async with asyncio.timeout(10), open_requests(key) as requests:
        ears = BatchedEars(requests, f"{api.url}/v1/", AGENT, call.report, call.later)
        async with working(call, ears.run):
            await asyncio.sleep(0)
            yield call, ears


async def listen(ears: BatchedEars, sound: bytes) -> None:
    """All of the sound as fast as it can be heard, with room for others in between."""
    for at in range(0, len(sound) - FRAME_BYTES + 1, FRAME_BYTES):
        ears.hear(sound[at : at + FRAME_BYTES])
        await asyncio.sleep(0.001)


async def test_an_utterance_is_one_request_and_its_words_are_the_caller_s() -> None:
    async with audio_api(SOON) as api, hearing(api) as (call, ears):
        await listen(ears, silence(0.6) + say(SENTENCE) + silence(0.7))
        assert await call.events.first(SpeechEnded) == SpeechEnded(SENTENCE)
        assert api.heard[-1] == SENTENCE
    metered = call.events.of(Metered)
    assert {(cost.vendor, cost.product, cost.unit) for cost in metered} == {("local", "whisper-1", "second")}


async def test_words_come_on_the_way_so_that_somebody_can_interrupt() -> None:
    async with audio_api(SOON) as api, hearing(api) as (call, ears):
        await listen(ears, silence(0.6) + say(SENTENCE))
        first: WordsHeard = await call.events.first(WordsHeard)
        assert SENTENCE.startswith(first.text)
        assert not first.settled
        assert call.events.of(SpeechEnded) == []


async def test_a_pause_settles_the_words_before_the_utterance_is_over() -> None:
    async with audio_api(SOON) as api, hearing(api) as (call, ears):
        await listen(ears, silence(0.6) + say(SENTENCE) + silence(0.2))
        ears.settle()
        await call.events.until(lambda items: WordsHeard(SENTENCE, settled=True) in items)
        assert call.events.of(SpeechEnded) == []
        asked = len(api.heard)
        await listen(ears, silence(0.5))
        assert await call.events.first(SpeechEnded) == SpeechEnded(SENTENCE)
        assert len(api.heard) == asked


async def test_who_goes_on_after_a_pause_is_asked_about_again() -> None:
    slow = replace(REFERENCE, transcript_lag=Spread(0.2))
    async with audio_api(slow) as api, hearing(api) as (call, ears):
        await listen(ears, silence(0.6) + say("I would like") + silence(0.2))
        ears.settle()
        await listen(ears, say("an appointment.") + silence(0.7))
        assert await call.events.first(SpeechEnded) == SpeechEnded("I would like an appointment.")


async def test_a_request_that_fails_is_made_once_more() -> None:
    async with audio_api(SOON) as api, hearing(api) as (call, ears):
        api.faults.add(Fault("local", "refuse", status=503))
        await listen(ears, silence(0.6) + say("Yes.") + silence(0.7))
        assert await call.events.first(SpeechEnded) == SpeechEnded("Yes.")
    assert call.events.of(EarsLost) == []


async def test_a_server_that_is_away_is_told_and_so_is_its_return() -> None:
    async with audio_api(SOON) as api, hearing(api) as (call, ears):
        api.faults.add(Fault("local", "refuse", status=503, times=2))
        await listen(ears, silence(0.6) + say("Yes.") + silence(0.7))
        lost: EarsLost = await call.events.first(EarsLost)
        assert lost.why == "local: refused to transcribe with status 503"
        await listen(ears, say("No.") + silence(0.7))
        await call.events.until(lambda items: SpeechEnded("No.") in items)
    assert call.events.of(EarsBack) == [EarsBack()]


async def test_a_key_that_is_refused_is_not_tried_again() -> None:
    async with audio_api(SOON) as api, hearing(api, key="wrong") as (call, ears):
        await listen(ears, silence(0.6) + say("Yes.") + silence(0.7))
        lost: EarsLost = await call.events.first(EarsLost)
        assert lost.why == "local: refused to transcribe with status 401"
        assert len(call.events.of(Metered)) == 1


@pytest.mark.parametrize("rate", [16000])
def test_a_recording_has_every_sample_of_the_caller(rate: int) -> None:
    sound = say("Yes.")
    with wave.open(io.BytesIO(recording(sound))) as read:
        assert (read.getframerate(), read.getnchannels(), read.getsampwidth()) == (rate, 1, 2)
        frames = read.readframes(read.getnframes())
    assert len(frames) == pytest.approx(4 * len(sound), abs=4)
    assert b"".join(frames[at : at + 2] for at in range(0, len(frames), 4)) == to_linear(sound)
    assert len(sound) / RATE == pytest.approx(len(frames) / 2 / rate, abs=0.001)
