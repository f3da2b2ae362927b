"""What every way of speaking by request promises, kept by each of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import pytest

from app.ears.deepgram import deepgram_client
from app.errors import VendorError
from app.mouth.aura import AuraRequests
from app.mouth.elevenlabs_http import ElevenLabsRequests, elevenlabs_client, open_requests
from app.mouth.ways import Sound, Way
from ops.lab.speech import say
from tests.mouth.vendor import HttpVendor, aura_parts, elevenlabs_parts, on_loopback

TEXT = "We open at nine, and close at five."


@asynccontextmanager
async def elevenlabs(vendor: HttpVendor) -> AsyncIterator[Way]:
    async with on_loopback(vendor), open_requests() as requests:
        yield ElevenLabsRequests(elevenlabs_client("key", vendor.url, requests), "voice", "eleven_flash_v2_5", "en")


@asynccontextmanager
async def aura(vendor: HttpVendor) -> AsyncIterator[Way]:
    async with on_loopback(vendor), open_requests() as requests:
        yield AuraRequests(deepgram_client("key", vendor.url, requests))


EACH = pytest.mark.parametrize(("way", "parts"), [(elevenlabs, elevenlabs_parts), (aura, aura_parts)])
Open = Callable[[HttpVendor], AbstractAsyncContextManager[Way]]
Parts = Callable[[str], list[bytes]]


async def spoken(way: Way, text: str = TEXT) -> list[Sound]:
    return [sound async for sound in way.speak(text)]


@EACH
async def test_a_text_becomes_its_sound_and_all_of_its_words(way: Open, parts: Parts) -> None:
    async with way(HttpVendor(parts(TEXT))) as voice:
        sounds = await spoken(voice)
    heard = b"".join(sound.clip.mulaw() for sound in sounds)
    assert heard.startswith(say(TEXT, voice="agent"))
    assert len(heard) <= len(say(TEXT, voice="agent")) + 3
    words = [word for sound in sounds for word in sound.words]
    assert " ".join(word.text for word in words) == TEXT
    assert words[-1].end <= len(heard) / 8000 + 0.001


@EACH
async def test_sound_is_given_before_all_of_it_is_made(way: Open, parts: Parts) -> None:
    vendor = HttpVendor(parts(TEXT), pause_after=1)
    async with way(vendor) as voice, aclosing(voice.speak(TEXT)) as sounds:
        first = await anext(sounds)
        assert first.clip.seconds > 0
        vendor.go.set()


@EACH
async def test_whoever_has_heard_enough_ends_the_request(way: Open, parts: Parts) -> None:
    vendor = HttpVendor(parts(TEXT), pause_after=1)
    async with way(vendor) as voice:
        async with aclosing(voice.speak(TEXT)) as sounds:
            await anext(sounds)
        assert await vendor.asked[0].hung_up.wait()


@EACH
@pytest.mark.parametrize(("status", "again"), [(401, False), (429, True), (500, True)])
async def test_a_refusal_says_its_status_and_whether_to_try_again(
    way: Open, parts: Parts, status: int, again: bool
) -> None:
    vendor = HttpVendor([b'{"detail":{"status":"no","message":"Not today"}}'], status=status)
    async with way(vendor) as voice:
        with pytest.raises(VendorError, match=str(status)) as failure:
            await spoken(voice)
    assert failure.value.again is again
    assert len(vendor.asked) == 1


@EACH
async def test_a_connection_cut_in_the_middle_is_the_vendors_failure(way: Open, parts: Parts) -> None:
    async with way(HttpVendor(parts(TEXT), cut_after=2)) as voice:
        sounds = voice.speak(TEXT)
        assert (await anext(sounds)).clip.seconds > 0
        with pytest.raises(VendorError, match="the request failed"):
            assert [sound async for sound in sounds]


@EACH
async def test_an_answer_without_a_sound_is_a_failure(way: Open, parts: Parts) -> None:
    async with way(HttpVendor([])) as voice:
        with pytest.raises(VendorError, match="without a sound"):
            await spoken(voice)


@EACH
async def test_a_cancelled_listener_ends_the_request(way: Open, parts: Parts) -> None:
    vendor = HttpVendor(parts(TEXT), pause_after=0)
    async with way(vendor) as voice:
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(spoken(voice))
            await vendor.arrived.wait()
            listening.cancel()
        assert await vendor.asked[0].hung_up.wait()
