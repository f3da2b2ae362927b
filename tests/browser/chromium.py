"""A Chromium to drive, with a microphone that is a sound file: the system's own, installed when we may."""

import os
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from ops.lab import speech
from tests.servers import alone

INSTALL_SECONDS = 600.0
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required "
    "--use-fake-device-for-media-stream"
).split()


class NoBrowser(Exception):
    """There is no Chromium to be had; the text is what to do about it."""


def program() -> str:
    """Where Chromium is; it is installed first where that is possible."""
    with alone():
        found = _here()
        if found is None and shutil.which("apt-get") and os.geteuid() == 0:
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
            for command in (["apt-get", "update"], install):
                subprocess.run(command, env=environment, capture_output=True, timeout=INSTALL_SECONDS, check=False)
            found = _here()
    if found is None:
        raise NoBrowser("The browser tests need Chromium and there is none on this machine: install it (chromium).")
    return found


def _here() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def microphone(
    path: Path, says: Sequence[tuple[float, str]], seconds: float, voice: Callable[[str], bytes] = speech.say
) -> Path:
    """A sound file in which each text is said at its second, and silence around them."""
    sound = bytearray(speech.to_linear(speech.silence(seconds)))
    for start, text in says:
        said = speech.to_linear(voice(text))
        place = 2 * round(start * speech.RATE)
        assert place + len(said) <= len(sound), f"{text!r} does not fit"
        sound[place : place + len(said)] = said
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(speech.RATE)
        file.writeframes(bytes(sound))
    return path


@asynccontextmanager
async def chromium(hears: Path | None, *, allowed: bool = True) -> AsyncIterator[Browser]:
    """`hears` is played into the microphone as soon as a page opens it; `allowed`: pages get the microphone unasked."""
    flags = list(FLAGS)
    if hears is not None:
        flags.append(f"--use-file-for-fake-audio-capture={hears}%noloop")
    if allowed:
        flags.append("--use-fake-ui-for-media-stream")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=flags)
        try:
            yield browser
        finally:
            await browser.close()
