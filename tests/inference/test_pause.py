"""A worker that an administrator pauses finishes what it runs, takes nothing new, and stays so after a restart."""

import pytest
from django.contrib.auth.models import User

from inference import workers
from inference.redis.client import shared_client
from inference.redis.keys import WORKERS
from inference.redis.workers import worker_states, worker_states_sync
from inference.worker.worker import RATE_SECONDS, Rate
from inference.worker_state import WorkerState
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import ask, stored, tokens_told, told, working

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def carol(db):
    return User.objects.create_superuser("carol")


async def seen():
    [state] = await worker_states()
    return state


async def is_paused(wanted=True):
    states = await worker_states()
    return bool(states) and states[0].paused is wanted


async def some_told(row, count):
    return await tokens_told(row) >= count


async def test_a_paused_worker_finishes_takes_nothing_and_is_resumed(alice, carol, held, fake):
    fake.settings.rate = 100
    async with working(held) as worker:
        running = await ask(alice, 60)
        await until(lambda: some_told(running, 5))
        await worker.publish_state()
        await in_database(workers.pause_worker, await seen(), carol)
        await until(lambda: worker.state.paused)
        waiting = await ask(alice, 5)
        await told(running)
        assert (await stored(running)).text == numbered(60)
        await worker.claim_rows()
        assert (await stored(waiting)).status == "queued"
    async with working(held) as worker:  # it comes back, in the same place
        await until(is_paused)
        await worker.claim_rows()
        assert (await stored(waiting)).status == "queued"
        await in_database(workers.resume_worker, await seen())
        await told(waiting)
    assert (await stored(waiting)).status == "done"


async def test_one_that_is_paused_holds_up_no_other(alice, carol, held):
    await in_database(workers.pause_worker, WorkerState("x", "h", 1, 0.0, held.state, place="elsewhere"), carol)
    async with working(held):
        row = await ask(alice, 5)
        await told(row)


async def test_workers_are_known_without_a_look_at_every_key_and_forgotten_when_they_are_gone(held):
    async with working(held, "one"), working(held, "two"):
        await until(lambda: known(2))
        assert {state.place for state in worker_states_sync()} == {"one", "two"}
    assert await worker_states() == []
    await shared_client().sadd(WORKERS, "killed/1-a")
    assert await worker_states() == []
    assert await shared_client().smembers(WORKERS) == set()
    assert worker_states_sync() == []


async def known(count):
    return len(await worker_states()) == count


async def test_a_worker_tells_how_fast_it_is_and_what_memory_there_is(alice, held, fake):
    fake.settings.rate = 100
    async with working(held) as worker:
        row = await ask(alice, 200)
        await until(lambda: some_told(row, 50))
        await worker.publish_state()
        state = await seen()
        assert 0 < state.tokens_per_second < 200
        assert 0 < state.memory_available <= state.memory_total


def test_a_rate_is_that_of_the_last_seconds():
    rate = Rate()
    assert rate.update(0, 100.0) == 0.0
    assert rate.update(50, 101.0) == 50.0
    for second in range(2, 20):
        rate.update(50 + 10 * second, 100.0 + second)
    assert rate.update(50 + 200, 120.0) == pytest.approx(10.0)
    assert rate.update(0, 121.0) == 0.0
    assert len(rate.seen) <= RATE_SECONDS + 2
