"""The processes that recognise: started, shared, replaced, and ended."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.audio import silence
from app.ears.offline_recognisers import STUCK_BYTES, Recognisers
from app.ears.offline_wire import Kind, Letter
from app.errors import VendorError
from tests.ears.offline_stage import spoken
from tests.mouth.stage import News

GRAMMAR = "#JSGF V1.0;\ngrammar g;\npublic <g> = cancel my appointment | when are you open;\n"
EXAMPLES = ["cancel my appointment", "when are you open"] * 20


@pytest_asyncio.fixture
async def recognisers() -> AsyncIterator[Recognisers]:
    async with asyncio.timeout(60):
        opened = await Recognisers.open(GRAMMAR, EXAMPLES)
        yield opened
        await opened.close()


async def test_a_process_understands_what_it_is_sent(recognisers: Recognisers) -> None:
    worker, answers = await recognisers.worker(), News()
    utterance = worker.begin("", answers.add)
    worker.send(Kind.SOUND, utterance, spoken("cancel my appointment", before=0.3))
    worker.send(Kind.FINISH, utterance)
    [settled] = [letter for letter in await until_settled(answers) if letter.kind is Kind.SETTLED]
    assert json.loads(settled.body)["text"] == "cancel my appointment"


async def test_nobody_is_told_of_what_was_forgotten(recognisers: Recognisers) -> None:
    worker, answers, others = await recognisers.worker(), News(), News()
    utterance = worker.begin("", answers.add)
    worker.send(Kind.SOUND, utterance, spoken("cancel my appointment"))
    worker.send(Kind.FORGET, utterance)
    other = worker.begin("", others.add)
    worker.send(Kind.FINISH, other)
    await until_settled(others)
    assert answers.items == []


async def test_a_process_that_died_is_replaced_by_another(recognisers: Recognisers) -> None:
    worker = await recognisers.worker()
    assert await recognisers.worker() is worker
    worker.kill()
    assert "process ended" in await worker.died()
    worker.send(Kind.SOUND, 1, silence(1.0))
    another = await recognisers.worker()
    assert another is not worker
    assert not another.dead


async def test_a_process_that_does_not_read_is_given_up(recognisers: Recognisers) -> None:
    worker = await recognisers.worker()
    utterance = worker.begin("", lambda letter: None)
    for _ in range(40):  # all at once: it has no time to read in between
        worker.send(Kind.SOUND, utterance, bytes(STUCK_BYTES // 10))
    await worker.died()
    assert worker.dead


async def test_calls_go_where_the_fewest_are() -> None:
    async with asyncio.timeout(60):
        two = await Recognisers.open(GRAMMAR, EXAMPLES, workers=2)
        one = await two.worker()
        one.calls += 1
        assert await two.worker() is not one
        await two.close()
        assert one.dead


async def test_a_grammar_that_cannot_be_read_is_told_when_it_is_opened() -> None:
    with pytest.raises(VendorError, match="process ended: "):
        await Recognisers.open("this is no grammar", EXAMPLES)


async def until_settled(answers: News) -> list[Letter]:
    return await answers.until(lambda items: any(letter.kind is Kind.SETTLED for letter in items))
