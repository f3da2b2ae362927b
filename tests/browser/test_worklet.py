"""The audio thread's half of the telephone, sample by sample: mu-law, rates, the playback buffer."""

import audioop
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import Page

from tests.browser.chromium import chromium

WORKLET = Path(__file__).parents[2] / "app/web/static/softphone/worklet.js"

# The file as it is, in a page instead of on the audio thread, with what the audio thread would lend it.
AROUND = """
  (asked) => {
    const posted = [];
    const sampleRate = asked.rate ?? 8000;
    class AudioWorkletProcessor { port = { postMessage: (message) => posted.push(message) }; }
    const registerProcessor = () => undefined;
    %s
    const given = (processor, data) => processor.port.onmessage({ data });
    const block = (processor, input) => {
      const output = new Float32Array(128);
      processor.process([input ? [Float32Array.from(input)] : []], [[output]]);
      return [...output];
    };
    const marks = () => posted.filter(({ mark }) => mark !== undefined).map(({ mark }) => mark);
    %s
  }
"""


class Worklet:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._source = WORKLET.read_text(encoding="utf-8")

    async def does(self, script: str, **asked: Any) -> Any:
        """What this script returns, with the worklet's names around it."""
        return await self._page.evaluate(AROUND % (self._source, script), asked)


@pytest_asyncio.fixture
async def worklet() -> AsyncIterator[Worklet]:
    async with chromium(None) as browser:
        yield Worklet(await browser.new_page())


def tone(hertz: float, rate: int, seconds: float = 0.5) -> list[float]:
    return [0.5 * math.sin(2 * math.pi * hertz * n / rate) for n in range(round(rate * seconds))]


def decibels(samples: list[float]) -> float:
    """Against the tone above, without its edges."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return 10 * math.log10(max(1e-12, sum(each * each for each in middle) / len(middle) / 0.125))


async def test_mu_law_is_decoded_and_encoded_as_everywhere(worklet: Worklet) -> None:
    decoded = await worklet.does("return [...DECODED].map((level) => level * 32768)")
    linear = audioop.ulaw2lin(bytes(range(256)), 2)
    assert decoded == [int.from_bytes(linear[n : n + 2], "little", signed=True) for n in range(0, 512, 2)]
    encoded = await worklet.does("return [...DECODED].map(encode)")
    assert [byte for byte in range(256) if encoded[byte] != byte] == [
        0x7F
    ]  # the negative zero becomes the positive one
    assert encoded[0x7F] == 0xFF
    loud = await worklet.does("return [1.5, -1.5, 1, -1, 0].map(encode)")
    assert loud == [0x80, 0x00, 0x80, 0x00, 0xFF]


async def test_rates_are_converted_without_losing_speech_or_folding_noise_into_it(worklet: Worklet) -> None:
    convert = "return [...new Converter(asked.from, asked.to).convert(Float32Array.from(asked.sound))]"
    for rate in (44100, 48000):
        for hertz in (300, 1000, 3300):
            down = await worklet.does(convert, **{"from": rate, "to": 8000, "sound": tone(hertz, rate)})
            up = await worklet.does(convert, **{"from": 8000, "to": rate, "sound": tone(hertz, 8000)})
            assert abs(decibels(down)) < 0.3, (rate, hertz)
            assert abs(decibels(up)) < 0.3, (rate, hertz)
        for hertz in (5000, 9000, 15000):
            noise = await worklet.does(convert, **{"from": rate, "to": 8000, "sound": tone(hertz, rate)})
            assert decibels(noise) < -50, (rate, hertz)


async def test_a_stream_in_pieces_is_converted_as_if_it_were_whole(worklet: Worklet) -> None:
    script = """
      const sound = Float32Array.from(asked.sound);
      const whole = new Converter(44100, 8000).convert(sound);
      const converter = new Converter(44100, 8000);
      const pieces = [];
      for (let at = 0; at < sound.length; at += 128) pieces.push(...converter.convert(sound.subarray(at, at + 128)));
      return [whole.length, pieces.length, Math.max(...[...whole].map((level, n) => Math.abs(level - pieces[n])))];
    """
    whole, pieces, worst = await worklet.does(script, sound=tone(700, 44100))
    assert abs(whole - pieces) <= 1  # the last sample may need what has not come
    assert worst < 1e-4


async def test_the_microphone_gives_frames_of_20_ms_also_when_it_is_gone(worklet: Worklet) -> None:
    script = """
      const microphone = new Microphone();
      for (let n = 0; n < 5; n += 1) block(microphone, n < 3 ? new Array(128).fill(0.25) : null);
      return posted.map(({ frame, peak }) => [frame.length, frame[0], frame[159], peak]);
    """
    quarter = audioop.lin2ulaw((8192).to_bytes(2, "little"), 2)[0]
    assert json.loads(json.dumps(await worklet.does(script))) == [
        [160, quarter, quarter, 0.25],
        [160, quarter, quarter, 0.25],
        [160, quarter, 0xFF, 0.25],
        [160, 0xFF, 0xFF, 0],
    ]


async def test_a_mark_comes_back_when_all_sound_before_it_has_been_played(worklet: Worklet) -> None:
    script = """
      const speaker = new Loudspeaker();
      const steps = [];
      const step = () => steps.push(marks());
      given(speaker, { sound: new Uint8Array(200).fill(0) });
      given(speaker, { mark: 7 });
      given(speaker, { sound: new Uint8Array(100).fill(0) });
      given(speaker, { mark: 8 });
      step();
      for (let n = 0; n < 3; n += 1) { block(speaker); step(); }
      given(speaker, { mark: 9 });
      step();
      return steps;
    """
    assert await worklet.does(script) == [[], [], [7], [7, 8], [7, 8, 9]]


async def test_a_clear_silences_at_once_and_gives_every_mark_back_in_order(worklet: Worklet) -> None:
    script = """
      const speaker = new Loudspeaker();
      for (const mark of [1, 2, 3]) {
        given(speaker, { sound: new Uint8Array(160).fill(0) });
        given(speaker, { mark });
      }
      const before = block(speaker);
      given(speaker, { clear: true });
      const cleared = marks();
      const after = block(speaker);
      given(speaker, { sound: new Uint8Array(128).fill(0) });
      return [before[0], cleared, after[0], block(speaker)[0], marks()];
    """
    loudest = -32124 / 32768
    assert await worklet.does(script) == [loudest, [1, 2, 3], 0, loudest, [1, 2, 3]]
