"""Anthropic's own SDK, led to the lab."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anthropic import AsyncAnthropic, AsyncStream
from anthropic.types import RawMessageStreamEvent

from ops.lab.vendors import Lab


def anthropic(lab: Lab, key: str = "K") -> AsyncAnthropic:
    return AsyncAnthropic(api_key=key, base_url=lab.url, max_retries=0)


async def ask(lab: Lab, text: str, **more: Any) -> Any:
    async with anthropic(lab) as client:
        return await client.messages.create(
            model="claude-haiku-4-5", max_tokens=200, messages=[{"role": "user", "content": text}], **more
        )


@asynccontextmanager
async def answer_to(lab: Lab, text: str) -> AsyncIterator[AsyncStream[RawMessageStreamEvent]]:
    async with anthropic(lab) as client:
        yield await client.messages.create(
            model="claude-haiku-4-5", max_tokens=200, messages=[{"role": "user", "content": text}], stream=True
        )
