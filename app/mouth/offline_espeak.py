"""espeak-ng through ctypes: text in, 16-bit sound and the places of its words out, in its own time.

The library has one global state: whoever speaks holds its lock for one text. A text is said some 500 times faster than
it sounds. Everything here blocks; it belongs on a thread of its own.
"""

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from app.errors import VendorError
from app.mouth.offline_recital import Place

VENDOR = "offline"
PRODUCT = "espeak-ng"

_SYNCHRONOUS = 2  # sound goes to the callback, within the call that asks for it
_BUFFER_MILLISECONDS = 60  # of sound in each callback: how soon a cancelled text stops
_UTF8 = 1
_RATE_PARAMETER = 1
_WORD, _END = 1, 5
_STOP, _GO_ON = 1, 0


Take = Callable[[bytes, list[Place]], bool]
"""Given each piece of sound and the places it holds; says whether more is wanted."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The library, loaded. There is one for the process: get it by `espeak()`."""

    def __init__(self) -> None:
        try:
            loader = import_module("espeakng_loader")  # in an extra, so it may be missing
        except ImportError:
            raise VendorError(VENDOR, "espeak-ng is missing: install the extra named offline", again=False) from None
        library = ctypes.CDLL(loader.get_library_path())
        self.rate: int = library.espeak_Initialize(
            _SYNCHRONOUS, _BUFFER_MILLISECONDS, loader.get_data_path().encode(), 0
        )
        if self.rate <= 0:
            raise VendorError(VENDOR, "espeak-ng finds none of its voices", again=False)
        self._callback = _Callback(self._called)  # kept here: the library has only its address
        library.espeak_SetSynthCallback(self._callback)
        self._library = library
        self._lock = threading.Lock()
        self._take: Take = lambda sound, places: False

    def say(self, text: str, voice: str, words_per_minute: int, take: Take) -> None:
        """Returns when all has been said, or nobody wanted more of it. Raises VendorError."""
        with self._lock:
            if self._library.espeak_SetVoiceByName(voice.encode()):
                raise VendorError(VENDOR, f"espeak-ng has no voice {voice!r}", again=False)
            self._library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)
            self._take = take
            told = text.encode()
            failed = self._library.espeak_Synth(told, ctypes.c_size_t(len(told) + 1), 0, 1, 0, _UTF8, None, None)
            if failed:
                raise VendorError(VENDOR, f"espeak-ng failed with {failed}")

    def _called(self, sound: Any, samples: int, events: Any) -> int:
        places: list[Place] = []
        for n in range(1000):
            event = events[n]
            if event.type == 0:
                break
            if event.type in (_WORD, _END):
                letter = event.text_position - 1 if event.type == _WORD else None
                places.append(Place(event.audio_position / 1000, letter))
        piece = ctypes.string_at(sound, 2 * samples) if sound and samples > 0 else b""
        return _GO_ON if self._take(piece, places) else _STOP


@cache
def espeak() -> Espeak:
    """Loads the library when it is first asked for. Raises VendorError."""
    return Espeak()
