"""Workers that die, sleep or are told to go in the middle of an answer, and those that come after them."""

import asyncio
import contextlib
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from redis.exceptions import ConnectionError as RedisConnectionError

from inference.log.events import Begin, Cursor, End, Fence, Finish, Text
from inference.models import MAX_ATTEMPTS, Generation
from inference.queue.submit import stop_generation
from inference.redis.log import publish_events, read_log
from inference.tasks import give_up
from inference.worker.publisher import Publisher
from inference.worker.quarantine import Quarantine
from inference.worker.relay import Relay
from inference.worker.worker import Worker
from jarvis.lib.config import config
from jarvis.lib.database import in_database
from tests.support.fake_engine import FIRST_ID, numbered
from tests.support.waiting import until
from tests.support.workers import NOT_PLAIN, ask, clears, doomed, killed, stored, text_of, tokens_told, told, working

pytestmark = pytest.mark.django_db(transaction=True)

LENGTH = 40


async def expire(row):
    """Let the lease run out."""
    await in_database(Generation.objects.filter(id=row.id).update, lease_until=Now())


async def has_told(row, count):
    return await tokens_told(row) >= count


async def killed_at(engine, row, tokens, fake):
    """A worker that dies when it has told so many tokens, while the engine makes the next."""
    fake.settings.stall_after = tokens - sum(1 for i in (fake.bodies or [{}])[-1].get("prompt", ()) if i >= FIRST_ID)
    async with doomed(engine):
        await until(lambda: fake.counters.running)
        await until(lambda: has_told(row, tokens))
    fake.settings.stall_after = -1


@pytest.mark.parametrize("tokens", [0, 1, 2, 3, 8, 13, 21, 30, 38, 39])
async def test_an_answer_whose_worker_was_killed_is_continued_exactly(alice, held, fake, tokens):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH)
    following = asyncio.create_task(told(row))
    await killed_at(held, row, tokens, fake)
    async with working(held):
        entries = await following
    assert text_of(entries) == numbered(LENGTH)
    assert "".join(e.text for _, e in entries if isinstance(e, Text)) == numbered(LENGTH)  # each token once
    ended = await stored(row)
    assert (ended.status, ended.text, ended.completion_tokens) == ("done", numbered(LENGTH), LENGTH)
    assert ended.prompt_tokens == 4
    assert (ended.attempt, fake.counters.continued) == (2, tokens > 0)


async def test_an_answer_whose_workers_are_killed_again_and_again_is_still_one(alice, held, fake):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH)
    following = asyncio.create_task(told(row))
    for tokens in (5, 12, 20, 28):
        await killed_at(held, row, tokens, fake)
    async with working(held):
        entries = await following
    assert "".join(e.text for _, e in entries if isinstance(e, Text)) == numbered(LENGTH)
    assert ((await stored(row)).attempt, (await stored(row)).completion_tokens) == (5, LENGTH)


async def test_many_answers_of_a_killed_worker_are_all_continued(alice, bob, held, fake):
    fake.settings.rate = 100
    rows = [await ask(owner, LENGTH) for owner in (alice, bob) * 10]
    following = [asyncio.create_task(told(row)) for row in rows]
    async with doomed(held):
        await until(lambda: has_told(rows[-1], 10))
    async with working(held):
        for row, entries in zip(rows, await asyncio.gather(*following), strict=True):
            assert "".join(e.text for _, e in entries if isinstance(e, Text)) == numbered(LENGTH)
            assert (await stored(row)).completion_tokens == LENGTH
    assert fake.counters.continued == 20


async def test_a_worker_elsewhere_takes_over_when_the_lease_has_run_out(alice, held, fake):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH)
    await killed_at(held, row, 10, fake)
    async with working(held, "elsewhere"):
        await asyncio.sleep(0.3)
        assert (await stored(row)).attempt == 1
        await expire(row)
        assert text_of(await told(row)) == numbered(LENGTH)
    assert (await stored(row)).attempt == 2


async def test_a_row_that_was_claimed_by_a_worker_that_died_before_it_began_is_answered(alice, held):
    row = await ask(alice, LENGTH)
    claim = Generation.objects.claim
    [claimed] = await in_database(claim, "here/1-dead", ["fake"], 1, Worker(held, "here").lease)
    assert claimed.id == row.id
    async with working(held):
        assert text_of(await told(row)) == numbered(LENGTH)
    assert (await stored(row)).attempt == 2


async def test_an_end_that_the_engine_gave_is_not_asked_for_again(alice, held, fake):
    row = await ask(alice, LENGTH)
    async with blocked_ledger(held) as worker:
        await until(lambda: finish_told(row))
        assert (await stored(row)).status == "running"
        assert worker.tasks
    requests = fake.counters.requests
    async with working(held):
        assert text_of(await told(row)) == numbered(LENGTH)
    assert fake.counters.requests == requests
    ended = await stored(row)
    assert (ended.status, ended.completion_tokens, ended.attempt) == ("done", LENGTH, 2)


@contextlib.asynccontextmanager
async def blocked_ledger(engine):
    """A worker that cannot store anything, and is killed."""
    worker = Worker(engine, "here")
    worker.result_writer.news = asyncio.Event()
    worker.result_writer.news.set = lambda: None  # type: ignore[method-assign]
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await killed(worker, task)


async def finish_told(row):
    return any(isinstance(entry, Finish) for _, entry in await read_log(row.id))


async def test_an_answer_that_was_stored_before_its_end_was_told_is_not_made_again(alice, held, fake):
    row = await ask(alice, LENGTH)
    async with doomed(held) as worker:
        worker.publisher.writer.publish = refuse
        following = asyncio.create_task(told(row))
        await until(lambda: is_done(row))
    async with working(held):
        entries = await asyncio.wait_for(following, 5)
    assert text_of(entries) == numbered(LENGTH)
    assert isinstance(entries[-1][1], End)
    assert (fake.counters.requests, (await stored(row)).attempt) == (1, 1)


async def refuse(batch):
    raise RedisConnectionError("away")


async def is_done(row):
    return (await stored(row)).status == "done"


@pytest.mark.parametrize("kind", ["tools", "n", "stop", "logprobs"])
async def test_an_answer_that_cannot_be_continued_begins_again_and_says_so(alice, held, fake, kind):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH, **NOT_PLAIN[kind])
    following = asyncio.create_task(told(row))
    async with doomed(held):
        await until(lambda: something_told(row))
    async with working(held):
        entries = await following
    assert text_of(entries) == numbered(LENGTH)
    assert clears(entries) == 1
    assert fake.counters.continued == 0
    ended = await stored(row)
    assert (ended.status, ended.text) == ("done", numbered(LENGTH))
    assert ended.completion_tokens == LENGTH * NOT_PLAIN[kind].get("n", 1)


async def something_told(row):
    return len(await read_log(row.id)) > 5


async def test_a_worker_that_slept_cannot_tell_or_store_any_more(alice, held, fake):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH)
    sleeper = Worker(held, "there")
    await sleeper.claim_rows()
    telling = asyncio.create_task(sleeper.publisher.run())
    await until(lambda: has_told(row, 10))
    telling.cancel()  # asleep, but what it reads from the engine still grows
    await asyncio.wait([telling])
    sleeper.publisher.may_read.set()
    await expire(row)
    async with working(held, "elsewhere"):
        entries = await told(row)
    await until(lambda: bool(sleeper.result_writer.waiting))
    log, before = await read_log(row.id), await stored(row)

    awake = [asyncio.create_task(part()) for part in (sleeper.publisher.run, sleeper.result_writer.run)]
    await until(lambda: not sleeper.tasks)
    await sleeper.publisher.flush()
    for task in awake:
        task.cancel()
    await asyncio.wait(awake)
    await sleeper.publisher.writer.close()
    assert text_of(entries) == numbered(LENGTH)
    assert await read_log(row.id) == log
    after = await stored(row)
    assert (after.attempt, after.finished_at, after.text) == (2, before.finished_at, numbered(LENGTH))


async def test_a_worker_drops_what_another_has_taken_and_frees_the_engine(alice, held, fake):
    fake.settings.rate = 20
    row = await ask(alice, LENGTH)
    async with working(held) as worker:
        await until(lambda: has_told(row, 3))
        await in_database(Generation.objects.filter(id=row.id).update, attempt=2, worker="other/1-x")
        await worker.renew_leases()
        await until(lambda: not worker.tasks, 1)
        await until(lambda: fake.counters.running == 0, 1)
        assert row.id not in worker.publisher.buffers
    assert (await stored(row)).status == "running"


async def test_a_worker_that_takes_its_own_row_again_tells_it_to_the_end(alice, held, fake):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH)
    following = asyncio.create_task(told(row))
    async with working(held) as worker:
        await until(lambda: has_told(row, 10))
        await expire(row)
        assert await worker.claim_rows() == 1
        entries = await following
    assert "".join(e.text for _, e in entries if isinstance(e, Text)) == numbered(LENGTH)
    ended = await stored(row)
    assert (ended.attempt, ended.completion_tokens) == (2, LENGTH)


async def test_a_worker_that_takes_a_row_again_while_it_stores_it_tells_the_end(alice, held):
    row = await ask(alice, LENGTH)
    async with working(held) as worker:
        store, worker.result_writer.news.set = worker.result_writer.news.set, lambda: None
        await until(lambda: bool(worker.result_writer.waiting))
        await expire(row)
        assert await worker.claim_rows() == 1
        await until(lambda: len(worker.result_writer.waiting) == 2)
        worker.result_writer.news.set = store
        store()
        await until(lambda: not worker.tasks)
        entries = await told(row)
        await until(lambda: not worker.publisher.buffers)
        log = await read_log(row.id)
    assert [type(entry) for _, entry in log[-1:]] == [End]
    assert text_of(entries) == text_of(log) == numbered(LENGTH)
    assert (await stored(row)).attempt == 2


async def test_a_draining_worker_finishes_what_it_can(alice, held, fake):
    fake.settings.rate = 100
    row = await ask(alice, LENGTH)
    async with working(held) as worker:
        await until(lambda: has_told(row, 5))
        worker.stopping.set()
        await until(lambda: is_done(row))
    ended = await stored(row)
    assert (ended.status, ended.attempt, ended.text) == ("done", 1, numbered(LENGTH))


async def test_a_draining_worker_claims_nothing_more(alice, held, fake):
    fake.settings.rate = 100
    first = await ask(alice, LENGTH)
    async with working(held) as worker:
        await until(lambda: has_told(first, 5))
        worker.stopping.set()
        second = await ask(alice, LENGTH)
        await until(lambda: is_done(first))
    assert (await stored(second)).status == "queued"


async def test_what_a_draining_worker_cannot_finish_is_handed_over_at_once(alice, held, fake, drain_seconds):
    fake.settings.rate = 20
    drain_seconds(0.2)
    row = await ask(alice, LENGTH)
    following = asyncio.create_task(told(row))
    async with working(held) as worker:
        await until(lambda: has_told(row, 5))
        worker.stopping.set()
        await until(lambda: fake.counters.running == 0)
    fake.settings.rate = 200
    async with working(held, "elsewhere"):
        entries = await asyncio.wait_for(following, config.lease_seconds - 1)  # not only when the lease has run out
    assert "".join(e.text for _, e in entries if isinstance(e, Text)) == numbered(LENGTH)
    assert (await stored(row)).completion_tokens == LENGTH


@pytest.fixture
def drain_seconds():
    """Set the time for draining in the one frozen configuration, and put it back."""
    before = config.drain_seconds

    def to(seconds):
        config.__dict__["drain_seconds"] = seconds

    yield to
    to(before)


async def test_a_row_that_no_worker_survives_is_given_up_with_a_reason(alice):
    row = await ask(alice, LENGTH)
    fields = {"status": "running", "attempt": MAX_ATTEMPTS, "worker": "dead/1-x", "lease_until": Now()}
    await in_database(Generation.objects.filter(id=row.id).update, **fields)
    await asyncio.sleep(0.05)
    assert await in_database(give_up) == 1
    ended = await stored(row)
    assert (ended.status, ended.error_code) == ("failed", "engine_error")
    assert (await asyncio.wait_for(told(row), 5))[-1][1].status == "failed"


async def test_what_was_stopped_while_its_worker_was_dead_keeps_its_text(alice, held, fake):
    fake.settings.rate = 100
    row = await ask(alice, LENGTH)
    await killed_at(held, row, 10, fake)
    await stop_generation(row.id)
    before = await tokens_told(row)
    async with working(held):
        entries = await told(row)
    ended = await stored(row)
    assert (ended.status, ended.text, ended.completion_tokens) == ("stopped", numbered(before), before)
    assert text_of(entries) == numbered(before)
    assert clears(entries) == 0
    assert fake.counters.requests == 1


async def test_what_cannot_be_continued_and_was_stopped_keeps_its_text_too(alice, held, fake):
    fake.settings.rate = 100
    row = await ask(alice, LENGTH, logprobs=True)
    async with doomed(held):
        await until(lambda: something_told(row))
    await stop_generation(row.id)
    shown = text_of(await read_log(row.id))
    async with working(held):
        assert text_of(await told(row)) == shown != ""
    ended = await stored(row)
    assert (ended.status, ended.text) == ("stopped", shown)


async def test_a_successor_closes_the_log_before_it_reads_it(alice, held, fake):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH)
    await killed_at(held, row, 10, fake)
    async with working(held):
        await told(row)
    log = await read_log(row.id)
    fence = next(index for index, (_, entry) in enumerate(log) if isinstance(entry, Fence))
    assert log[fence][0] == Cursor(2, 0)
    assert log[fence + 1] == (Cursor(2, 1), Begin(after=log[fence - 1][0]))


async def test_nothing_can_be_added_to_a_log_once_its_successor_has_read_it(alice, held, fake):
    fake.settings.rate = 200
    row = await ask(alice, LENGTH)
    await killed_at(held, row, 10, fake)
    last = (await read_log(row.id))[-1][0]
    await in_database(Generation.objects.release_slot, "here", "here/next")
    [again] = await in_database(Generation.objects.claim, "here/next", ["fake"], 1, timedelta(seconds=6))
    relay = Relay(again, held, Publisher(lambda *_: None), Quarantine())
    await relay.take_over_log()
    await publish_events({row.id: [(Cursor(last.attempt, last.index + 1), Text("too late ", 1, [1]))]})
    await relay.publisher.writer.close()
    assert await tokens_told(row) == 10
    assert relay.answer.text == numbered(10)
