"""A client that speaks to the whole application, and the people who try its doors."""

import httpx
import pytest

from inference.redis.client import close_client
from jarvis.lib.database import in_database
from tests.support.callers import ORIGIN
from tests.support.gateway import live
from tests.support.live import static_files
from tests.support.sockets import model, open_as
from tests.support.workers import clean_redis, fake, held
from tests.support.world import Cast

__all__ = ["clean_redis", "fake", "held", "live", "model", "open_as"]


@pytest.fixture
async def cast(transactional_db):
    return await in_database(Cast.make)


@pytest.fixture
def alice(cast):
    return cast.alice


@pytest.fixture
async def http():
    """A client of the application itself: pages, resources and API as they are mounted."""
    from jarvis.asgi import http

    static_files()
    transport = httpx.ASGITransport(app=http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, timeout=30) as client:
        yield client
    await close_client()
