"""What the mouths of all calls of a process share: connections to the vendors, and sound rendered ahead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx
from deepgram import AsyncDeepgramClient
from elevenlabs.client import AsyncElevenLabs

from app.call.agent import Agent
from app.mouth.aura import AuraRequests
from app.mouth.elevenlabs_http import ElevenLabsRequests, elevenlabs_client, open_requests
from app.mouth.mouth import Later, Mouth, Report
from app.mouth.phrases import Phrases
from app.mouth.ways import Way


@dataclass(frozen=True, slots=True)
class Voices:
    """Opened once by whoever builds the house; every call gets its mouth from here."""

    key: str
    url: str
    phrases: Phrases
    requests: httpx.AsyncClient
    client: AsyncElevenLabs
    aura: AsyncDeepgramClient | None
    settings: Mapping[str, Any] | None

    @classmethod
    def open(
        cls,
        key: str,
        url: str = "https://api.elevenlabs.io",
        *,
        aura: AsyncDeepgramClient | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """`aura` is the client of the vendor that speaks when ElevenLabs cannot; `settings` are voice settings."""
        requests = open_requests()
        return cls(key, url, Phrases(), requests, elevenlabs_client(key, url, requests), aura, settings)

    def mouth(self, agent: Agent, report: Report, later: Later) -> Mouth:
        """The mouth of one call."""
        ways: list[Way] = [self._by_request(agent)]
        if self.aura is not None:
            ways.append(AuraRequests(self.aura))
        return Mouth(self.key, self.url, agent, report, later, ways=ways, phrases=self.phrases, settings=self.settings)

    async def render(self, agent: Agent) -> dict[str, str]:
        """Have ready what this agent says without thinking; gives what failed, with the reason. Again is cheap."""
        texts = (agent.greeting, agent.disclosure, *agent.phrases.all())
        return await self.phrases.render(self._by_request(agent), texts)

    async def close(self) -> None:
        await self.requests.aclose()

    def _by_request(self, agent: Agent) -> ElevenLabsRequests:
        return ElevenLabsRequests(self.client, agent.voice, agent.voice_model, agent.language)
