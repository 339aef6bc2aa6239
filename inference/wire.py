"""Redis: every key name and every command that Jarvis itself sends. Every key expires.

| key | type | what |
| --- | --- | --- |
| `jarvis:log:{generation}` | stream | the generation's log, see `inference.entries` |
| `jarvis:wake:{process}` | stream | wakes a web process's reader when it has one more log to follow |
| `jarvis:worker:{name}` | string | a worker's state as JSON, gone when the worker is |
| `jarvis:workers` | set | names of the workers that have told a state lately |
| `jarvis:doorbell` | channel | "new work", or "stop this one", for all workers |
"""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import msgspec
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from inference.entries import START, Begin, Cursor, End, Entry, Fence, decode, encode
from inference.states import WorkerState
from jarvis.config import config

P = ParamSpec("P")
T = TypeVar("T")
Batch = Mapping[UUID, Sequence[tuple[Cursor, Entry]]]

AWAY = (RedisConnectionError, RedisTimeoutError, RedisError, OSError)
DOORBELL = "jarvis:doorbell"
OPEN_LOG_SECONDS = 6 * 3600
WAKE_SECONDS = 60
WORKER_SECONDS = 5
WORKERS = "jarvis:workers"
WORKERS_SECONDS = 3600
REPLY_SECONDS = 5

_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Redis]" = weakref.WeakKeyDictionary()


def connect(**options: Any) -> Redis:
    """A client of its own. It never retries by itself: who calls knows what may be sent twice.

    It has no time limit of its own either, see `in_time`: redis-py sets it with `asyncio.wait_for`, which in Python
    3.11 loses the cancellation of a task that comes at the wrong moment.
    """
    settings = {"socket_timeout": None, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)} | options
    return Redis.from_url(config.redis, **settings)


def client() -> Redis:
    """The client that all tasks of this event loop share."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = connect(max_connections=64)
    return _clients[loop]


async def close() -> None:
    """Close this event loop's shared client."""
    if redis := _clients.pop(asyncio.get_running_loop(), None):
        await redis.aclose()


def in_time(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Raises TimeoutError, which is among `AWAY`, where Redis has not answered after REPLY_SECONDS."""

    @wraps(command)
    async def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        async with asyncio.timeout(REPLY_SECONDS):
            return await command(*args, **kwargs)

    return limited


def worker_key(name: str) -> str:
    return f"jarvis:worker:{name}"


def log_key(generation: UUID) -> str:
    return f"jarvis:log:{generation}"


class LogLost(RedisError):
    """A log is gone in the middle of its answer: all of it must be published again."""


@in_time
async def publish(batch: Batch, redis: Redis | None = None) -> None:
    """Append entries to logs, all of them visible at once. Those there already, or fenced off, are passed over.

    Raises one of `AWAY` when Redis does not answer; nothing may then be assumed of what was written. Only a `Fence` or
    a `Begin` makes a log: where anything else finds none, LogLost is raised.
    """
    pipeline = (redis or client()).pipeline(transaction=True)
    for generation, entries in batch.items():
        key = log_key(generation)
        for cursor, entry in entries:
            if isinstance(entry, Fence | Begin):
                pipeline.execute_command("XADD", key, str(cursor), "e", encode(entry))
                pipeline.execute_command("EXPIRE", key, OPEN_LOG_SECONDS)
            else:
                pipeline.execute_command("XADD", key, "NOMKSTREAM", str(cursor), "e", encode(entry))
            if isinstance(entry, End):
                pipeline.execute_command("EXPIRE", key, config.log_seconds)
    for reply in await pipeline.execute(raise_on_error=False):
        if isinstance(reply, Exception) and not (isinstance(reply, ResponseError) and "equal or smaller" in str(reply)):
            raise reply
        if reply is None:
            raise LogLost("a log is gone")


class LogWriter:
    """One connection for publishing, which is never made again in silence.

    Redis may have come back without the latest entries, and a log with newer ones cannot take them any more. So the
    first `publish` after a lost connection fails before it writes anything, and its caller tells everything again.
    """

    def __init__(self) -> None:
        self.served = False
        self.redis = connect(max_connections=1, redis_connect_func=self.connected)

    async def connected(self, connection: AbstractConnection) -> None:
        if self.served:
            self.served = False
            raise RedisConnectionError("the connection was lost")
        await connection.on_connect()

    async def publish(self, batch: Batch) -> None:
        """As the function of that name."""
        await publish(batch, self.redis)
        self.served = True

    async def close(self) -> None:
        await self.redis.aclose()


@in_time
async def read_log(generation: UUID, after: Cursor = START, before: Cursor | None = None) -> list[tuple[Cursor, Entry]]:
    """The entries after one cursor and before another, oldest first."""
    end = f"({before}" if before else "+"
    rows = await client().execute_command("XRANGE", log_key(generation), f"({after}", end)
    return parse(rows)


def parse(rows: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[tuple[Cursor, Entry]]:
    return [(Cursor.parse(id), decode(fields[b"e"])) for id, fields in rows]


class LogReader:
    """One connection that waits for news in many logs at once."""

    def __init__(self, process: str) -> None:
        self.wake_key = f"jarvis:wake:{process}"
        self.wake_id = "0-0"
        self.redis = connect(single_connection_client=True)

    async def read(self, cursors: Mapping[str, Cursor], wait: float) -> dict[str, list[tuple[Cursor, Entry]]]:
        """News after the cursors, by log key; empty after `wait` seconds without any, or when woken."""
        streams = [self.wake_key, *cursors]
        ids = [self.wake_id, *map(str, cursors.values())]
        reply = await self.redis.execute_command("XREAD", "BLOCK", int(wait * 1000), "STREAMS", *streams, *ids)
        news = {}
        for key, rows in reply.items() if isinstance(reply, dict) else reply or ():
            if key.decode() == self.wake_key:
                self.wake_id = rows[-1][0].decode()
            else:
                news[key.decode()] = parse(rows)
        return news

    @in_time
    async def wake(self) -> None:
        """Make a waiting `read` return, or the next one not wait."""
        pipeline = client().pipeline(transaction=False)
        pipeline.execute_command("XADD", self.wake_key, "MAXLEN", "1", "*", "w", "")
        pipeline.execute_command("EXPIRE", self.wake_key, WAKE_SECONDS)
        await pipeline.execute()

    async def close(self) -> None:
        await self.redis.aclose()


@in_time
async def ring(message: str = "work") -> None:
    """Tell the workers: there is work, or `stop {generation}`."""
    await client().publish(DOORBELL, message)


def ring_now(*messages: str) -> None:
    """The same for sync code, on a connection of its own. Raises one of `AWAY`."""
    with closing(SyncRedis.from_url(config.redis, socket_timeout=2, socket_connect_timeout=2)) as connection:
        for message in messages:
            connection.publish(DOORBELL, message)


@asynccontextmanager
async def doorbell() -> AsyncIterator[AsyncIterator[str]]:
    """The messages that `ring` sends from now on. A ring while nobody listens is lost; workers poll as well."""
    redis = connect()
    subscription = redis.pubsub(ignore_subscribe_messages=True)

    async def messages() -> AsyncIterator[str]:
        async for message in subscription.listen():
            yield message["data"].decode()

    try:
        await subscription.subscribe(DOORBELL)
        yield messages()
    finally:
        await subscription.aclose()
        await redis.aclose()


@in_time
async def tell_state(state: WorkerState) -> None:
    """Publish a worker's state; it vanishes `WORKER_SECONDS` after the last time it was told."""
    pipeline = client().pipeline(transaction=False)
    pipeline.execute_command("SET", worker_key(state.name), msgspec.json.encode(state), "EX", WORKER_SECONDS)
    pipeline.execute_command("SADD", WORKERS, state.name)
    pipeline.execute_command("EXPIRE", WORKERS, WORKERS_SECONDS)
    await pipeline.execute()


@in_time
async def forget_state(name: str) -> None:
    pipeline = client().pipeline(transaction=False)
    pipeline.execute_command("DEL", worker_key(name))
    pipeline.execute_command("SREM", WORKERS, name)
    await pipeline.execute()


@in_time
async def worker_states() -> list[WorkerState]:
    """The states of all live workers, by name. Names of dead ones are forgotten on the way."""
    names: list[bytes] = sorted(await client().execute_command("SMEMBERS", WORKERS))
    if not names:
        return []
    values = await client().mget([worker_key(name.decode()) for name in names])
    gone = [name for name, value in zip(names, values, strict=True) if value is None]
    if gone:
        await client().srem(WORKERS, *gone)
    return [msgspec.json.decode(value, type=WorkerState) for value in values if value is not None]


def worker_states_now() -> list[WorkerState]:
    """The same for sync code, on a connection of its own. Raises one of `AWAY`."""
    with closing(SyncRedis.from_url(config.redis, socket_timeout=2, socket_connect_timeout=2)) as connection:
        names: list[bytes] = sorted(connection.execute_command("SMEMBERS", WORKERS))
        keys = [worker_key(name.decode()) for name in names]
        values: list[bytes | None] = connection.execute_command("MGET", *keys) if keys else []
    return [msgspec.json.decode(value, type=WorkerState) for value in values if value is not None]
