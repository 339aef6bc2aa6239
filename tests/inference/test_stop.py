"""A stop reaches the engine within a second, and what was said is kept and counted."""

import asyncio

import pytest
from django.db.models.functions import Now

from inference.log.events import End
from inference.models import Generation
from inference.queue.submit import stop_generation
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import ask, stored, text_of, tokens_told, told, working

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def pace(fake):
    fake.settings.rate = 50


async def has_told(row, count):
    return await tokens_told(row) >= count


async def test_a_stop_frees_the_engine_and_keeps_the_text(alice, held, fake):
    async with working(held):
        row = await ask(alice, 500)
        following = asyncio.create_task(told(row))
        await until(lambda: has_told(row, 10))
        await stop_generation(row.id)
        await until(lambda: fake.counters.running == 0, 1)
        entries = await asyncio.wait_for(following, 2)
    ended = await stored(row)
    said = ended.completion_tokens
    assert 10 <= said < 100
    assert (ended.status, ended.finish_reason, ended.text) == ("stopped", "stop", numbered(said))
    assert (text_of(entries), ended.prompt_tokens) == (numbered(said), 4)
    assert isinstance(entries[-1][1], End)
    assert entries[-1][1].status == "stopped"
    assert abs(fake.counters.generation_tokens - said) <= 2


async def test_many_stops_at_once_free_the_engine(alice, held, fake):
    async with working(held):
        rows = [await ask(alice, 500) for _ in range(30)]
        await until(lambda: has_told(rows[-1], 3))
        await asyncio.gather(*(stop_generation(row.id) for row in rows))
        await until(lambda: fake.counters.running == 0, 1)
        await until(lambda: all_ended(rows))
    for row in rows:
        ended = await stored(row)
        assert (ended.status, ended.text) == ("stopped", numbered(ended.completion_tokens))


async def all_ended(rows):
    return [(await stored(row)).status for row in rows] == ["stopped"] * len(rows)


async def test_a_stop_whose_ring_was_lost_is_found_with_the_next_lease(alice, held, fake):
    async with working(held) as worker:
        row = await ask(alice, 500)
        await until(lambda: has_told(row, 3))
        await in_database(Generation.objects.filter(id=row.id).update, stop_asked_at=Now())
        await worker.renew_leases()
        await until(lambda: fake.counters.running == 0, 1)
    assert (await stored(row)).status == "stopped"


async def test_a_stop_before_the_first_token_stores_an_empty_answer(alice, held, fake):
    fake.settings.ttft = 30
    async with working(held):
        row = await ask(alice, 500)
        await until(lambda: fake.counters.running == 1)
        await stop_generation(row.id)
        await until(lambda: fake.counters.running == 0, 1)
        assert text_of(await told(row)) == ""
    ended = await stored(row)
    assert (ended.status, ended.text, ended.completion_tokens) == ("stopped", "", 0)


async def test_a_stop_while_the_engine_is_away_ends_the_answer(alice, held, fake):
    async with working(held):
        row = await ask(alice, 500)
        await until(lambda: has_told(row, 5))
        held.up.clear()
        await fake.stop()
        await stop_generation(row.id)
        assert (await told(row))[-1][1].status == "stopped"
    ended = await stored(row)
    assert ended.text == numbered(ended.completion_tokens)


async def test_a_stop_after_the_end_changes_nothing(alice, held):
    async with working(held):
        row = await ask(alice, 5)
        await told(row)
        await stop_generation(row.id)
    assert ((await stored(row)).status, (await stored(row)).text) == ("done", numbered(5))
