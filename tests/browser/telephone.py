"""A person's hands, eyes and ears on the softphone's page."""

import base64
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page

from app.audio import to_mulaw
from ops.lab import speech
from tests.browser.stage import until

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

RECORDING = """
  registerProcessor("recorder", class extends AudioWorkletProcessor {
    piece = new Float32Array(1024);
    length = 0;
    process([[heard]]) {
      if (heard) this.piece.set(heard, this.length);
      else this.piece.fill(0, this.length, this.length + 128);
      this.length += 128;
      if (this.length === this.piece.length) {
        this.port.postMessage(this.piece.slice());
        this.length = 0;
      }
      return true;
    }
  });
"""

# Whatever a page leads to its loudspeaker is written down too, sample by sample, at the rate of its context: on the
# thread that makes the sound, for a page may be busy for longer than a loudspeaker waits.
RECORDER = f"""
  const recorder = URL.createObjectURL(new Blob([{json.dumps(RECORDING)}], {{ type: "text/javascript" }}));
"""
RECORDER += """
  const addModule = Worklet.prototype.addModule;
  Worklet.prototype.addModule = async function (...given) {
    await addModule.call(this, recorder);
    return addModule.apply(this, given);
  };
  const connect = AudioNode.prototype.connect;
  window.recorded = { rate: 0, pieces: [] };
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      const context = this.context;
      if (!context.recorder) {
        context.recorder = new AudioWorkletNode(context, "recorder");
        window.recorded = { rate: context.sampleRate, pieces: [] };
        const { pieces } = window.recorded;
        context.recorder.port.onmessage = ({ data }) => pieces.push(data);
        connect.call(context.recorder, target);
      }
      connect.call(this, context.recorder);
    }
    return connect.call(this, target, ...rest);
  };
  window.recording = () => {
    const all = new Int16Array(window.recorded.pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of window.recorded.pieces) for (const sample of piece) all[at++] = Math.round(sample * 32768);
    let text = "";
    for (const byte of new Uint8Array(all.buffer)) text += String.fromCharCode(byte);
    return { rate: window.recorded.rate, sound: btoa(text) };
  };
"""


@dataclass
class Telephone:
    page: Page
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    async def call(self) -> None:
        # The microphone is a file: nobody's loudspeaker can be heard in it, and it must come through untouched.
        await self.page.check("#headset")
        await self.page.click("#call")

    async def is_in(self, state: str, seconds: float = 10.0) -> None:
        await self.page.wait_for_selector(f'body[data-state="{state}"]', timeout=1000 * seconds)

    async def reads(self, pattern: str, seconds: float = 10.0) -> str:
        """Waits until the page says this anywhere; gives all that it says."""

        async def said() -> bool:
            return re.search(pattern, await self.page.inner_text("main")) is not None

        await until(said, seconds)
        return await self.page.inner_text("main")

    async def lines(self) -> list[tuple[str, str, str]]:
        """Who has spoken, what was heard of it, and what was struck through."""
        found = await self.page.evaluate(
            """[...document.querySelectorAll(".line:not(.open)")].map((line) => {
                 const cut = line.querySelector("s")?.textContent ?? "";
                 const all = line.querySelector(".words").textContent;
                 return [line.querySelector(".who").textContent, all.slice(0, all.length - cut.length).trim(), cut];
               })"""
        )
        return [(who, heard, cut) for who, heard, cut in found]

    async def sound(self) -> tuple[int, bytes]:
        """What the page has played since it was loaded: the rate, and 16-bit samples."""
        recording = await self.page.evaluate("recording()")
        return recording["rate"], base64.b64decode(recording["sound"])

    async def words_played(self) -> list[str]:
        """The words that the lab's voice hid in its sound: all that came through whole, bit for bit."""
        rate, linear = await self.sound()
        assert rate == speech.RATE
        return [word.text for word in speech.Reader().feed(to_mulaw(linear) + speech.silence(0.5))]

    async def fits(self) -> bool:
        """Nothing is wider than the window, and whoever looks for the buttons finds them in it."""
        return bool(
            await self.page.evaluate(
                """(() => {
                     const root = document.documentElement;
                     const seen = [...document.querySelectorAll("#controls button")].filter((b) => b.offsetParent);
                     return root.scrollWidth <= innerWidth && seen.length > 0 && seen.every((button) => {
                       const { top, bottom, height } = button.getBoundingClientRect();
                       return top >= 0 && bottom <= innerHeight && height >= 44;
                     });
                   })()"""
            )
        )

    async def picture(self, path: Path) -> None:
        await self.page.screenshot(path=path)


@asynccontextmanager
async def telephone(
    browser: Browser,
    url: str,
    *,
    size: dict[str, int] = DESKTOP,
    recorded: bool = False,
    scripts: Sequence[str] = (),
    **options: Any,
) -> AsyncIterator[Telephone]:
    """The page in a window of this size. `scripts` run before it, in a browser that is not what it should be.

    `recorded`: what it plays can be heard. The page's policy forbids what it takes, so that the other tests keep to it.
    """
    context = await browser.new_context(viewport=size, bypass_csp=recorded, **options)  # type: ignore[arg-type]
    page = await context.new_page()
    shown = Telephone(page)
    page.on("pageerror", lambda error: shown.errors.append(str(error)))
    page.on("request", lambda request: shown.hosts.add(urlsplit(request.url).netloc))
    for script in (*((RECORDER,) if recorded else ()), *scripts):
        await page.add_init_script(script)
    await page.goto(f"{url}/phone")
    try:
        yield shown
    finally:
        await context.close()
    assert shown.errors == []
    assert shown.hosts <= {urlsplit(url).netloc}
