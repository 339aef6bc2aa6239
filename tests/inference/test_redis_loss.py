"""Redis goes away in the middle of an answer: with its data, without it, or with its connections alone."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from inference.log.events import Begin, Cursor, End, Text, encode_event
from inference.redis.client import shared_client
from inference.redis.keys import log_key
from inference.redis.log import read_log
from inference.worker.worker import Worker
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import ask, clears, doomed, killed, stored, text_of, tokens_told, told, working

pytestmark = pytest.mark.django_db(transaction=True)

LENGTH = 60


@pytest.fixture(autouse=True)
def pace(fake):
    fake.settings.rate = 100


async def has_told(row, count):
    return await tokens_told(row) >= count


def crash():
    """A transaction whose commands and the loss of all connections are one moment to everybody else."""
    pipeline = shared_client().pipeline(transaction=True)
    for kind in ("normal", "pubsub"):
        pipeline.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    return pipeline


async def lose_connections():
    await crash().execute()


async def come_back_empty():
    """What a restart without data looks like from outside."""
    await crash().flushall().execute()


async def test_an_answer_outlives_the_loss_of_every_connection(alice, held):
    async with working(held):
        row = await ask(alice, LENGTH)
        following = asyncio.create_task(told(row))
        for tokens in (5, 15, 30):
            await until(lambda tokens=tokens: has_told(row, tokens))
            await lose_connections()
        entries = await following
        assert entries == await read_log(row.id)
    assert text_of(entries) == numbered(LENGTH)
    assert clears(entries) == 0


async def test_a_log_that_redis_lost_is_told_again_whole(alice, held):
    async with working(held):
        row = await ask(alice, LENGTH)
        following = asyncio.create_task(told(row))
        await until(lambda: has_told(row, 20))
        await come_back_empty()
        entries = await following
        log = await read_log(row.id)
    assert text_of(entries) == numbered(LENGTH)
    assert clears(entries) == 0  # who had seen the lost part goes on
    assert log[0] == (Cursor(1, 1), Begin())
    assert text_of(log) == numbered(LENGTH)  # who comes late sees all
    assert isinstance(log[-1][1], End)
    assert [cursor.index for cursor, _ in log] == list(range(1, len(log) + 1))


async def test_a_log_that_vanished_alone_is_told_again_whole(alice, held):
    async with working(held):
        row = await ask(alice, LENGTH)
        await until(lambda: has_told(row, 20))
        await shared_client().delete(log_key(row.id))  # evicted, or flushed by hand: no connection is lost
        assert text_of(await told(row)) == numbered(LENGTH)
        assert text_of(await read_log(row.id)) == numbered(LENGTH)


async def test_the_end_of_a_log_that_redis_lost_is_told_again(alice, held):
    async with working(held) as worker:
        row = await ask(alice, LENGTH)
        following = asyncio.create_task(told(row))
        await until(lambda: has_told(row, 20))
        await lose_the_end_of(row)
        entries = await following
        log = await read_log(row.id)
        assert row.id not in worker.publisher.buffers
    assert text_of(entries) == numbered(LENGTH)
    assert text_of(log) == numbered(LENGTH)
    assert [cursor.index for cursor, _ in log] == list(range(1, len(log) + 1))


async def lose_the_end_of(row):
    """Put the log back as it was a little earlier, as a Redis does that had not yet written the last of it down."""
    log = await read_log(row.id)
    pipeline = crash()
    pipeline.delete(log_key(row.id))
    for cursor, entry in log[:-4]:
        pipeline.execute_command("XADD", log_key(row.id), str(cursor), "e", encode_event(entry))
    await pipeline.execute()


async def test_a_successor_tells_again_also_what_its_predecessor_told(alice, held):
    row = await ask(alice, LENGTH)
    following = asyncio.create_task(told(row))
    async with doomed(held):
        await until(lambda: has_told(row, 15))
    async with working(held):
        await until(lambda: has_told(row, 30))
        await come_back_empty()
        entries = await following
        log = await read_log(row.id)
    assert "".join(e.text for _, e in entries if isinstance(e, Text)) == numbered(LENGTH)
    assert text_of(log) == numbered(LENGTH)
    assert clears(log) == 0
    late = await told(row)
    assert text_of(late) == numbered(LENGTH)


async def test_worker_and_log_lost_together_begin_the_answer_again(alice, held, fake):
    row = await ask(alice, LENGTH)
    following = asyncio.create_task(told(row))
    async with doomed(held):
        await until(lambda: has_told(row, 15))
    await come_back_empty()
    async with working(held):
        entries = await following
    assert text_of(entries) == numbered(LENGTH)
    assert clears(entries) == 1
    ended = await stored(row)
    assert (ended.text, ended.completion_tokens, ended.attempt) == (numbered(LENGTH), LENGTH, 2)
    assert fake.counters.continued == 0


async def test_answers_go_on_and_are_stored_while_redis_is_away(alice, held, monkeypatch):
    async with working(held) as worker:
        row = await ask(alice, LENGTH)
        following = asyncio.create_task(told(row))
        await until(lambda: has_told(row, 10))
        there = worker.publisher.writer
        worker.publisher.writer = Unreachable()
        await until(lambda: is_done(row))
        entries = await following  # from the row
        worker.publisher.writer = there
        await until(lambda: not worker.publisher.buffers)
        assert text_of(await read_log(row.id)) == numbered(LENGTH)
    assert text_of(entries) == numbered(LENGTH)


class Unreachable:
    async def publish(self, batch):
        raise RedisConnectionError("away")

    async def close(self):
        pass


async def is_done(row):
    return (await stored(row)).status == "done"


async def test_a_lost_doorbell_delays_an_answer_by_a_poll_at_most(alice, held):
    async with working(held):
        await asyncio.sleep(0.3)
        await lose_connections()
        row = await ask(alice, 5)
        await asyncio.wait_for(told(row), 5)
    assert text_of(await told(row)) == numbered(5)


async def test_a_worker_ends_also_while_it_is_telling(alice, held, fake):
    """Ending it at any moment must end all of its parts, wherever each of them waits."""
    fake.settings.rate = 1000
    for round in range(30):
        await ask(alice, LENGTH)
        worker = Worker(held, "here")
        task = asyncio.create_task(worker.run())
        await asyncio.sleep(0.01 * round % 0.07)
        await killed(worker, task)
