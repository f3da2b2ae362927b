"""What the mouths of all calls share."""

from app.call.actions import Speak
from app.call.agent import Agent, Phrases
from app.call.events import Event, VoiceEnded
from app.mouth.voices import Voices
from tests.mouth.vendor import HttpVendor, elevenlabs_parts, on_loopback


async def test_what_is_rendered_for_an_agent_is_spoken_by_every_mouth_at_once() -> None:
    agent = Agent("desk", "Good morning.", "Be kind.", disclosure="This call is recorded.")
    vendor = HttpVendor(elevenlabs_parts("Good morning."))
    async with on_loopback(vendor):
        voices = Voices.open("key", vendor.url)
        assert await voices.render(agent) == {}
        assert await voices.render(agent) == {}
        await voices.close()
    rendered = {request.body["text"] for request in vendor.asked}
    assert rendered == {agent.greeting, agent.disclosure, *Phrases().all()}
    assert len(vendor.asked) == len(rendered)
    told: list[Event] = []
    mouth = voices.mouth(agent, told.append, lambda goodbye: None)
    mouth.speak(Speak(1, "Good morning.", last=True))
    assert told[-1] == VoiceEnded(1)


async def test_what_cannot_be_rendered_is_named_with_the_reason() -> None:
    vendor = HttpVendor([b"{}"], status=401)
    async with on_loopback(vendor):
        voices = Voices.open("key", vendor.url)
        failed = await voices.render(Agent("desk", "Good morning.", "Be kind."))
        await voices.close()
    assert "status 401" in failed["Good morning."]
