"""From the queue to the stored answer, with nothing dying."""

import pytest

from inference.log.events import End
from jarvis.lib.config import config
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import ask, stored, text_of, told, working

pytestmark = pytest.mark.django_db(transaction=True)


async def test_an_answer_is_told_and_stored_once(alice, held):
    async with working(held):
        row = await ask(alice, 20)
        entries = await told(row)
    assert text_of(entries) == numbered(20)
    assert isinstance(entries[-1][1], End)
    row = await stored(row)
    assert (row.status, row.text, row.finish_reason, row.attempt) == ("done", numbered(20), "length", 1)
    assert (row.prompt_tokens, row.completion_tokens) == (entries[-1][1].usage.prompt_tokens, 20)
    assert row.created_at <= row.started_at <= row.first_token_at <= row.finished_at


async def test_many_answers_run_at_once_and_each_is_whole(alice, bob, held, fake):
    fake.settings.rate = 25
    async with working(held):
        rows = [await ask(owner, 50) for owner in (alice, bob) * 10]
        for row in rows:
            assert text_of(await told(row)) == numbered(50)
    assert fake.counters.most_running == 20


async def test_an_engine_that_answers_nobody_is_doubted_and_one_that_answers_slowly_is_not(
    alice, held, fake, monkeypatch
):
    monkeypatch.setitem(config.__dict__, "engine_stall_seconds", 2)
    fake.settings.rate = 4
    async with working(held):
        row = await ask(alice, 12)
        await told(row)
        assert held.stall_checks == 0
        fake.settings.stall_after = 3
        await ask(alice, 12)
        await until(lambda: held.stall_checks)
