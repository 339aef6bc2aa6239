"""A conversation that is longer than the model's window loses its oldest messages, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.models import Generation
from inference.openai.request import check_chat_request
from inference.queue.submit import submit_generation
from inference.worker.context_window import MAX_MESSAGE_OVERHEAD_TOKENS, fit_messages
from tests.support.workers import stored, told, working

SYSTEM = {"role": "system", "content": "be kind"}


def turns(count, words=20):
    roles = ("user", "assistant")
    return [{"role": roles[k % 2], "content": f"m{k} " * words} for k in range(count)]


async def words(messages):
    return sum(len(message["content"].split()) for message in messages)


async def test_what_fits_is_left_alone_without_counting():
    async def count(_):
        raise AssertionError("nothing needs to be counted")

    messages = [SYSTEM, *turns(3)]
    assert await fit_messages(messages, 10_000, None, count) == messages


async def test_the_oldest_go_first_and_the_system_prompt_stays():
    messages = [SYSTEM, *turns(101)]
    kept = await fit_messages(messages, 400, None, words)
    assert kept[0] == SYSTEM
    assert kept[-1] == messages[-1]
    assert kept[1]["role"] == "user"
    assert kept[1:] == messages[-len(kept) + 1 :]
    assert 200 < await words(kept) <= 300


async def test_a_last_message_that_is_too_long_is_left_to_the_engine_to_refuse():
    last = {"role": "user", "content": "x " * 5000}
    assert await fit_messages([SYSTEM, *turns(4), last], 400, None, words) == [SYSTEM, last]


@given(st.integers(1, 60), st.integers(40, 3000), st.none() | st.integers(1, 5000))
async def test_as_much_as_possible_is_kept(count, window, limit):
    messages = turns(count * 2 - 1)
    room = window - min(limit or 1024, window // 4)
    kept = await fit_messages(messages, window, limit, words)
    assert kept == messages[len(messages) - len(kept) :]
    if len(kept) > 1 and sum(len(m["content"]) + MAX_MESSAGE_OVERHEAD_TOKENS for m in messages) > room:
        assert await words(kept) <= room
    if len(kept) < len(messages):
        assert await words(messages[len(messages) - len(kept) - 2 :]) > room


@pytest.mark.django_db(transaction=True)
async def test_a_conversation_is_cut_and_a_call_of_v1_is_not(alice, held, fake):
    held.state.max_model_len = fake.settings.max_model_len = 200
    value = {"model": "fake", "messages": [SYSTEM, *turns(41)], "max_tokens": 5}
    rows = [
        Generation(owner=alice, model="fake", door=door, request_id="x", request=check_chat_request(value).to_row())
        for door in ("chat", "v1")
    ]
    async with working(held):
        for row in rows:
            await submit_generation(row)
            await told(row)
    cut, whole = [await stored(row) for row in rows]
    assert (cut.status, cut.completion_tokens) == ("done", 5)
    assert cut.prompt_tokens <= 195
    assert (whole.status, whole.error_code) == ("failed", "context_length_exceeded")
