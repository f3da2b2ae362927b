"""The mouth of a call: which way an utterance takes, and how it goes on when that way ends."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import pairwise

from app.audio import Clip
from app.call.actions import Speak
from app.call.agent import Agent
from app.call.events import Connected, Metered, Troubled, Voiced, VoiceEnded, VoiceFailed
from app.errors import VendorError
from app.mouth.mouth import Mouth
from app.mouth.phrases import Phrases
from app.mouth.ways import Sound
from app.mouth.words import spread
from ops.lab.speech import say
from tests.mouth.stage import Call, ElevenLabs, elevenlabs, working

AGENT = Agent("desk", "Good morning.", "Be kind.")


class Singer:
    """A way by request: a word a sound, breaking off after so many words, or with nothing to give at all."""

    def __init__(self, vendor: str = "elevenlabs", *, breaks_after: int | None = None, mute: bool = False) -> None:
        self.vendor = vendor
        self.model = f"{vendor}-model"
        self.asked: list[tuple[str, str]] = []
        self.begun = asyncio.Event()
        self.ended = 0
        self._breaks_after = breaks_after
        self._mute = mute

    async def speak(self, text: str, before: str = "") -> AsyncGenerator[Sound, None]:
        self.asked.append((text, before))
        self.begun.set()
        try:
            if self._mute:
                await asyncio.Event().wait()
            at = 0.0
            for number, word in enumerate(text.split()):
                if number == self._breaks_after:
                    raise VendorError(self.vendor, "lost its voice")
                clip = Clip.of(say(word, voice="agent"))
                yield Sound(clip, tuple(spread([word], at, at + clip.seconds)))
                at += clip.seconds
        finally:
            self.ended += 1


def mouth(call: Call, vendor: ElevenLabs, *ways: Singer, phrases: Phrases | None = None) -> Mouth:
    kept = phrases if phrases is not None else Phrases()
    return Mouth("key", vendor.url, AGENT, call.report, call.later, ways=ways, phrases=kept, clock=call.clock)


async def test_an_utterance_goes_over_the_socket_when_it_stands() -> None:
    call, singer = Call(), Singer()
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, singer)).run):
        vendor.speaks = True
        await call.events.first(Connected)
        agent.speak(Speak(1, "We open at nine,"))
        agent.speak(Speak(1, "always."))
        agent.speak(Speak(1, "", last=True))
        await call.events.first(VoiceEnded)
        assert call.words(1) == "We open at nine, always."
        assert singer.asked == []


async def test_an_order_that_comes_during_the_handshake_waits_for_it() -> None:
    call, singer = Call(), Singer()
    async with elevenlabs() as vendor:
        vendor.speaks = True
        agent = mouth(call, vendor, singer)
        agent.speak(Speak(1, "Good morning."))
        async with working(call, agent.run):
            agent.speak(Speak(1, "Hello.", last=True))
            await call.events.first(VoiceEnded)
            assert call.words(1) == "Good morning. Hello."
            assert singer.asked == []
            assert not (await call.events.first(Connected)).warm


async def test_without_a_socket_every_piece_is_spoken_by_request() -> None:
    call, singer = Call(), Singer()
    async with elevenlabs(401) as vendor, working(call, (agent := mouth(call, vendor, singer)).run):
        await call.events.first(Troubled)
        agent.speak(Speak(1, "We open at nine,"))
        await call.events.first(Voiced, 4)
        agent.speak(Speak(1, "always.", last=True))
        await call.events.first(VoiceEnded)
        assert singer.asked == [("We open at nine,", ""), ("always.", "We open at nine,")]
        words = [word for event in call.events.of(Voiced) for word in event.words]
        assert " ".join(word.text for word in words) == "We open at nine, always."
        assert all(one.end <= other.start + 1e-9 for one, other in pairwise(words))
        assert [(meter.product, meter.quantity) for meter in call.events.of(Metered)] == [
            ("elevenlabs-model", "16"),
            ("elevenlabs-model", "7"),
        ]


async def test_a_second_try_does_not_take_the_socket() -> None:
    call, singer = Call(), Singer()
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, singer)).run):
        await call.events.first(Connected)
        agent.speak(Speak(1, "Good morning.", last=True, fallback=True))
        await call.events.first(VoiceEnded)
        assert singer.asked == [("Good morning.", "")]
        assert vendor.received.items == []


async def test_what_a_broken_socket_left_unsaid_is_said_from_that_word_on() -> None:
    call, singer = Call(), Singer()
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, singer)).run):
        visit = await vendor.visited()
        await call.events.first(Connected)
        agent.speak(Speak(1, "We open at nine, always.", last=True))
        await visit.voice("1-1", "We open ")
        sounded = (await call.events.first(Voiced)).clip.seconds
        vendor.refusals.extend([503, 503, 503])
        visit.connection.transport.abort()
        await call.events.first(VoiceEnded)
        assert singer.asked == [("at nine, always.", "")]
        assert call.words(1) == "We open at nine, always."
        resumed = call.events.of(Voiced)[1].words[0]
        assert (resumed.text, resumed.start) == ("at", sounded)


async def test_a_socket_that_is_back_in_time_takes_what_is_left() -> None:
    call, singer = Call(), Singer()
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, singer)).run):
        visit = await vendor.visited()
        await call.events.first(Connected)
        agent.speak(Speak(1, "We open at nine, always.", last=True))
        await visit.voice("1-1", "We open ")
        await call.events.first(Voiced)
        vendor.speaks = True
        visit.connection.transport.abort()
        await call.events.first(VoiceEnded)
        assert (await vendor.visited(2)).text("1-1") == "at nine, always."
        assert call.words(1) == "We open at nine, always."
        assert singer.asked == []


async def test_another_vendor_speaks_when_the_first_one_cannot() -> None:
    call, first, second = Call(), Singer(breaks_after=0), Singer("deepgram")
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, first, second)).run):
        agent.speak(Speak(1, "Good morning.", last=True, fallback=True))
        await call.events.first(VoiceEnded)
        assert second.asked == [("Good morning.", "")]
        assert [meter.vendor for meter in call.events.of(Metered)] == ["deepgram"]


async def test_another_vendor_goes_on_with_the_word_at_which_the_first_one_broke_off() -> None:
    call, first, second = Call(), Singer(breaks_after=2), Singer("deepgram")
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, first, second)).run):
        agent.speak(Speak(1, "We open at nine.", last=True, fallback=True))
        await call.events.first(VoiceEnded)
        assert second.asked == [("at nine.", "")]
        assert call.words(1) == "We open at nine."
        assert [(meter.vendor, meter.quantity) for meter in call.events.of(Metered)] == [
            ("elevenlabs", "16"),
            ("deepgram", "8"),
        ]


async def test_a_way_that_gives_no_sound_is_given_up_in_good_time() -> None:
    call, first, second = Call(), Singer(mute=True), Singer("deepgram")
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, first, second)).run):
        agent.speak(Speak(1, "Good morning.", last=True, fallback=True))
        await call.events.first(VoiceEnded)
        assert first.ended == 1
        assert "no sound came within 1.2 s" in call.events.of(Troubled)[0].what


async def test_when_no_way_is_left_the_utterance_has_failed() -> None:
    call, first, second = Call(), Singer(breaks_after=0), Singer("deepgram", breaks_after=1)
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, first, second)).run):
        agent.speak(Speak(1, "Good morning.", last=True, fallback=True))
        failed = await call.events.first(VoiceFailed)
        assert (failed.question, failed.why, failed.again) == (1, "deepgram: lost its voice", True)


async def test_a_stopped_request_is_ended_and_metered() -> None:
    call, singer = Call(), Singer(mute=True)
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, singer)).run):
        agent.speak(Speak(1, "Good morning.", last=True, fallback=True))
        await singer.begun.wait()
        agent.stop(1)
        assert (await call.events.first(Metered)).quantity == "13"
        assert singer.ended == 1
        assert call.events.of(VoiceEnded) == []


async def test_a_stopped_utterance_is_silent_on_the_socket_too() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, Singer())).run):
        visit = await vendor.visited()
        await call.events.first(Connected)
        agent.speak(Speak(1, "Good morning.", last=True))
        await vendor.was_told(context_id="1-1", flush=True)
        agent.stop(1)
        agent.stop(1)
        await visit.voice("1-1", "Good morning.")
        agent.speak(Speak(2, "Sorry?", last=True))
        await visit.voice("2-2", "Sorry?")
        assert (await call.events.first(Voiced)).question == 2


async def test_what_was_rendered_ahead_is_voiced_before_speak_returns() -> None:
    call, phrases, sound = Call(), Phrases(), Sound(Clip.of(say("hello", voice="agent")))
    phrases.keep(AGENT.voice, AGENT.voice_model, "Good morning.", [sound, sound])
    agent = mouth(call, ElevenLabs(), phrases=phrases)
    agent.speak(Speak(1, "Good morning.", last=True))
    assert call.events.items == [
        Metered("elevenlabs", "eleven_flash_v2_5", "character", "0", question=1),
        Voiced(1, sound.clip),
        Voiced(1, sound.clip),
        VoiceEnded(1),
    ]


class Rendering(Phrases):
    """As if so many characters had been rendered and nobody had paid."""

    def owe(self, characters: int) -> None:
        self._owed["elevenlabs", AGENT.voice, AGENT.voice_model] += characters


async def test_what_was_rendered_ahead_is_paid_by_one_call_when_it_begins_or_ends() -> None:
    phrases, paid = Rendering(), []
    phrases.owe(13)
    async with elevenlabs() as vendor:
        for applied_meanwhile in (0, 0, 7):
            call = Call()
            async with working(call, mouth(call, vendor, phrases=phrases).run):
                await call.events.first(Connected)
                phrases.owe(applied_meanwhile)
            paid.append([(cost.quantity, cost.question, cost.wasted) for cost in call.events.of(Metered)])
    assert paid == [[("13", None, "rendered ahead")], [], [("7", None, "rendered ahead")]]


async def test_a_whole_text_spoken_once_over_the_socket_is_kept_for_all_calls() -> None:
    call, phrases = Call(), Phrases()
    async with elevenlabs() as vendor, working(call, (agent := mouth(call, vendor, phrases=phrases)).run):
        vendor.speaks = True
        await call.events.first(Connected)
        agent.speak(Speak(1, "Good morning.", last=True))
        await call.events.first(VoiceEnded)
        agent.speak(Speak(2, "Good morning.", last=True))
        assert call.events.items[-1] == VoiceEnded(2)
        assert call.words(2) == call.words(1) == "Good morning."
        assert call.events.of(Voiced)[0].clip == call.events.of(Voiced)[-1].clip


async def test_what_another_vendor_said_is_not_kept_as_the_agents_voice() -> None:
    call, phrases, second = Call(), Phrases(), Singer("deepgram")
    async with elevenlabs(401) as vendor:
        agent = mouth(call, vendor, Singer(breaks_after=0), second, phrases=phrases)
        async with working(call, agent.run):
            await call.events.first(Troubled)
            agent.speak(Speak(1, "Good morning.", last=True))
            await call.events.first(VoiceEnded)
    assert second.asked
    assert len(phrases) == 0


async def test_the_end_of_a_call_ends_every_request() -> None:
    call, singer = Call(), Singer(mute=True)
    async with elevenlabs() as vendor:
        agent = mouth(call, vendor, singer)
        async with working(call, agent.run):
            await call.events.first(Connected)
            agent.speak(Speak(1, "Good morning.", last=True, fallback=True))
            await singer.begun.wait()
        assert singer.ended == 1
        agent.speak(Speak(2, "Anybody there?", last=True))
        assert call.events.of(VoiceEnded) == []
