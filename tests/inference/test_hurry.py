"""A worker that is told to stop a second time."""

import asyncio

import pytest
from django.utils import timezone

from jarvis.lib.config import config
from tests.support.waiting import until
from tests.support.workers import ask, stored, tokens_told, working

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_second_signal_hands_over_what_runs_instead_of_finishing_it(alice, held, fake):
    fake.settings.rate = 2  # tokens a second: finishing would take longer than draining may
    row = await ask(alice, int(config.drain_seconds * 4))
    async with asyncio.timeout(config.drain_seconds / 2):
        async with working(held) as worker:
            await until(lambda: tokens_told(row))
            worker.stop()
            await asyncio.sleep(0.3)
            assert worker.tasks
            worker.stop()
    assert (await stored(row)).lease_until <= timezone.now()  # free to be claimed at once
