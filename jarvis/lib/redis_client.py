"""How a client of Redis is opened. Commands are sent by `inference.redis` alone, and by Django's cache and channels."""

from contextlib import closing
from typing import Any

from redis import Redis, RedisError
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["ASYNC_OPTIONS", "SYNC_OPTIONS", "RedisError", "check_redis", "open_async_redis", "open_sync_redis"]

CONNECT_SECONDS = 2
REPLY_SECONDS = 2

# No client tries again by itself: who calls knows what may be sent twice, and how long it may take.
SYNC_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": REPLY_SECONDS,
    "retry": Retry(NoBackoff(), 0),
}
# No limit for a reply: redis-py sets it with `asyncio.wait_for`, which in Python 3.11 loses the cancellation of a task
# that comes at the wrong moment.
ASYNC_OPTIONS: dict[str, Any] = {"socket_connect_timeout": CONNECT_SECONDS, "retry": AsyncRetry(NoBackoff(), 0)}


def open_sync_redis(url: str, **options: Any) -> Redis:
    """A client for sync code; `options` go before the usual ones."""
    return Redis.from_url(url, **{**SYNC_OPTIONS, **options})


def open_async_redis(url: str, **options: Any) -> AsyncRedis:
    """A client for the running event loop, without a time limit for replies; `options` go before the usual ones."""
    return AsyncRedis.from_url(url, **{"socket_timeout": None, **ASYNC_OPTIONS, **options})


def check_redis(url: str, seconds: float = REPLY_SECONDS) -> None:
    """Raises RedisError where the server does not answer within `seconds`."""
    with closing(open_sync_redis(url, socket_connect_timeout=seconds, socket_timeout=seconds)) as client:
        client.ping()
