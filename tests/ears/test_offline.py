"""The ears of one call: in virtual time with the decoders in this process, and once with a process that is killed."""

import asyncio
from typing import Any

from app.audio import FRAME_BYTES, FRAME_SECONDS, RATE, silence
from app.call.agent import Agent
from app.call.events import Connected, EarsBack, EarsLost, Event, Metered, SpeechEnded, SpeechPaused, WordsHeard
from app.ears.offline import OfflineEars
from app.ears.offline_recognisers import Recognisers
from app.errors import VendorError
from app.mind.offline_meaning import examples, source
from tests import virtual_time
from tests.ears.offline_stage import HereWorkers, listener, spoken
from tests.mouth.stage import Call, News, working

AGENT = Agent("clinic", "Hello.", "")
WISH = "i would like to book an appointment"


def later(work: Any) -> None:
    raise AssertionError("these ears have no vendor to part from")


def heard(*texts: str, settle: bool = False) -> list[tuple[float, Event]]:
    """What the ears report of these texts, each with the moment, in seconds after the text's own end."""
    events: list[tuple[float, Event]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ended = 0.0

        def report(event: Event) -> None:
            events.append((loop.time() - ended, event))
            if settle and isinstance(event, SpeechPaused):
                loop.call_soon(ears.settle)

        ears = OfflineEars(HereWorkers(listener()), AGENT, report, later)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(ears.run())
            await asyncio.sleep(0)
            for text in texts:
                sound = silence(0.6) + spoken(text)
                ended = loop.time() + len(sound) / RATE
                sound += silence(0.8)
                for at in range(0, len(sound) - FRAME_BYTES, FRAME_BYTES):
                    ears.hear(sound[at : at + FRAME_BYTES])
                    await asyncio.sleep(FRAME_SECONDS)
            running.cancel()

    virtual_time.run(main())
    return events


def of(events: list[tuple[float, Event]], kind: type) -> list[Any]:
    return [event for _, event in events if isinstance(event, kind)]


def test_a_sentence_is_heard_within_half_a_second_of_its_end() -> None:
    events = heard(WISH)
    [(after, ended)] = [(after, event) for after, event in events if isinstance(event, SpeechEnded)]
    assert ended == SpeechEnded(WISH)
    assert 0.3 < after < 0.55
    assert of(events, WordsHeard)[-1].text == WISH


def test_asked_at_the_pause_the_words_are_settled_much_earlier() -> None:
    events = heard(WISH, settle=True)
    [(settled, _)] = [(after, event) for after, event in events if isinstance(event, WordsHeard) and event.settled]
    [(ended, _)] = [(after, event) for after, event in events if isinstance(event, SpeechEnded)]
    assert settled < 0.25
    assert ended - settled > 0.2


def test_what_is_not_in_the_grammar_is_told_as_that_at_its_end() -> None:
    events = heard("my grandmother has a red bicycle")
    assert [event.text for event in of(events, SpeechEnded)] == ["(unclear)"]


def test_hearing_costs_nothing_and_is_counted_all_the_same() -> None:
    events = heard(WISH)
    [metered] = of(events, Metered)
    assert (metered.vendor, metered.product, metered.unit) == ("offline", "pocketsphinx", "second")
    assert 2.0 < float(metered.quantity) < 3.5
    assert of(events, Connected) != []


async def test_a_process_that_dies_is_replaced_and_told_again_what_it_had_heard() -> None:
    news = News()
    recognisers = await Recognisers.open(source(), examples(2000))
    ears = OfflineEars(recognisers, AGENT, news.add, later)
    sound = silence(0.6) + spoken(WISH) + silence(0.6)
    async with asyncio.timeout(20), working(Call(), ears.run):
        await news.first(Connected)
        frames = [sound[at : at + FRAME_BYTES] for at in range(0, len(sound) - FRAME_BYTES, FRAME_BYTES)]
        for frame in frames[: len(frames) // 2]:
            ears.hear(frame)
        (await recognisers.worker()).kill()
        lost: EarsLost = await news.first(EarsLost)
        assert "process ended" in lost.why
        for frame in frames[len(frames) // 2 :]:
            ears.hear(frame)
        ended: SpeechEnded = await news.first(SpeechEnded)
        assert ended.text == WISH
        assert news.of(EarsBack) == [EarsBack()]
    await recognisers.close()


async def test_ears_that_cannot_be_had_are_lost_and_tried_again() -> None:
    tried = News()

    class Nobody:
        async def worker(self) -> Any:
            tried.add(1)
            raise VendorError("offline", "there is none")

    news = News()
    ears = OfflineEars(Nobody(), AGENT, news.add, later)
    async with asyncio.timeout(10), working(Call(), ears.run):
        await tried.until(lambda items: len(items) == 2)
    assert news.of(EarsLost) == [EarsLost("offline: there is none")]
