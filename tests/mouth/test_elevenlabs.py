"""ElevenLabs' socket: warm before it is needed, left when it is mute, replaced when it breaks, and gone at once."""

import asyncio

from app.call.events import Connected, Metered, Troubled, Voiced, VoiceEnded, VoiceFailed
from app.errors import VendorError
from app.mouth.elevenlabs import ElevenLabsSocket, delay
from app.mouth.elevenlabs_wire import Rest
from tests.mouth.stage import Call, ElevenLabs, News, elevenlabs, working


class Opened:
    """A socket, and the rests that it has given back."""

    def __init__(self, call: Call, vendor: ElevenLabs) -> None:
        self.rests = News()
        self.socket = ElevenLabsSocket(
            "key",
            vendor.url,
            "voice",
            "eleven_flash_v2_5",
            call.report,
            call.later,
            self.rests.add,
            language="en",
            settings={"stability": 0.4},
            clock=call.clock,
        )


async def test_it_is_opened_before_anything_is_to_be_said() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, Opened(call, vendor).socket.run):
        visit = await vendor.visited()
        connected = await call.events.first(Connected)
        assert (connected.vendor, connected.warm) == ("elevenlabs", True)
        assert visit.path == "/v1/text-to-speech/voice/multi-stream-input"
        assert (visit.key, visit.query["output_format"], visit.query["auto_mode"]) == ("key", ["ulaw_8000"], ["true"])


async def test_an_utterance_is_spoken_and_over() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        vendor.speaks = True
        await opened.socket.up.wait()
        opened.socket.speak(7, "We open at nine,", last=False)
        opened.socket.speak(7, "always.", last=True)
        assert await call.events.first(VoiceEnded) == VoiceEnded(7)
        assert call.words(7) == "We open at nine, always."
        assert (await vendor.was_told(text=" "))["voice_settings"] == {"stability": 0.4}
        assert sum(int(meter.quantity) for meter in call.events.of(Metered)) == len("We open at nine, always. ")


async def test_what_comes_late_for_a_stopped_utterance_is_dropped() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        visit = await vendor.visited()
        await opened.socket.up.wait()
        opened.socket.speak(7, "We open at nine.", last=True)
        await visit.voice("7-1", "We open ")
        await call.events.first(Voiced)
        opened.socket.stop(7)
        await vendor.was_told(context_id="7-1", close_context=True)
        await visit.voice("7-1", "at nine.")
        await visit.final("7-1")
        opened.socket.speak(8, "Sorry?", last=True)
        await visit.voice("8-2", "Sorry?")
        await call.events.first(Voiced, 2)
        assert [event.question for event in call.events.of(Voiced)] == [7, 8]


async def test_a_broken_socket_gives_back_what_was_not_voiced_and_is_opened_again() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        visit = await vendor.visited()
        await opened.socket.up.wait()
        opened.socket.speak(7, "We open at nine.", last=True)
        await visit.voice("7-1", "We open ")
        sounded = (await call.events.first(Voiced)).clip.seconds
        visit.connection.transport.abort()
        assert await opened.rests.first(Rest) == Rest(7, "at nine.", True, sounded)
        await vendor.visited(2)
        await call.events.first(Connected, 2)
        assert opened.socket.up.is_set()


async def test_a_mute_vendor_is_left_and_the_utterance_has_failed() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        await opened.socket.up.wait()
        opened.socket.speak(7, "Hello.", last=True)
        call.now += 5.0
        assert (await call.events.first(VoiceFailed)).question == 7
        await vendor.visited(2)


async def test_a_socket_that_nobody_wanted_to_wait_for_is_replaced() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        await opened.socket.up.wait()
        opened.socket.speak(7, "Hello.", last=True)
        call.now += 1.5
        opened.socket.stop(7)
        assert not opened.socket.up.is_set()
        await vendor.visited(2)
        await opened.socket.up.wait()


async def test_too_many_contexts_by_the_vendors_count_get_a_new_socket() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        visit = await vendor.visited()
        await opened.socket.up.wait()
        opened.socket.speak(7, "Hello.", last=True)
        await vendor.was_told(context_id="7-1", flush=True)
        await visit.say(error="max_active_conversations", message="Five are enough.", code=1008)
        assert await opened.rests.first(Rest) == Rest(7, "Hello.", True, 0.0)
        assert "max_active_conversations: Five are enough." in (await call.events.first(Troubled)).what
        await vendor.visited(2)


async def test_a_refused_key_is_told_and_leaves_no_hope() -> None:
    call = Call()
    async with elevenlabs(401) as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        assert (await call.events.first(Troubled)).what == "elevenlabs: refused with status 401: no"
        assert not opened.socket.up.is_set()
        assert not opened.socket.hopeful


async def test_a_vendor_without_room_is_asked_again_at_once_and_then_more_slowly() -> None:
    call = Call()
    async with elevenlabs(429, 503) as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        await call.events.first(Troubled)
        assert opened.socket.hopeful
        await call.events.first(Troubled, 2)
        assert not opened.socket.hopeful
        await opened.socket.up.wait()
        assert opened.socket.hopeful


def test_the_first_attempt_comes_at_once_and_the_next_ones_later_and_later() -> None:
    broken, refused = VendorError("elevenlabs", "broken"), VendorError("elevenlabs", "no such key", again=False)
    assert [delay(broken, failures) for failures in (0, 1, 2, 5, 6, 99)] == [0.0, 0.1, 0.2, 1.6, 3.0, 3.0]
    assert delay(refused, 0) == 10.0


async def test_a_slow_goodbye_does_not_hold_up_the_end_of_a_call() -> None:
    call = Call()
    async with elevenlabs() as vendor:
        opened = Opened(call, vendor)
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(opened.socket.run())
            visit = await vendor.visited()
            await opened.socket.up.wait()
            visit.connection.transport.pause_reading()
            began = asyncio.get_running_loop().time()
            work.cancel()
        assert asyncio.get_running_loop().time() - began < 0.1
        assert opened.rests.items == []
        visit.connection.transport.resume_reading()
        for goodbye in call.goodbyes:
            await goodbye


async def test_a_message_that_is_no_json_is_kept_for_the_trace() -> None:
    call = Call()
    async with elevenlabs() as vendor, working(call, (opened := Opened(call, vendor)).socket.run):
        visit = await vendor.visited()
        await opened.socket.up.wait()
        await visit.connection.send("<html>")
        await visit.connection.send("[]")
        assert (await call.events.first(Troubled)).details == {"message": "<html>"}
