"""Viewers of an answer: late ones, returning ones, many, and those whose log is gone."""

import asyncio
from contextlib import aclosing

import pytest
from django.utils import timezone

from inference.log.events import Begin, Choices, Cursor, End, Fence, Text, Usage
from inference.log.follow import Batch, LogReader, follow
from inference.models import Generation
from inference.redis.client import shared_client
from inference.redis.keys import log_key
from inference.redis.log import publish_events
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import ask, clears, text_of, told, working

pytestmark = pytest.mark.django_db(transaction=True)

END = End("done", "stop", Usage(1, 3))
LOG: Batch = [
    (Cursor(1, 1), Begin()),
    (Cursor(1, 2), Text("t0 ", 1, [1000])),
    (Cursor(1, 3), Text("t1 ", 1, [1001])),
    (Cursor(1, 4), Text("t2 ", 1, [1002])),
]


@pytest.fixture
async def row(alice):
    row = Generation(owner=alice, model="fake", door="v1", request_id="r", request={}, status="running", attempt=1)
    await in_database(row.save)
    return row


async def end(row, **fields):
    """Save the row's end as a worker does that dies before it can publish it."""
    given = {"status": "done", "text": numbered(3), "finish_reason": "stop", "finished_at": timezone.now()}
    await in_database(Generation.objects.filter(id=row.id).update, **given | fields)


async def test_a_late_viewer_sees_all_from_the_start(row):
    await publish_events({row.id: [*LOG, (Cursor(1, 5), END)]})
    assert await told(row) == [*LOG, (Cursor(1, 5), END)]


async def test_a_returning_viewer_sees_what_came_after_its_cursor(row):
    await publish_events({row.id: [*LOG, (Cursor(1, 5), END)]})
    assert await told(row, after=Cursor(1, 3)) == [LOG[3], (Cursor(1, 5), END)]


async def test_a_viewer_who_waits_sees_each_entry_once(row):
    following = asyncio.create_task(told(row))
    await asyncio.sleep(0.05)
    for entry in [*LOG, (Cursor(1, 5), END)]:
        await publish_events({row.id: [entry]})
    assert await following == [*LOG, (Cursor(1, 5), END)]


async def test_what_is_published_twice_is_seen_once(row):
    following = asyncio.create_task(told(row))
    for upto in range(1, 5):
        await publish_events({row.id: LOG[:upto]})
    await publish_events({row.id: [*LOG, (Cursor(1, 5), END)]})
    assert await following == [*LOG, (Cursor(1, 5), END)]


async def test_viewers_of_one_log_may_stand_at_different_places(row):
    await publish_events({row.id: LOG[:3]})
    cursors = [Cursor(0, 0), Cursor(1, 1), Cursor(1, 3)]
    following = [asyncio.create_task(told(row, after=cursor)) for cursor in cursors]
    await asyncio.sleep(0.05)
    await publish_events({row.id: [LOG[3], (Cursor(1, 5), END)]})
    for cursor, entries in zip(cursors, await asyncio.gather(*following), strict=True):
        assert entries == [pair for pair in [*LOG, (Cursor(1, 5), END)] if pair[0] > cursor]


async def test_an_empty_batch_comes_after_each_time_of_silence(row):
    await publish_events({row.id: LOG[:1]})
    async with aclosing(follow(row.id, idle=0.05)) as batches:
        assert await anext(batches) == LOG[:1]
        assert await anext(batches) == []
        assert await anext(batches) == []


async def test_a_log_that_is_gone_is_told_from_the_row(row):
    await end(row)
    entries = [entry for _, entry in await told(row)]
    assert entries == [Begin(clear=True), Text(numbered(3)), End("done", "stop")]


async def test_an_end_that_was_saved_but_never_published_is_told_from_the_row(row):
    await publish_events({row.id: LOG})
    following = asyncio.create_task(told(row))
    await until(lambda: seen(row, LOG[-1][0]))
    await end(row)
    entries = await asyncio.wait_for(following, 5)
    assert text_of(entries) == numbered(3)
    assert entries[: len(LOG)] == LOG
    assert clears(entries) == 1
    assert entries[-1][1] == End("done", "stop")


async def test_a_row_with_choices_is_told_as_deltas(row):
    message = {"role": "assistant", "content": "t0 "}
    await end(row, text="t0 ", choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
    entries = await told(row)
    assert isinstance(entries[1][1], Choices)
    assert text_of(entries) == "t0 "


async def test_a_cursor_beyond_the_log_gets_the_end_from_the_row(row):
    await publish_events({row.id: [*LOG, (Cursor(1, 5), END)]})
    await end(row)
    entries = await asyncio.wait_for(told(row, after=Cursor(9_999_999_999, 9_999_999_999)), 5)
    assert entries[-1][1] == End("done", "stop")
    assert text_of(entries) == numbered(3)


async def test_the_row_is_not_told_before_it_has_ended(row):
    await publish_events({row.id: LOG})
    async with aclosing(follow(row.id, idle=2.5)) as batches:
        assert await anext(batches) == LOG
        assert await anext(batches) == []


async def test_a_successor_that_goes_on_is_seen_as_one_answer(row):
    more: Batch = [(Cursor(2, 0), Fence()), (Cursor(2, 1), Begin(after=Cursor(1, 4))), (Cursor(2, 2), Text("t3 ", 1))]
    following = asyncio.create_task(told(row))
    await publish_events({row.id: LOG})
    await publish_events({row.id: [*more, (Cursor(2, 3), END)]})
    entries = await following
    assert text_of(entries) == numbered(4)
    assert clears(entries) == 0
    assert not any(isinstance(entry, Fence) for _, entry in entries)


async def test_a_fenced_worker_is_not_seen(row):
    await publish_events({row.id: LOG[:3]})
    await publish_events({row.id: [(Cursor(2, 0), Fence())]})
    await publish_events({row.id: [LOG[3], (Cursor(1, 5), END)]})  # wakes up and goes on as if nothing had been
    await publish_events({row.id: [(Cursor(2, 1), Begin(after=Cursor(1, 3))), (Cursor(2, 2), Text("T2 ", 1))]})
    await publish_events({row.id: [(Cursor(2, 3), END)]})
    assert text_of(await told(row)) == "t0 t1 T2 "


async def test_a_viewer_who_saw_what_redis_lost_reads_again_from_the_start(row):
    following = asyncio.create_task(told(row))
    await publish_events({row.id: LOG})
    await until(lambda: seen(row, Cursor(1, 4)))
    await shared_client().flushdb()
    await publish_events({row.id: [*LOG[:3], (Cursor(2, 0), Fence()), (Cursor(2, 1), Begin(after=Cursor(1, 3)))]})
    await publish_events({row.id: [(Cursor(2, 2), Text("T2 ", 1)), (Cursor(2, 3), END)]})
    entries = await asyncio.wait_for(following, 5)
    assert text_of(entries) == "t0 t1 T2 "
    assert clears(entries) == 1


async def test_a_log_with_a_gap_is_not_told_and_not_read_for_ever(row):
    gap: Batch = [(Cursor(2, 0), Fence()), (Cursor(2, 1), Begin(after=Cursor(1, 4))), (Cursor(2, 2), Text("t3 ", 1))]
    await publish_events({row.id: gap})
    following = asyncio.create_task(told(row))
    await asyncio.sleep(0.3)
    before = await commands()
    await asyncio.sleep(0.5)
    assert await commands() - before < 10
    await publish_events({row.id: [(Cursor(2, 3), Text("t4 ", 1)), (Cursor(2, 4), END)]})
    await end(row, text=numbered(5))
    entries = await asyncio.wait_for(following, 5)
    assert text_of(entries) == numbered(5)
    assert clears(entries) == 2


async def test_an_answer_that_begins_again_after_a_gap_is_told(row):
    gap: Batch = [(Cursor(2, 0), Fence()), (Cursor(2, 1), Begin(after=Cursor(1, 4))), (Cursor(2, 2), Text("t3 ", 1))]
    await publish_events({row.id: gap})
    following = asyncio.create_task(told(row))
    await asyncio.sleep(0.2)
    await publish_events(
        {row.id: [(Cursor(3, 0), Fence()), (Cursor(3, 1), Begin(clear=True)), (Cursor(3, 2), Text("x", 1))]}
    )
    await publish_events({row.id: [(Cursor(3, 3), END)]})
    assert text_of(await following) == "x"


async def test_a_viewer_who_leaves_and_another_who_comes_do_not_disturb_each_other(row):
    await publish_events({row.id: LOG})
    for _ in range(20):
        async with aclosing(follow(row.id)) as batches:
            assert await anext(batches) == LOG
    assert not LogReader.for_this_loop().followers
    await publish_events({row.id: [(Cursor(1, 5), END)]})
    assert await told(row) == [*LOG, (Cursor(1, 5), END)]


async def test_one_connection_serves_all_viewers(alice, held, fake):
    fake.settings.rate = 100
    before = len(await shared_client().client_list())
    async with working(held):
        rows = [await ask(alice, 60) for _ in range(10)]
        following = [asyncio.create_task(told(row)) for row in rows * 3]
        await asyncio.sleep(0.3)
        assert len(await shared_client().client_list()) - before < 8
        for entries in await asyncio.gather(*following):
            assert text_of(entries) == numbered(60)
            assert clears(entries) == 0


async def test_a_viewer_survives_the_loss_of_its_connection(row):
    following = asyncio.create_task(told(row))
    await publish_events({row.id: LOG[:2]})
    await until(lambda: seen(row, Cursor(1, 2)))
    await shared_client().client_kill_filter(_type="normal", skipme=True)
    await publish_events({row.id: [*LOG[2:], (Cursor(1, 5), END)]})
    assert await asyncio.wait_for(following, 5) == [*LOG, (Cursor(1, 5), END)]


async def commands():
    return (await shared_client().info("stats"))["total_commands_processed"]


async def seen(row, cursor):
    return all(
        f.cursor >= cursor for f in LogReader.for_this_loop().followers.get(log_key(row.id), ())
    ) and row_followed(row)


def row_followed(row):
    return bool(LogReader.for_this_loop().followers.get(log_key(row.id)))
