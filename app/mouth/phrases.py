"""Sound rendered ahead, shared by all calls of the process: what every caller is told need not be spoken twice.

The vendor bills it like any other. It is no call's, and yet must stand in somebody's account: the next call with that
voice takes it over.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from contextlib import aclosing

from app.call.events import AHEAD, Event, Metered
from app.errors import VendorError
from app.mouth.elevenlabs_http import ElevenLabsRequests
from app.mouth.ways import Sound

MOST = 2000  # phrases; at two seconds each that is 45 MB
AT_ONCE = 4  # requests; the smaller plans of ElevenLabs allow five, and one must be left for a caller

Key = tuple[str, str, str]


class Phrases:
    """Whole texts by (voice, voice model, text). What has not been asked for the longest leaves first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Key, tuple[Sound, ...]] = OrderedDict()
        self._owed: Counter[tuple[str, str, str]] = Counter()  # characters by vendor, voice and model

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, voice: str, model: str, text: str) -> tuple[Sound, ...] | None:
        key = (voice, model, _same(text))
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, voice: str, model: str, text: str, sounds: Iterable[Sound]) -> None:
        key = (voice, model, _same(text))
        self._kept[key] = tuple(sounds)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def bill(self, vendor: str, voice: str, model: str, report: Callable[[Event], None]) -> None:
        """What was rendered and stands in no account yet stands in this call's from now on."""
        if characters := self._owed.pop((vendor, voice, model), 0):
            report(Metered(vendor, model, "character", str(characters), wasted=AHEAD))

    async def render(self, way: ElevenLabsRequests, texts: Iterable[str]) -> dict[str, str]:
        """Have these texts spoken by this voice and keep them; gives those that failed, each with the reason.

        Texts that are kept already cost nothing, so this may be called as often as an agent is looked at.
        """
        wanted = {_same(text) for text in texts if text.strip()}
        missing = [text for text in sorted(wanted) if (way.voice, way.model, text) not in self._kept]
        failed: dict[str, str] = {}
        room = asyncio.Semaphore(AT_ONCE)

        async def one(text: str) -> None:
            async with room:
                made: list[Sound] = []
                try:
                    async with aclosing(way.speak(text)) as sounds:
                        async for sound in sounds:
                            made.append(sound)
                except VendorError as error:
                    failed[text] = str(error)
                else:
                    self.keep(way.voice, way.model, text, made)
                if made:  # what was refused is not billed
                    self._owed[way.vendor, way.voice, way.model] += len(text)

        async with asyncio.TaskGroup() as group:
            for text in missing:
                group.create_task(one(text))
        return failed


def _same(text: str) -> str:
    """Texts that differ in their spaces alone sound the same."""
    return " ".join(text.split())
