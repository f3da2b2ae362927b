"""The mouth without a vendor, with the real voice: pieces into sound and words, stopped at once, fair between calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.call.actions import Speak
from app.call.agent import Agent
from app.call.events import Metered, Voiced, VoiceEnded, VoiceFailed, Word
from app.mouth.offline import OfflineMouth, OfflineVoices, voice_of
from app.mouth.offline_studio import Order
from tests.mouth.stage import PATIENCE, Call, working

AGENT = Agent("clinic", "Hello.", "")
LONG = "We open at nine and close at five on weekdays, and on Saturdays we are closed. " * 3


@asynccontextmanager
async def speaking(agent: Agent = AGENT) -> AsyncIterator[tuple[Call, OfflineMouth]]:
    voices, call = OfflineVoices.open(), Call()
    mouth = voices.mouth(agent, call.report, call.later)
    async with asyncio.timeout(PATIENCE), working(call, mouth.run):
        yield call, mouth
    await voices.close()


async def test_pieces_become_sound_whose_words_lie_where_they_sound() -> None:
    async with speaking() as (call, mouth):
        mouth.speak(Speak(1, "Hello there, caller. "))
        mouth.speak(Speak(1, "We open at 10:30. "))
        mouth.speak(Speak(1, "", last=True))
        await call.events.first(VoiceEnded)
    assert call.words(1) == "Hello there, caller. We open at 10:30."
    sounds = call.events.of(Voiced)
    words: list[Word] = [word for sound in sounds for word in sound.words]
    seconds = sum(sound.clip.seconds for sound in sounds)
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert words[0].start == 0.0
    assert seconds - 0.1 <= words[-1].end <= seconds + 1e-6
    assert max(sound.clip.seconds for sound in sounds) < 0.6
    heard = 0.0
    for sound in sounds:
        heard += sound.clip.seconds
        assert all(word.end <= heard + 1e-6 for word in sound.words)
    metered = [(event.product, event.unit, event.quantity) for event in call.events.of(Metered)]
    assert metered == [("espeak-ng", "character", "20"), ("espeak-ng", "character", "17")]


async def test_an_empty_last_piece_ends_what_has_been_said_already() -> None:
    async with speaking() as (call, mouth):
        mouth.speak(Speak(1, "Yes."))
        await call.events.until(lambda items: any(isinstance(item, Voiced) and item.words for item in items))
        mouth.speak(Speak(1, "", last=True))
        await call.events.first(VoiceEnded)
    assert call.words(1) == "Yes."


async def test_what_was_stopped_is_not_heard_again() -> None:
    async with speaking() as (call, mouth):
        mouth.speak(Speak(1, LONG, last=True))
        await call.events.first(Voiced)
        mouth.stop(1)
        voiced = len(call.events.of(Voiced))
        mouth.speak(Speak(2, "Yes?", last=True))
        await call.events.first(VoiceEnded)
    assert sum(event.question == 1 for event in call.events.of(Voiced)) == voiced
    assert call.words(2) == "Yes?"
    assert [event.question for event in call.events.of(VoiceEnded)] == [2]


async def test_a_voice_that_is_not_there_is_a_voice_that_failed() -> None:
    async with speaking(Agent("clinic", "Hello.", "", voice="espeak:nobody+f3")) as (call, mouth):
        mouth.speak(Speak(1, "Hello.", last=True))
        failed: VoiceFailed = await call.events.first(VoiceFailed)
    assert failed == VoiceFailed(1, "offline: espeak-ng has no voice 'nobody+f3'", again=False)


async def test_the_end_of_the_call_breaks_off_what_is_being_said() -> None:
    orders: list[Order] = []

    class Slow:
        def take(self, order: Order) -> None:
            orders.append(order)

    call = Call()
    mouth = OfflineMouth(Slow(), AGENT, call.report, call.later)
    async with working(call, mouth.run):
        mouth.speak(Speak(1, "Hello.", last=True))
        await asyncio.sleep(0)
    assert [order.cancelled for order in orders] == [True]


async def test_only_what_cannot_be_spoken_is_told_ahead() -> None:
    voices = OfflineVoices.open()
    assert await voices.render(AGENT) == {}
    wrong = await voices.render(Agent("clinic", "Hello.", "", voice="espeak:nobody"))
    assert wrong == {"Hello.": "offline: espeak-ng has no voice 'nobody'"}
    await voices.close()


def test_every_language_has_its_voice() -> None:
    languages = {"en": "en-us+f3", "en-US": "en-us+f3", "en-GB": "en+f3", "de": "de+f3", "pt-BR": "pt-br+f3"}
    assert {language: voice_of(Agent("a", "", "", language=language)) for language in languages} == languages
