"""A question that kills the engine fails; those beside it, which die with the engine each time, get their answers."""

import asyncio

import pytest
from aiohttp import web

from tests.support.fake_engine import FakeEngine, numbered
from tests.support.waiting import until
from tests.support.workers import FakeKeptEngine, ask, stored, text_of, told, working

pytestmark = pytest.mark.django_db(transaction=True)

PROMPT = 30  # tokens; longer than any other


class MortalEngine(FakeEngine):
    """Breaks all its streams when it is given a prompt of more than PROMPT words, before a token of it comes."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.live = set()
        self.deaths = 0

    async def generate(self, request):
        transport = request.transport
        self.live.add(transport)
        try:
            body = await request.json()
            words = sum(len(message["content"].split()) for message in body.get("messages", []))
            if words > PROMPT:
                await web.StreamResponse().prepare(request)  # as vLLM, which answers before it begins to think
                await asyncio.sleep(0.05)  # its neighbours are on their way by then, or waiting as it does
                self.deaths += 1
                for one in list(self.live):
                    one.abort()
            return await super().generate(request)
        finally:
            self.live.discard(transport)


@pytest.fixture
async def mortal(tmp_path):
    async with MortalEngine(tmp_path / "engine.sock", rate=100, ttft=0.15) as engine:
        yield engine


@pytest.fixture
async def holding(mortal, tmp_path):
    held = FakeKeptEngine(tmp_path / "engine.sock")
    yield held
    await held.close()


async def poison(owner):
    return await ask(owner, 10, messages=[{"role": "user", "content": "kill " * 2 * PROMPT}])


async def test_a_deadly_question_kills_twice_and_then_fails_while_its_neighbours_are_answered(alice, holding, mortal):
    async with working(holding):
        good = [await ask(alice, 60) for _ in range(6)]
        bad = await poison(alice)
        late = [await ask(alice, 60) for _ in range(3)]
        for row in good + late:
            assert text_of(await told(row)) == numbered(60)
        assert (await told(bad))[-1][1].problem.code == "engine_error"
    assert mortal.deaths == 2
    assert (await stored(bad)).engine_deaths == 2
    assert all([(await stored(row)).status == "done" for row in good + late])


async def test_two_deadly_questions_are_both_found(alice, holding, mortal):
    async with working(holding):
        rows = [await poison(alice), await ask(alice, 60), await poison(alice), await ask(alice, 60)]
        texts = [text_of(await told(row)) for row in rows]
    assert texts == ["", numbered(60), "", numbered(60)]
    assert mortal.deaths <= 4


async def test_who_stops_an_answer_on_probation_lets_the_others_through(alice, holding, mortal):
    mortal.settings.cut_after = 5
    async with working(holding) as worker:
        row = await ask(alice, 60)
        await until(lambda: mortal.counters.aborted)
        mortal.settings.cut_after, mortal.settings.ttft = -1, 5.0  # it waits for its first token, alone
        await until(worker.quarantine.lock.locked)
        other = await ask(alice, 10)
        worker.relays[row.id].stop()
        mortal.settings.ttft = 0.0
        assert text_of(await told(other)) == numbered(10)
        assert (await stored(row)).status == "stopped"
