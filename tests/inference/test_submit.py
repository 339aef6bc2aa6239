"""Accepting work: the row is the acceptance."""

import asyncio

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inference.log.events import End
from inference.log.follow import LogReader
from inference.models import Generation
from inference.queue import submit
from inference.redis.workers import doorbell
from jarvis.lib.config import config
from jarvis.lib.database import in_database
from tests.support.waiting import until
from tests.support.workers import ask, stored, told

pytestmark = pytest.mark.django_db(transaction=True)


def new(owner, **fields):
    return Generation(**{"owner": owner, "model": "fake", "door": "v1", "request_id": "r", "request": {}} | fields)


def rows_and_transactions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT xmin::text) FROM inference_generation")
        return cursor.fetchone()


async def count():
    return await in_database(Generation.objects.count)


async def test_what_was_accepted_is_in_the_queue(alice):
    row = await ask(alice)
    assert (await stored(row)).status == "queued"


async def test_calls_that_come_together_share_a_transaction(alice):
    await asyncio.gather(*(submit.submit_generation(new(alice)) for _ in range(50)))
    assert await in_database(rows_and_transactions) in [(50, 1), (50, 2), (50, 3)]


def test_a_batch_costs_as_much_as_one(alice):
    with CaptureQueriesContext(connection) as queries:
        assert submit.insert_generations([new(alice) for _ in range(50)]) == [None] * 50
    assert len(queries) <= 4  # begin, count, insert, commit


async def test_beyond_the_limit_nothing_is_written_and_the_caller_is_told(alice):
    room = 3
    await in_database(Generation.objects.bulk_create, [new(alice) for _ in range(config.queue_limit - room)])
    results = await asyncio.gather(*(submit.submit_generation(new(alice)) for _ in range(10)), return_exceptions=True)
    assert [type(result) for result in results].count(submit.QueueFull) == 10 - room
    assert await count() == config.queue_limit


async def test_running_rows_do_not_fill_the_queue(alice):
    await in_database(Generation.objects.bulk_create, [new(alice, status="running") for _ in range(config.queue_limit)])
    await submit.submit_generation(new(alice))


async def test_a_row_that_postgres_refuses_harms_no_other(alice):
    rows = [new(alice), new(alice, request={"messages": ["a\x00b"]}), new(alice), new(alice, model="m" * 500)]
    results = await asyncio.gather(*(submit.submit_generation(row) for row in rows), return_exceptions=True)
    assert [result is None for result in results] == [True, False, True, False]
    assert await count() == 2


async def test_a_row_whose_owner_was_deleted_meanwhile_harms_no_other(alice):
    rows = [new(alice), new(User(pk=2**31)), new(alice)]
    results = await asyncio.gather(*(submit.submit_generation(row) for row in rows), return_exceptions=True)
    assert [result is None for result in results] == [True, False, True]
    assert await count() == 2


async def test_a_row_that_cannot_even_be_written_down_harms_no_later_one(alice):
    with pytest.raises(TypeError):
        await submit.submit_generation(new(alice, request={"a": object()}))
    await asyncio.wait_for(submit.submit_generation(new(alice)), 5)


async def test_a_caller_that_leaves_harms_no_other(alice):
    leaving = asyncio.create_task(submit.submit_generation(new(alice)))
    staying = asyncio.create_task(submit.submit_generation(new(alice)))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait_for(staying, 5)


async def test_the_doorbell_rings_for_new_work(alice):
    async with doorbell() as messages:
        await submit.submit_generation(new(alice))
        assert await asyncio.wait_for(anext(messages), 5) == "work"


async def test_a_queued_row_stops_at_once_and_its_follower_hears_of_it(alice):
    row = await ask(alice)
    following = asyncio.create_task(told(row))
    await until(lambda: LogReader.for_this_loop().followers)
    await submit.stop_generation(row.id)
    entries = await asyncio.wait_for(following, 5)
    assert entries[-1][1] == End("stopped", "stop")
    assert (await stored(row)).status == "stopped"


async def test_a_stop_can_be_asked_for_twice(alice):
    row = await ask(alice)
    await submit.stop_generation(row.id)
    await submit.stop_generation(row.id)
    assert (await stored(row)).status == "stopped"


async def test_a_running_row_is_stopped_through_the_doorbell(alice):
    row = new(alice, status="running", attempt=1)
    await in_database(row.save)
    async with doorbell() as messages:
        await submit.stop_generation(row.id)
        assert await asyncio.wait_for(anext(messages), 5) == f"stop {row.id}"
    await until(lambda: asked(row))


async def asked(row):
    return (await stored(row)).stop_asked_at is not None
