"""Redis and Postgres that are away for a while."""

import contextlib

import psycopg
import pytest
from django.db import connection
from redis.asyncio import Redis

from jarvis.lib.config import config


@contextlib.asynccontextmanager
async def redis_away():
    """Redis cuts all connections and takes no new ones."""
    async with Redis.from_url(config.redis) as admin:
        await admin.config_set("requirepass", "nobody knows it")
        for kind in ("normal", "pubsub"):
            await admin.client_kill_filter(_type=kind, skipme=True)
        try:
            yield
        finally:
            await admin.config_set("requirepass", "")


@pytest.fixture
def postgres_away(transactional_db):
    """A context in which Postgres cuts all connections to the test's database and takes no new ones."""
    settings = connection.settings_dict
    given = {
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    target = settings["NAME"]

    @contextlib.contextmanager
    def away():
        known = {name: value for name, value in given.items() if value}
        with psycopg.connect(dbname="postgres", autocommit=True, **known) as admin:
            admin.execute(f'ALTER DATABASE "{target}" ALLOW_CONNECTIONS false')
            try:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [target])
                yield
            finally:
                admin.execute(f'ALTER DATABASE "{target}" ALLOW_CONNECTIONS true')

    yield away
    connection.close()  # this thread's own was cut as well
