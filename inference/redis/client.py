"""The connections to Redis, the scripts that it runs, and how long it may take to answer."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import wraps
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jarvis.lib.config import config

P = ParamSpec("P")
T = TypeVar("T")

UNAVAILABLE_ERRORS = (RedisConnectionError, RedisTimeoutError, RedisError, OSError)
LUA_FOLDER = Path(__file__).parent
MAX_REPLY_SECONDS = 5
MAX_CONNECT_SECONDS = 2
MAX_SYNC_REPLY_SECONDS = 2
MAX_CONNECTIONS = 64  # of an event loop

_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Redis]" = weakref.WeakKeyDictionary()


def open_client(**options: Any) -> Redis:
    """A client of its own. It never retries by itself: who calls knows what may be sent twice.

    It has no time limit of its own either, see `limit_reply_time`: redis-py sets it with `asyncio.wait_for`, which in
    Python 3.11 loses the cancellation of a task that comes at the wrong moment.
    """
    settings = {
        "socket_timeout": None,
        "socket_connect_timeout": MAX_CONNECT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    } | options
    return Redis.from_url(config.redis, **settings)


def shared_client() -> Redis:
    """The client that all tasks of this event loop share."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = open_client(max_connections=MAX_CONNECTIONS)
    return _clients[loop]


async def close_client() -> None:
    """Close this event loop's shared client."""
    if redis := _clients.pop(asyncio.get_running_loop(), None):
        await redis.aclose()


@contextmanager
def open_sync_client() -> Iterator[SyncRedis]:
    """A connection for a few commands of sync code. They raise one of UNAVAILABLE_ERRORS where Redis is away."""
    limits = {"socket_timeout": MAX_SYNC_REPLY_SECONDS, "socket_connect_timeout": MAX_CONNECT_SECONDS}
    with closing(SyncRedis.from_url(config.redis, **limits)) as connection:
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
