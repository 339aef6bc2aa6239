"""What a relay makes of an engine's faults."""

import asyncio

import pytest

from inference.log.events import Choices, End, Text
from inference.models import MAX_ENGINE_DEATHS, Generation
from inference.queue.submit import submit_generation
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import NOT_PLAIN, TOOL, ask, clears, stored, text_of, tokens_told, told, working

pytestmark = pytest.mark.django_db(transaction=True)


async def once(fake, **faults):
    """Set faults, and take them back as soon as they have struck."""
    for name, value in faults.items():
        setattr(fake.settings, name, value)
    before = fake.counters.aborted + fake.counters.finished
    await until(lambda: fake.counters.aborted + fake.counters.finished > before)
    for name in faults:
        setattr(fake.settings, name, -1)


@pytest.mark.parametrize("position", [0, 1, 2, 7, 19, 39, 40])
async def test_an_answer_that_the_engine_cut_off_is_continued_exactly(alice, held, fake, position):
    async with working(held):
        row = await ask(alice, 40)
        entries, _ = await asyncio.gather(told(row), once(fake, cut_after=position))
    assert text_of(entries) == numbered(40)
    assert clears(entries) == 0
    ended = await stored(row)
    assert (ended.status, ended.text, ended.finish_reason, ended.attempt) == ("done", numbered(40), "length", 1)
    assert ended.completion_tokens == 40
    if 0 < position < 40:
        assert fake.counters.continued == 1
        assert fake.bodies[-1]["max_tokens"] == 40 - position
        assert fake.bodies[-1]["prompt"][-1] == 1000 + position - 1


async def test_what_an_engine_sends_in_larger_pieces_is_continued_exactly(alice, held, fake):
    fake.settings.tokens_per_chunk = 3
    async with working(held):
        row = await ask(alice, 40)
        entries, _ = await asyncio.gather(told(row), once(fake, cut_after=11))
    assert text_of(entries) == numbered(40)
    assert (await stored(row)).completion_tokens == 40


async def test_an_answer_that_ends_by_itself_is_continued_to_its_own_end(alice, held, fake):
    fake.settings.answer_tokens = 25
    async with working(held):
        row = await ask(alice, 40)
        entries, _ = await asyncio.gather(told(row), once(fake, cut_after=10))
    assert text_of(entries) == numbered(25)
    ended = await stored(row)
    assert (ended.finish_reason, ended.completion_tokens) == ("stop", 26)  # with the token that ends it


async def test_an_error_in_the_stream_is_a_loss_and_the_answer_goes_on(alice, held, fake):
    async with working(held):
        row = await ask(alice, 40)
        entries, _ = await asyncio.gather(told(row), once(fake, error_after=10))
    assert text_of(entries) == numbered(40)
    assert (await stored(row)).engine_deaths == 1


async def test_an_engine_that_breaks_again_and_again_but_gets_on_gives_the_whole_answer(alice, held, fake):
    fake.settings.cut_after = 10
    async with working(held):
        row = await ask(alice, 40)
        assert text_of(await told(row)) == numbered(40)
    ended = await stored(row)
    assert (ended.status, ended.completion_tokens, ended.engine_deaths) == ("done", 40, 3)


async def test_an_engine_that_breaks_too_often_fails_the_answer_with_a_reason(alice, held, fake):
    fake.settings.cut_after = 3
    async with working(held):
        row = await ask(alice, 40)
        entries = await told(row)
    end = entries[-1][1]
    assert (end.status, end.finish_reason, end.problem.code) == ("failed", "error", "engine_error")
    ended = await stored(row)
    assert (ended.status, ended.engine_deaths, ended.error_code) == ("failed", MAX_ENGINE_DEATHS, "engine_error")
    assert ended.error_message == end.problem.message
    assert ended.text == numbered(3 * MAX_ENGINE_DEATHS)  # what there is, is kept
    assert ended.completion_tokens == 3 * MAX_ENGINE_DEATHS


async def test_a_refusal_is_told_at_once_and_not_tried_again(alice, held, fake):
    fake.settings.max_model_len = held.state.max_model_len = 100
    held.state.max_model_len = 0  # the worker does not know the window
    async with working(held):
        row = await ask(alice, 200)
        end = (await told(row))[-1][1]
    assert (end.status, end.problem.code) == ("failed", "context_length_exceeded")
    assert (await stored(row)).engine_deaths == 0
    assert fake.counters.requests == 0


async def test_a_refusal_harms_no_neighbour(alice, held, fake):
    fake.settings.rate = 100
    fake.settings.max_model_len, held.state.max_model_len = 500, 0
    async with working(held):
        good = await ask(alice, 60)
        bad = await ask(alice, 600)
        assert text_of(await told(good)) == numbered(60)
        assert (await stored(bad)).status == "failed"


async def test_an_engine_that_is_not_there_is_waited_for(alice, held, fake):
    await fake.stop()
    async with working(held):
        row = await ask(alice, 10)
        await asyncio.sleep(1.5)
        assert (await stored(row)).status == "running"
        await fake.start()
        assert text_of(await told(row)) == numbered(10)
    assert (await stored(row)).engine_deaths == 0


async def test_nothing_is_claimed_before_the_engine_is_ready(alice, held, fake):
    held.up.clear()
    async with working(held):
        row = await ask(alice, 10)
        await asyncio.sleep(1.2)
        assert (await stored(row)).status == "queued"
        held.up.set()
        assert text_of(await told(row)) == numbered(10)


@pytest.mark.parametrize("kind", [kind for kind in NOT_PLAIN if kind != "schema"])
async def test_an_answer_that_cannot_be_continued_begins_again_and_says_so(alice, held, fake, kind):
    async with working(held):
        row = await ask(alice, 40, **NOT_PLAIN[kind])
        entries, _ = await asyncio.gather(told(row), once(fake, cut_after=12))
    assert text_of(entries) == numbered(40)
    assert clears(entries) == 1
    assert fake.counters.continued == 0
    ended = await stored(row)
    assert (ended.status, ended.text) == ("done", numbered(40))
    assert ended.completion_tokens == 40 * NOT_PLAIN[kind].get("n", 1)


async def test_a_tool_call_is_stored_whole(alice, held, fake):
    async with working(held):
        row = await ask(alice, 40, tools=[TOOL])
        entries = await told(row)
    assert any(isinstance(entry, Choices) for _, entry in entries)
    [choice] = (await stored(row)).choices
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Bilbao"}'}


async def test_more_tokens_than_the_window_has_are_cut_to_it(alice, held, fake):
    fake.settings.max_model_len = held.state.max_model_len = 50
    async with working(held):
        row = await ask(alice, 2000)
        await told(row)
    [body] = fake.bodies
    assert 0 < body["max_tokens"] <= 50


async def test_a_request_that_cannot_be_read_fails_alone(alice, held, fake):
    fake.settings.rate = 100
    async with working(held):
        good = await ask(alice, 60)
        bad = Generation(owner=alice, model="fake", door="v1", request_id="r", request={"model": 5})
        await submit_generation(bad)
        assert text_of(await told(good)) == numbered(60)
        assert (await told(bad))[-1][1].problem.code == "internal_error"


async def test_each_token_is_told_as_it_comes(alice, held, fake):
    fake.settings.rate = 20
    async with working(held):
        row = await ask(alice, 10)
        await until(lambda: some_told(row))
        assert (await stored(row)).status == "running"
        entries = await told(row)
    assert sum(isinstance(entry, Text) for _, entry in entries) == 10
    assert isinstance(entries[-1][1], End)


async def some_told(row):
    return 0 < await tokens_told(row) < 10
