"""The /v1 routes while something behind them is away: an answer at once, never a hang, and all is well afterwards."""

import asyncio
import json

import pytest

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


async def test_a_model_that_is_being_loaded_is_a_503(live):
    live.held.state.phase = "loading"
    async with asyncio.timeout(10):
        while (await post(live, asked()))[0] != 503:
            await asyncio.sleep(0.2)
    assert await refused(live) == "model_loading"
    assert await refused(live, stream=True) == "model_loading"
    live.held.state.phase = "ready"
    await until_answered(live)


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
