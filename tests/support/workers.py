"""A worker and a fake engine in the test's own event loop, with real Postgres and Redis."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest
from django.contrib.auth.models import User

from inference.log.events import Begin, Choices, Text
from inference.log.follow import follow
from inference.models import Generation
from inference.openai.request import check_chat_request
from inference.queue.submit import submit_generation
from inference.redis.client import UNAVAILABLE_ERRORS, close_client, shared_client
from inference.redis.log import read_log
from inference.worker.worker import Worker
from inference.worker_state import EngineState
from jarvis.lib.database import in_database
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import end_tasks


@pytest.fixture(autouse=True)
async def clean_redis(request):
    yield
    with contextlib.suppress(*UNAVAILABLE_ERRORS):
        await shared_client().flushdb()
    await close_client()
    await end_tasks()


class FakeKeptEngine:
    """The engine contract on top of a fake engine's socket."""

    base_url = "http://engine"

    def __init__(self, path):
        self.path = path
        self.state = EngineState(phase="ready", model="fake", max_model_len=100_000, slots=64)
        self.deaths = self.stall_checks = 0
        self.unknown_fields: set[str] = set()
        self.sessions = None
        self.up = asyncio.Event()
        self.up.set()

    def session(self):
        if self.sessions is None:
            connector = aiohttp.UnixConnector(str(self.path), limit=0, keepalive_timeout=4)
            self.sessions = aiohttp.ClientSession(connector=connector, read_bufsize=1, timeout=aiohttp.ClientTimeout())
        return self.sessions

    async def wait_ready(self):
        await self.up.wait()

    def list_gpus(self):
        return []

    async def verify(self):
        return self.up.is_set()

    async def check_stall(self):
        self.stall_checks += 1

    async def close(self):
        if self.sessions is not None:
            await self.sessions.close()


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice")


@pytest.fixture
def bob(db):
    return User.objects.create_user("bob")


@pytest.fixture
async def fake(tmp_path):
    async with FakeEngine(tmp_path / "engine.sock") as engine:
        yield engine


@pytest.fixture
async def held(fake, tmp_path):
    engine = FakeKeptEngine(tmp_path / "engine.sock")
    yield engine
    await engine.close()


@contextlib.asynccontextmanager
async def working(engine, place="here"):
    """A worker that runs until the end of the block, and then hands over what it has not finished."""
    worker = Worker(engine, place)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        worker.stop()
        await asyncio.wait_for(task, 30)


async def killed(worker, task):
    """End a worker as SIGKILL would: nothing is drained, released, told or stored, and its connections close."""
    tasks = [task, *worker.tasks.values(), *(relay.read_task for relay in worker.relays.values() if relay.read_task)]
    for one in tasks:
        one.cancel()
    _, left = await asyncio.wait(tasks, timeout=5)
    assert not left, [(one.get_name(), one.get_stack()) for one in asyncio.all_tasks()]
    await worker.publisher.writer.close()


@contextlib.asynccontextmanager
async def doomed(engine, place="here"):
    """A worker that is killed at the end of the block."""
    worker = Worker(engine, place)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await killed(worker, task)


async def ask(owner, max_tokens=20, **fields):
    """A generation in the queue."""
    value = {"model": "fake", "messages": [{"role": "user", "content": "count"}], "max_tokens": max_tokens} | fields
    request = check_chat_request(value)
    row = Generation(owner=owner, model="fake", door="v1", request_id="test", request=request.to_row())
    await submit_generation(row)
    return row


async def told(row, **options):
    """All entries of a generation, as a follower gets them."""
    async with asyncio.timeout(30):
        return [pair async for batch in follow(row.id, **options) for pair in batch]


async def stored(row):
    return await in_database(Generation.objects.get, id=row.id)


async def tokens_told(row):
    """How many tokens the log of a generation holds now."""
    return sum(entry.tokens for _, entry in await read_log(row.id) if isinstance(entry, Text))


def text_of(entries):
    """What a viewer sees at the end who has been told these entries."""
    shown = ""
    for _, entry in entries:
        match entry:
            case Begin(clear=True):
                shown = ""
            case Text(text=text):
                shown += text
            case Choices(choices=choices):
                shown += "".join(choice["delta"].get("content") or "" for choice in choices if choice["index"] == 0)
    return shown


def clears(entries):
    return sum(isinstance(entry, Begin) and entry.clear for _, entry in entries)


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


NOT_PLAIN: dict[str, dict[str, Any]] = {
    "tools": {"tools": [TOOL], "tool_choice": "none"},
    "n": {"n": 2},
    "stop": {"stop": ["never said"]},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "schema": {"response_format": {"type": "json_object"}},
}
