"""The mouth that speaks through a server of one's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.call.actions import Speak
from app.call.agent import Agent
from app.call.events import Metered, Voiced, VoiceEnded, VoiceFailed
from app.mouth.local_mouth import LocalMouth, LocalVoices
from ops.lab.audio_api import AudioApi, audio_api
from ops.lab.profile import Fault
from tests.mouth.stage import PATIENCE, Call, working

AGENT = Agent("clinic", "This is the clinic.", "", voice="local:af_heart")


@asynccontextmanager
async def speaking(agent: Agent = AGENT) -> AsyncIterator[tuple[AudioApi, LocalVoices, Call, LocalMouth]]:
    call = Call()
    async with asyncio.timeout(PATIENCE), audio_api() as api:
        voices = LocalVoices.open(api.url)
        mouth = voices.mouth(agent, call.report, call.later)
        async with working(call, mouth.run):
            await asyncio.sleep(0)
            yield api, voices, call, mouth
        await voices.close()


async def test_pieces_are_spoken_in_their_order_and_their_words_follow_each_other() -> None:
    async with speaking() as (api, _, call, mouth):
        mouth.speak(Speak(1, "We open at nine. "))
        mouth.speak(Speak(1, "We close at five. "))
        mouth.speak(Speak(1, "", last=True))
        await call.events.first(VoiceEnded)
        assert {asked["voice"] for asked in api.said} == {"af_heart"}
    assert call.words(1) == "We open at nine. We close at five."
    starts = [word.start for sound in call.events.of(Voiced) for word in sound.words]
    assert starts == sorted(starts)
    assert sum(int(cost.quantity) for cost in call.events.of(Metered)) in (33, 34)
    assert {(cost.vendor, cost.product) for cost in call.events.of(Metered)} == {("local", "tts-1")}


async def test_what_was_rendered_ahead_is_voiced_at_once_and_asked_for_once() -> None:
    async with speaking() as (api, voices, call, mouth):
        assert await voices.render(AGENT) == {}
        asked = len(api.said)
        mouth.speak(Speak(1, AGENT.greeting, last=True))
        assert call.words(1) == AGENT.greeting
        assert call.events.of(VoiceEnded) == [VoiceEnded(1)]
        assert await voices.render(AGENT) == {}
        assert len(api.said) == asked
    [cost] = call.events.of(Metered)
    assert (cost.quantity, cost.wasted) == (str(sum(len(spoken["input"]) for spoken in api.said)), "rendered ahead")


async def test_a_stopped_utterance_ends_its_request() -> None:
    async with speaking() as (api, _, call, mouth):
        mouth.speak(Speak(1, "This goes on and on. " * 20, last=True))
        await call.events.first(Voiced)
        mouth.stop(1)
        voiced = len(call.events.items)
        mouth.speak(Speak(2, "Yes?", last=True))
        await call.events.first(VoiceEnded)
        assert api.cancelled == 1
    assert {event.question for event in call.events.items[voiced:]} == {2}


async def test_a_server_that_fails_is_a_voice_that_failed() -> None:
    async with speaking() as (api, _, call, mouth):
        api.faults.add(Fault("local", "refuse", status=503))
        mouth.speak(Speak(1, "Hello.", last=True))
        failed: VoiceFailed = await call.events.first(VoiceFailed)
    assert failed == VoiceFailed(1, "local: refused to speak with status 503")
    assert call.events.of(Metered) == []


async def test_an_agent_without_a_voice_of_the_servers_gets_the_usual_one() -> None:
    async with speaking(Agent("clinic", "Hello.", "")) as (api, _, call, mouth):
        mouth.speak(Speak(1, "Hello.", last=True))
        await call.events.first(VoiceEnded)
        assert [asked["voice"] for asked in api.said] == ["alloy"]


async def test_what_was_ordered_before_the_call_ran_is_spoken_when_it_does() -> None:
    call = Call()
    async with asyncio.timeout(PATIENCE), audio_api() as api:
        voices = LocalVoices.open(api.url)
        mouth = voices.mouth(AGENT, call.report, call.later)
        mouth.speak(Speak(1, "Hello.", last=True))
        async with working(call, mouth.run):
            await call.events.first(VoiceEnded)
        await voices.close()
    assert call.words(1) == "Hello."
