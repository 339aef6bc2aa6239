"""The ledger is exact: what is billed is what the engine counted, whoever leaves and whenever."""

import asyncio
import json
import random
from decimal import Decimal

import pytest
from django.db.models import Sum

from inference.log.events import Usage
from inference.models import Generation, LanguageModel
from inference.queue.outcome import Outcome, store_outcomes
from inference.queue.submit import stop_generation
from jarvis.lib.database import in_database
from tests.support.gateway import live  # noqa: F401
from tests.support.waiting import until
from tests.support.workers import ask, doomed, stored, tokens_told, told, working

CALLS, AT_ONCE = 500, 40
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


# What a call costs


@pytest.fixture
def model(db):
    return LanguageModel.objects.create(name="fake", source="x", price_input="2.50", price_output="10")


def billed(owner, usage):
    row = Generation.objects.create(owner=owner, model="fake", door="v1", request_id="r", status="running", attempt=1)
    store_outcomes([Outcome(row.id, 1, "done", usage=usage)])
    row.refresh_from_db()
    return row.cost


def test_a_call_costs_its_tokens_by_the_prices_of_its_model(model, alice):
    assert billed(alice, Usage(1_000_000, 0)) == Decimal("2.50")
    assert billed(alice, Usage(0, 1_000_000)) == 10
    assert billed(alice, Usage(7, 3)) == Decimal("0.0000475")  # exact, not rounded


def test_cached_tokens_have_a_price_of_their_own_or_that_of_others(model, alice):
    assert billed(alice, Usage(100, 0, 60)) == Decimal("0.00025")
    LanguageModel.objects.update(price_cached="0.25")
    assert billed(alice, Usage(100, 0, 60)) == Decimal("0.000115")


def test_a_new_price_changes_no_old_cost(model, alice):
    first = billed(alice, Usage(10, 10))
    LanguageModel.objects.update(price_output=1000)
    assert billed(alice, Usage(10, 10)) > first
    assert Generation.objects.order_by("created_at").first().cost == first


@pytest.mark.parametrize("name", ["fake", "unknown"])
def test_where_no_price_is_set_there_is_no_cost(db, alice, name):
    LanguageModel.objects.create(name=name, source="x")
    assert billed(alice, Usage(10, 10)) is None


# Who leaves, and when


def billed_in_all():
    sums = Generation.objects.aggregate(prompt=Sum("prompt_tokens"), said=Sum("completion_tokens"))
    return sums["prompt"] or 0, sums["said"] or 0


def all_ended():
    return not Generation.objects.open().exists()


class Caller:
    """Calls that are left at random points: before the first token, in the middle, or not at all."""

    def __init__(self, live, seed):  # noqa: F811
        self.live = live
        self.dice = random.Random(seed)
        self.left = 0

    async def call(self):
        body = {"model": "fake", "messages": [{"role": "user", "content": "count"}], "stream": True}
        body["max_tokens"] = self.dice.randint(1, 60)
        if self.dice.random() < 0.1:
            body |= {"n": 2}
        if self.dice.random() < 0.1:
            body |= {"logprobs": True}
        if self.dice.random() < 0.1:
            del body["stream"]
        leaves = self.dice.choice(["never", "soon", "after", "after"])
        call = asyncio.create_task(self.read(body, self.dice.randint(1, 40) if leaves == "after" else None))
        if leaves == "soon":
            await asyncio.wait([call], timeout=self.dice.uniform(0, 0.3))
        else:
            await asyncio.wait([call], timeout=20)
        self.left += not call.done()
        call.cancel()
        await asyncio.wait([call])

    async def read(self, body, events):
        """Read so many events and close the connection."""
        async with self.live.http.post("/v1/chat/completions", data=json.dumps(body).encode()) as response:
            assert response.status == 200, await response.text()
            async for line in response.content:
                if line.startswith(b"data:") and events is not None:
                    events -= 1
                    if events == 0:
                        self.left += 1
                        response.close()
                        return


@pytest.mark.django_db(transaction=True)
async def test_over_500_calls_with_random_disconnects_the_ledger_is_the_engines_own_count(live):  # noqa: F811
    live.fake.settings.rate = 300
    live.fake.settings.slots = 30  # some wait in the engine
    caller = Caller(live, seed=7)
    calls = [caller.call() for _ in range(CALLS)]

    async def work():
        while calls:
            await calls.pop()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await until(lambda: in_database(all_ended), 30)
    counted = live.fake.counters
    assert caller.left > CALLS / 3
    assert counted.aborted > CALLS / 10
    assert await in_database(billed_in_all) == (counted.prompt_tokens, counted.generation_tokens)
    assert (counted.running, counted.waiting) == (0, 0)
    rows = await in_database(lambda: list(Generation.objects.values_list("status", "text", "completion_tokens")))
    assert {status for status, *_ in rows} == {"done", "stopped"}


@pytest.mark.django_db(transaction=True)
async def test_an_engine_that_cannot_abort_by_id_has_its_connection_closed(alice, held, fake):
    fake.settings.rate, fake.settings.scale_out = 50, False
    async with working(held):
        row = await ask(alice, 500)
        await until(lambda: some_told(row, 5))
        await stop_generation(row.id)
        await until(lambda: fake.counters.running == 0, 1)
        await told(row)
    said = (await stored(row)).completion_tokens
    assert 5 <= said <= fake.counters.generation_tokens <= said + 2


async def some_told(row, count):
    return await tokens_told(row) >= count


@pytest.mark.django_db(transaction=True)
async def test_an_engine_that_does_not_hear_of_the_abort_is_left_all_the_same(alice, held, fake, monkeypatch):
    """Its connection is closed when the time is over."""
    fake.settings.rate = 50
    monkeypatch.setattr("inference.worker.relay.MAX_ABORT_SECONDS", 0.3)
    async with working(held):
        row = await ask(alice, 500)
        await until(lambda: some_told(row, 5))
        fake.plans.clear()
        fake.plans = Deaf()
        await stop_generation(row.id)
        await until(lambda: fake.counters.running == 0, 2)
        await told(row)
    assert (await stored(row)).status == "stopped"


class Deaf(dict):
    def get(self, *_):
        return None

    def __delitem__(self, _):
        pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fields", [{}, {"n": 2}, {"logprobs": True}])
async def test_an_answer_that_is_stopped_while_no_worker_lives_is_billed_as_it_was_told(alice, held, fake, fields):
    fake.settings.rate = 50
    async with doomed(held):
        row = await ask(alice, 500, **fields)
        await until(lambda: fake.counters.generation_tokens >= 20)
        await asyncio.sleep(0.1)
    await stop_generation(row.id)
    async with working(held):
        await until(lambda: ended(row))
    kept = await stored(row)
    assert kept.status == "stopped"
    said = len(kept.text.split()) * fields.get("n", 1)
    assert abs(kept.completion_tokens - said) < fields.get("n", 1)  # of two choices one may be a token ahead
    assert kept.completion_tokens >= 20
    assert kept.prompt_tokens == 4


async def ended(row):
    return (await stored(row)).ended


@pytest.mark.django_db(transaction=True)
async def test_a_taken_over_answer_bills_each_token_that_it_tells_once(alice, held, fake):
    """The engine has counted more: what the first worker never got, and the prompt once for each call."""
    fake.settings.rate = 100
    async with doomed(held):
        row = await ask(alice, 60)
        await until(lambda: some_told(row, 20))
    async with working(held):
        await told(row)
    kept = await stored(row)
    assert (kept.attempt, kept.prompt_tokens, kept.completion_tokens) == (2, 4, 60)
    assert fake.counters.generation_tokens >= 60
