"""Jarvis's web server and a worker in the test's own event loop, before a fake engine, and clients of it."""

import asyncio
import contextlib
import json
from dataclasses import dataclass

import aiohttp
import openai
import pytest

from accounts.models import ApiKey
from inference.api.model_list import get_catalogue
from inference.redis.client import close_client, shared_client
from jarvis.lib.api_errors import ApiError
from jarvis.lib.database import in_database
from tests.support.fake_engine import FakeEngine
from tests.support.live import serve
from tests.support.workers import FakeKeptEngine, working


@dataclass
class Live:
    url: str
    key: str
    fake: FakeEngine
    client: openai.AsyncOpenAI
    http: aiohttp.ClientSession
    row: ApiKey
    held: FakeKeptEngine


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
                (await get_catalogue()).check_ready(name)
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def live(alice, fake, held):
    row, key = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    try:
        async with serve() as url, working(held), open_to(url, key, fake, row, held) as live:
            await until_ready()
            yield live
    finally:  # also where something does not end as it should: who comes next finds nothing of it
        await shared_client().flushdb()
        await close_client()


HELLO = [{"role": "user", "content": "Hello"}]


def asked(**fields):
    return {"model": "fake", "messages": HELLO, "max_tokens": 10} | fields


async def post(live, body, **options):
    """Status, headers and body of a bare call."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with live.http.post("/v1/chat/completions", data=data, **options) as response:
        return response.status, response.headers, await response.read()


async def events(live, **fields):
    status, headers, body = await post(live, asked(stream=True, **fields))
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    return [line for line in body.decode().split("\n\n") if line]
