"""What the ways of speaking have in common: a text becomes pieces of sound, each with the words that end in it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from app.audio import Clip
from app.call.events import Word


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of sound; the times of its words count from the beginning of the text."""

    clip: Clip
    words: tuple[Word, ...] = ()


class Way(Protocol):
    """One vendor's way of turning a text into sound by a request. Closing the generator ends the request."""

    vendor: str
    model: str

    def speak(self, text: str, before: str = "") -> AsyncGenerator[Sound, None]:
        """Raises VendorError. `before` is what was said until now, so that the voice goes on where it was."""
        ...
