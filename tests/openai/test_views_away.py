"""The /v1 routes while something behind them is away: an answer at once, never a hang, and all is well afterwards."""

import asyncio
import json

import pytest

from inference.api import responses
from inference.api.model_list import get_catalogue
from inference.models import Generation
from inference.redis.client import shared_client
from inference.redis.keys import ready_key
from inference.redis.workers import remove_state, worker_states
from jarvis.lib import disk
from jarvis.lib.database import in_database
from tests.support.away import postgres_away, redis_away
from tests.support.fake_engine import numbered
from tests.support.gateway import asked, events, post
from tests.support.waiting import until

__all__ = ["postgres_away"]

pytestmark = pytest.mark.django_db(transaction=True)


async def until_answered(live):
    async with asyncio.timeout(60):
        while (await post(live, asked()))[0] != 200:
            await asyncio.sleep(0.2)


async def refused(live, **fields):
    """The error of a call, which must be a 503 that says when to come back."""
    async with asyncio.timeout(15):
        status, headers, body = await post(live, asked(**fields))
    assert status == 503
    assert int(headers["retry-after"]) >= 1
    assert headers["x-request-id"]
    return json.loads(body)["error"]["code"]


async def until_phase(phase):
    """Until web processes know that the engine is in that phase."""
    async with asyncio.timeout(10):
        while [engine.phase for engine in (await get_catalogue()).engines] != [phase]:
            await asyncio.sleep(0.1)


async def forget_that_it_was_ready():
    await shared_client().delete(ready_key("fake"))
    async with asyncio.timeout(10):
        while (await get_catalogue()).ready_lately:
            await asyncio.sleep(0.1)


async def test_a_model_that_is_loaded_for_the_first_time_is_a_503(live):
    live.held.state.phase = "loading"
    await until_phase("loading")
    await forget_that_it_was_ready()
    assert await refused(live) == "model_loading"
    assert await refused(live, stream=True) == "model_loading"
    live.held.state.phase = "ready"
    await until_answered(live)


async def test_a_model_that_was_ready_lately_takes_calls_into_the_queue(live, monkeypatch):
    """A stream opens meanwhile, with comments that keep it alive."""
    monkeypatch.setattr(responses, "KEEP_ALIVE_SECONDS", 0.2)
    live.held.up.clear()
    live.held.state.phase = "starting"
    await until_phase("starting")
    whole = asyncio.create_task(post(live, asked()))
    async with live.http.post("/v1/chat/completions", json=asked(stream=True)) as response:
        assert response.status == 200
        assert (await response.content.readline()).startswith(b":")
        assert not whole.done()
        live.held.state.phase = "ready"
        live.held.up.set()
        streamed = await response.text()
    assert streamed.endswith("data: [DONE]\n\n")
    assert (await whole)[0] == 200


async def test_a_model_whose_last_worker_has_gone_takes_calls_for_a_while(live):
    states = await worker_states()
    await remove_state(states[0].name)  # published again within a second, as by a worker that takes its place
    assert (await post(live, asked()))[0] == 200


async def test_a_model_whose_start_has_failed_for_good_is_a_503_at_once(live):
    live.held.state.phase, live.held.state.given_up = "failed", True
    await until_phase("failed")
    assert await refused(live) == "model_loading"


async def test_without_redis_new_work_is_refused_and_comes_back(live):
    async with redis_away():
        await asyncio.sleep(0.6)  # what was known of the models a moment ago is still trusted
        assert await refused(live) == "overloaded"
        assert await refused(live, stream=True) == "overloaded"
    await until_answered(live)


async def test_a_stream_outlives_a_gap_of_redis(live):
    live.fake.settings.rate = 20
    streaming = asyncio.create_task(events(live, max_tokens=60))
    await until(lambda: live.fake.counters.generation_tokens > 10)
    async with redis_away():
        await asyncio.sleep(0.5)
    told = await streaming
    assert told[-1] == "data: [DONE]"
    deltas = [json.loads(event[6:])["choices"][0]["delta"] for event in told[:-1] if event.startswith("data: ")]
    assert "".join(delta.get("content") or "" for delta in deltas) == numbered(60)


async def test_without_postgres_new_work_is_refused_and_comes_back(live, postgres_away):
    with postgres_away():
        await asyncio.sleep(0.9)  # as long as a key is trusted
        assert await refused(live) == "overloaded"
        assert await refused(live, stream=True) == "overloaded"
    await until_answered(live)


async def test_a_stream_outlives_a_gap_of_postgres(live, postgres_away):
    live.fake.settings.rate = 20
    streaming = asyncio.create_task(events(live, max_tokens=60))
    await until(lambda: live.fake.counters.generation_tokens > 10)
    with postgres_away():
        await asyncio.sleep(0.5)
    told = await streaming
    assert told[-1] == "data: [DONE]"
    deltas = [json.loads(event[6:])["choices"][0]["delta"] for event in told[:-1] if event.startswith("data: ")]
    assert "".join(delta.get("content") or "" for delta in deltas) == numbered(60)
    await until_answered(live)


async def test_while_the_disk_is_full_nothing_new_is_accepted_and_what_runs_goes_on(live, configure, monkeypatch):
    live.fake.settings.rate = 20
    streaming = asyncio.create_task(events(live, max_tokens=20))
    await until(lambda: live.fake.counters.generation_tokens > 3)
    configure(database_url="")  # Postgres is an embedded one, with its data on this disk
    with monkeypatch.context() as patch:
        patch.setattr(disk, "free_bytes", lambda folder: disk.FULL_BYTES - 1)
        for stream in (False, True):
            status, headers, body = await post(live, asked(stream=stream))
            error = json.loads(body)["error"]
            assert (status, error["code"], headers["retry-after"]) == (503, "overloaded", "10")
            assert error["message"].startswith(disk.FULL_DISK)
        async with live.http.get("/health/ready") as ready:
            assert (ready.status, (await ready.json())["missing"]) == (503, ["disk"])
        assert (await streaming)[-1] == "data: [DONE]"
    assert (await post(live, asked()))[0] == 200
    assert await in_database(Generation.objects.count) == 2  # none of the others was written
