"""Jarvis's web server and a worker in the test's own event loop, before a fake engine."""

import asyncio
import contextlib
from dataclasses import dataclass

import aiohttp
import openai
import pytest
import uvicorn
from django.conf import settings

from accounts.models import ApiKey
from inference import wire
from inference.openai.catalogue import catalogue
from inference.openai.errors import ApiError
from jarvis.database import in_database
from tests.fake_engine import FakeEngine
from tests.inference.conftest import FakeHeld, alice, fake, held, working

__all__ = ["alice", "fake", "held"]


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield  # signals are the test runner's


@contextlib.asynccontextmanager
async def serving():
    """The address of the ASGI application while the block runs."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    from jarvis.asgi import application

    server = Server(uvicorn.Config(application, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not task.done()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


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
