"""From a recipe to sound: speech with pauses, coughs, doors, voices in the room, and what a microphone makes of them.

A recipe is read aloud: "When are you | 0.5 | open?" is speech, half a second of quiet, speech. What stands in brackets
is a sound without words: (cough), (door), (click), (bark), (side 2.0), (hiss 3.0 600). Nothing here waits.
"""

import math
import random
import re
import warnings
from array import array
from collections.abc import Callable
from functools import lru_cache

from ops.lab.speech import RATE, cough, noise, say, silence, to_linear, to_mulaw

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the standard module until 3.12, audioop-lts after it
    import audioop

_BRACKETS = re.compile(r"\((\w+)((?: [\d.]+)*)\)")
_SIDE_DB = -15.0  # somebody two metres behind the telephone
_LOW_BITS = bytes(byte & 1 for byte in range(256))
_HIGH_BITS = bytes(byte & 0xFE for byte in range(256))
_GIBBERISH = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore"
)


class RecipeError(ValueError):
    """A recipe that cannot be cooked; the text says what is wrong."""


def sound_of(recipe: str, *, pace: float = 1.0, decibels: float = 0.0) -> bytes:
    """The sound of a recipe, from its first sample to its last."""
    pieces = [_piece(part.strip(), pace) for part in recipe.split("|")]
    return at_level(b"".join(pieces), decibels)


def moments(recipe: str, *, pace: float = 1.0) -> list[tuple[float, float]]:
    """When each sound of a recipe begins and ends, in seconds from its beginning; quiet is no sound."""
    at, found = 0.0, []
    for part in (part.strip() for part in recipe.split("|")):
        seconds = len(_piece(part, pace)) / RATE
        if seconds and not _is_number(part):
            found.append((at, at + seconds))
        at += seconds
    return found


def mixed(voice: bytes, *others: bytes) -> bytes:
    """Several sounds in one microphone; the words of the first one can still be read, those of the others cannot."""
    total = to_linear(voice)
    for sound in others:
        total = audioop.add(total, to_linear(sound), 2)
    return _spelling(to_mulaw(total), voice)


def at_level(sound: bytes, decibels: float) -> bytes:
    """The same words, louder or softer."""
    return sound if not decibels else _spelling(_scaled(sound, decibels), sound)


def wordless(sound: bytes, decibels: float = 0.0) -> bytes:
    """The same sound, louder or softer, in which no word can be read."""
    return _spelling(_scaled(sound, decibels), silence(len(sound) / RATE))


def _scaled(sound: bytes, decibels: float) -> bytes:
    return to_mulaw(audioop.mul(to_linear(sound), 2, 10 ** (decibels / 20)))


def _spelling(sound: bytes, words: bytes) -> bytes:
    """A sound whose lowest bits are those of another one, in which words are spelled. 0x7F would not survive."""
    high = int.from_bytes(sound.translate(_HIGH_BITS))
    low = int.from_bytes(words[: len(sound)].translate(_LOW_BITS))
    return (high | low).to_bytes(len(sound)).replace(b"\x7f", b"\x7d")


# --- one piece of a recipe ------------------------------------------------------------------------------------------


def _piece(part: str, pace: float) -> bytes:
    if not part:
        return b""
    if _is_number(part):
        return silence(float(part))
    if "(" not in part:
        return say(part, pace=pace)
    if not (found := _BRACKETS.fullmatch(part)):
        raise RecipeError(f"{part!r}: in brackets stands a sound and its numbers, and nothing beside them")
    name, numbers = found[1], [float(number) for number in found[2].split()]
    if name not in _SOUNDS:
        raise RecipeError(f"({name}) is no sound; there are {', '.join(_SOUNDS)}")
    return _SOUNDS[name](*numbers)


def _is_number(part: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", part) is not None


@lru_cache(16)
def door(seconds: float = 0.3) -> bytes:
    """A door that falls shut: a thump of low tones that dies away, and the rattle of its lock."""
    chance = random.Random(3)
    sound = array("h", bytes(2 * round(seconds * RATE)))
    for n in range(len(sound)):
        at = n / RATE
        thump = sum(math.sin(2 * math.pi * tone * at + tone) for tone in (70, 110, 165, 310)) * math.exp(-14 * at)
        rattle = chance.uniform(-1, 1) * (math.exp(-60 * at) + 0.4 * math.exp(-40 * abs(at - 0.12)))
        sound[n] = int(max(-1.0, min(1.0, thump / 4 + rattle / 2)) * 16000)
    return wordless(to_mulaw(sound.tobytes()))


def click(seconds: float = 0.015) -> bytes:
    """A key of a keyboard, a pen on a table."""
    return noise(seconds, 6000, seed=1)


def bark() -> bytes:
    """A dog, once: a fifth of a second that sounds like a voice."""
    return wordless(say("ow", pace=1.0), 3.0)


def side(seconds: float = 1.0, decibels: float = _SIDE_DB) -> bytes:
    """Somebody else in the room, too far away to be understood."""
    pitch_up = say(_GIBBERISH, voice="agent", pace=1.1)
    return wordless(pitch_up[: round(seconds * RATE)], decibels)


_SOUNDS: dict[str, Callable[..., bytes]] = {
    "cough": cough,
    "door": door,
    "click": click,
    "bark": bark,
    "side": side,
    "hiss": lambda seconds, level: noise(seconds, level, seed=2),
}
