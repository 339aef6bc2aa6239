"""The connections to Redis, the scripts that it runs, and how long it may take to answer."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import wraps
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jarvis.lib.config import config
from jarvis.lib.event_loops import PerLoop
from jarvis.lib.redis_client import open_async_redis, open_sync_redis

P = ParamSpec("P")
T = TypeVar("T")

UNAVAILABLE_ERRORS = (RedisConnectionError, RedisTimeoutError, RedisError, OSError)
LUA_FOLDER = Path(__file__).parent
MAX_REPLY_SECONDS = 5
MAX_CONNECTIONS = 64  # of an event loop


def open_client(**options: Any) -> Redis:
    """A client of its own. It never retries by itself: who calls knows what may be sent twice.

    It has no time limit of its own either, see `limit_reply_time`.
    """
    return open_async_redis(config.redis, **options)


_clients: "PerLoop[Redis]" = PerLoop(lambda: open_client(max_connections=MAX_CONNECTIONS))


def shared_client() -> Redis:
    """The client that all tasks of this event loop share."""
    return _clients.get()


async def close_client() -> None:
    """Close this event loop's shared client."""
    if redis := _clients.pop():
        await redis.aclose()


@contextmanager
def open_sync_client() -> Iterator[SyncRedis]:
    """A connection for a few commands of sync code. They raise one of UNAVAILABLE_ERRORS where Redis is away."""
    with closing(open_sync_redis(config.redis)) as connection:
        yield connection


def limit_reply_time(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Raises TimeoutError, one of UNAVAILABLE_ERRORS, where Redis has not answered after MAX_REPLY_SECONDS."""

    @wraps(command)
    async def call_in_time(*args: P.args, **kwargs: P.kwargs) -> T:
        async with asyncio.timeout(MAX_REPLY_SECONDS):
            return await command(*args, **kwargs)

    return call_in_time


def read_lua(name: str) -> str:
    return (LUA_FOLDER / f"{name}.lua").read_text()


class Script(NamedTuple):
    text: str
    sha1: str

    @classmethod
    def load(cls, name: str) -> "Script":
        return cls.from_text(read_lua(name))

    @classmethod
    def from_text(cls, text: str) -> "Script":
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())

    async def run(self, keys: Sequence[str], arguments: Sequence[Any], redis: Redis | None = None) -> Any:
        """Run it; Redis mostly knows it by its hash."""
        redis = redis or shared_client()
        try:
            return await redis.evalsha(self.sha1, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(self.text, len(keys), *keys, *arguments)
