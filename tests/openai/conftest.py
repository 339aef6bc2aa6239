"""Jarvis's web server and a worker in the test's own event loop, before a fake engine."""

import asyncio
import contextlib
from dataclasses import dataclass

import aiohttp
import hypothesis
import openai
import pytest

from accounts.models import ApiKey
from inference import wire
from inference.openai.catalogue import catalogue
from inference.openai.errors import ApiError
from jarvis.database import in_database
from tests.fake_engine import FakeEngine
from tests.inference.conftest import FakeHeld, alice, fake, held, working
from tests.live import serving

# Machines that run other work beside the tests are slow now and then; that is no fault of what is tested.
hypothesis.settings.register_profile(
    "calm", deadline=None, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("calm")

__all__ = ["alice", "fake", "held"]


@dataclass
class Live:
    url: str
    key: str
    fake: FakeEngine
    client: openai.AsyncOpenAI
    http: aiohttp.ClientSession
    row: ApiKey
    held: FakeHeld


@contextlib.asynccontextmanager
async def open_to(url, key, fake, row, held):
    """Both clients: the official one, and a bare one that has the key as well."""
    headers = {"authorization": f"Bearer {key}"}
    async with (
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30) as client,
        aiohttp.ClientSession(url, headers=headers) as http,
    ):
        yield Live(url, key, fake, client, http, row, held)


async def until_ready(name="fake"):
    async with asyncio.timeout(15):
        while True:
            with contextlib.suppress(ApiError):
                (await catalogue()).check(name)
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def live(alice, fake, held):
    row, key = await in_database(ApiKey.make, alice.pk, "test")
    async with serving() as url, working(held), open_to(url, key, fake, row, held) as live:
        await until_ready()
        yield live
    await wire.client().flushdb()
    await wire.close()
