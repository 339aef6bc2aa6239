"""Redis: every key name and every command that Jarvis itself sends. Every key expires.

| key | type | what |
| --- | --- | --- |
| `jarvis:log:{generation}` | stream | the generation's log, see `inference.log.events` |
| `jarvis:wake:{process}` | stream | wakes a web process's reader when it has one more log to follow |
| `jarvis:worker:{name}` | string | a worker's state as JSON, gone when the worker is |
| `jarvis:workers` | set | names of the workers that have told a state lately |
| `jarvis:doorbell` | channel | "new work", or "stop this one", for all workers |
| `jarvis:rate:{subject}:requests`, `:tokens` | hash | what somebody has used in the last minute, by second |
| `jarvis:open:{subject}` | hash | the calls that somebody has under way, and the tokens that each may take |
| `jarvis:used:{subject}:{month}` | hash | what somebody has used of a budget, learnt from Postgres |
| `jarvis:hold:{generation}` | string | what a call holds of limits until its end |
| `jarvis:holds` | sorted set | all such calls by the time when they are looked up, in case nobody told their end |
| `jarvis:holds:known` | string | gone when Redis has lost its data: the calls under way are then learnt from Postgres |

The scripts in `inference/redis/` get these names from here.
"""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime
from functools import wraps
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar
from uuid import UUID

import msgspec
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from accounts.limit_rules import Allowance
from inference.log.events import START, Begin, Cursor, End, Event, Fence, decode_event, encode_event
from inference.worker_state import WorkerState
from jarvis.lib.config import config

P = ParamSpec("P")
T = TypeVar("T")
Batch = Mapping[UUID, Sequence[tuple[Cursor, Event]]]

UNAVAILABLE_ERRORS = (RedisConnectionError, RedisTimeoutError, RedisError, OSError)
LUA = Path(__file__).parent
DOORBELL = "jarvis:doorbell"
OPEN_LOG_SECONDS = 6 * 3600
WAKE_SECONDS = 60
WORKER_SECONDS = 5
WORKERS = "jarvis:workers"
WORKERS_SECONDS = 3600
MAX_REPLY_SECONDS = 5
HOLDS, HOLDS_KNOWN = "jarvis:holds", "jarvis:holds:known"
HOLD_SECONDS = 30  # after which the row of a call is looked at
KNOWN_SECONDS = 7 * 24 * 3600


class Script(NamedTuple):
    text: str
    sha1: str

    @classmethod
    def load(cls, name: str) -> "Script":
        return cls.from_text((LUA / f"{name}.lua").read_text())

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


RESERVE, SETTLE, DUE, LEARN = map(Script.load, ("reserve", "settle", "due", "learn"))
# A script cannot call another one, so this has that of settling inside.
PUBLISH = Script.from_text(
    f"local function settle(KEYS, ARGV)\n{SETTLE.text}\nend\n{(LUA / 'publish.lua').read_text()}"
)

_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Redis]" = weakref.WeakKeyDictionary()


def open_client(**options: Any) -> Redis:
    """A client of its own. It never retries by itself: who calls knows what may be sent twice.

    It has no time limit of its own either, see `in_time`: redis-py sets it with `asyncio.wait_for`, which in Python
    3.11 loses the cancellation of a task that comes at the wrong moment.
    """
    settings = {"socket_timeout": None, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)} | options
    return Redis.from_url(config.redis, **settings)


def shared_client() -> Redis:
    """The client that all tasks of this event loop share."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = open_client(max_connections=64)
    return _clients[loop]


async def close_client() -> None:
    """Close this event loop's shared client."""
    if redis := _clients.pop(asyncio.get_running_loop(), None):
        await redis.aclose()


def limit_reply_time(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Raises TimeoutError, one of UNAVAILABLE_ERRORS, where Redis has not answered after MAX_REPLY_SECONDS."""

    @wraps(command)
    async def call_in_time(*args: P.args, **kwargs: P.kwargs) -> T:
        async with asyncio.timeout(MAX_REPLY_SECONDS):
            return await command(*args, **kwargs)

    return call_in_time


def worker_key(name: str) -> str:
    return f"jarvis:worker:{name}"


def log_key(generation: UUID) -> str:
    return f"jarvis:log:{generation}"


def hold_key(generation: UUID) -> str:
    return f"jarvis:hold:{generation}"


def open_calls_key(subject: str) -> str:
    return f"jarvis:open:{subject}"


def budget_key(subject: str, month: datetime) -> str:
    return f"jarvis:used:{subject}:{month:%Y-%m}"


class LogLost(RedisError):
    """A log is gone in the middle of its answer: all of it must be published again."""


@limit_reply_time
async def publish_events(batch: Batch, redis: Redis | None = None) -> None:
    """Append entries to logs, all of them visible at once. Those there already, or fenced off, are passed over.

    Raises one of UNAVAILABLE_ERRORS when Redis does not answer; nothing may then be assumed of what was written. Only a `Fence` or
    a `Begin` makes a log: where anything else finds none, LogLost is raised.
    """
    check_reply(await PUBLISH.run((), (encode_batch(batch),), redis))


def publish_events_sync(batch: Batch) -> None:
    """The same for sync code, on a connection of its own."""
    with closing(SyncRedis.from_url(config.redis, socket_timeout=2, socket_connect_timeout=2)) as connection:
        check_reply(connection.eval(PUBLISH.text, 0, encode_batch(batch)))


def encode_batch(batch: Batch) -> bytes:
    """A batch as `publish.lua` reads it."""
    logs = []
    for generation, entries in batch.items():
        lines, seconds, ended = [], 0, None
        for cursor, entry in entries:
            makes = isinstance(entry, Fence | Begin)
            lines.append((str(cursor), encode_event(entry).decode(), makes))  # Redis knows no other kind of text
            if makes:
                seconds = OPEN_LOG_SECONDS
            if isinstance(entry, End):
                seconds = config.log_seconds
                tokens = entry.usage.prompt_tokens + entry.usage.completion_tokens
                ended = (hold_key(generation), HOLDS, str(generation), str(tokens))
        logs.append((log_key(generation), lines, seconds, ended))
    return msgspec.msgpack.encode(logs)


def check_reply(there: Any) -> None:
    if not there:
        raise LogLost("a log is gone")


class LogWriter:
    """One connection for publishing, which is never made again in silence.

    Redis may have come back without the latest entries, and a log with newer ones cannot take them any more. So the
    first `publish` after a lost connection fails before it writes anything, and its caller tells everything again.
    """

    def __init__(self) -> None:
        self.served = False
        self.redis = open_client(max_connections=1, redis_connect_func=self.check_connection)

    async def check_connection(self, connection: AbstractConnection) -> None:
        if self.served:
            self.served = False
            raise RedisConnectionError("the connection was lost")
        await connection.on_connect()

    async def publish(self, batch: Batch) -> None:
        """As the function of that name."""
        await publish_events(batch, self.redis)
        self.served = True

    async def close(self) -> None:
        await self.redis.aclose()


@limit_reply_time
async def read_log(generation: UUID, after: Cursor = START, before: Cursor | None = None) -> list[tuple[Cursor, Event]]:
    """The entries after one cursor and before another, oldest first."""
    end = f"({before}" if before else "+"
    rows = await shared_client().execute_command("XRANGE", log_key(generation), f"({after}", end)
    return parse_rows(rows)


def parse_rows(rows: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[tuple[Cursor, Event]]:
    return [(Cursor.parse(id), decode_event(fields[b"e"])) for id, fields in rows]


class LogConnection:
    """One connection that waits for news in many logs at once."""

    def __init__(self, process: str) -> None:
        self.wake_key = f"jarvis:wake:{process}"
        self.wake_id = "0-0"
        self.redis = open_client(single_connection_client=True)

    async def read(self, cursors: Mapping[str, Cursor], wait: float) -> dict[str, list[tuple[Cursor, Event]]]:
        """News after the cursors, by log key; empty after `wait` seconds without any, or when woken."""
        streams = [self.wake_key, *cursors]
        ids = [self.wake_id, *map(str, cursors.values())]
        reply = await self.redis.execute_command("XREAD", "BLOCK", int(wait * 1000), "STREAMS", *streams, *ids)
        news = {}
        for key, rows in reply.items() if isinstance(reply, dict) else reply or ():
            if key.decode() == self.wake_key:
                self.wake_id = rows[-1][0].decode()
            else:
                news[key.decode()] = parse_rows(rows)
        return news

    @limit_reply_time
    async def wake(self) -> None:
        """Make a waiting `read` return, or the next one not wait."""
        pipeline = shared_client().pipeline(transaction=False)
        pipeline.execute_command("XADD", self.wake_key, "MAXLEN", "1", "*", "w", "")
        pipeline.execute_command("EXPIRE", self.wake_key, WAKE_SECONDS)
        await pipeline.execute()

    async def close(self) -> None:
        await self.redis.aclose()


@limit_reply_time
async def ring_doorbell(message: str = "work") -> None:
    """Tell the workers: there is work, or `stop {generation}`."""
    await shared_client().publish(DOORBELL, message)


def ring_doorbell_sync(*messages: str) -> None:
    """The same for sync code, on a connection of its own. Raises one of UNAVAILABLE_ERRORS."""
    with closing(SyncRedis.from_url(config.redis, socket_timeout=2, socket_connect_timeout=2)) as connection:
        for message in messages:
            connection.publish(DOORBELL, message)


def forget_logs_sync(generations: Iterable[UUID]) -> None:
    """Remove the logs of generations that have ended, before their time. Raises one of UNAVAILABLE_ERRORS."""
    keys = [log_key(generation) for generation in generations]
    with closing(SyncRedis.from_url(config.redis, socket_timeout=2, socket_connect_timeout=2)) as connection:
        for first in range(0, len(keys), 500):
            connection.delete(*keys[first : first + 500])


@asynccontextmanager
async def doorbell() -> AsyncIterator[AsyncIterator[str]]:
    """The messages that `ring_doorbell` sends from now on. A ring while nobody listens is lost; workers poll as well."""
    redis = open_client()
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


@limit_reply_time
async def publish_state(state: WorkerState) -> None:
    """Publish a worker's state; it vanishes `WORKER_SECONDS` after the last time it was told."""
    pipeline = shared_client().pipeline(transaction=False)
    pipeline.execute_command("SET", worker_key(state.name), msgspec.json.encode(state), "EX", WORKER_SECONDS)
    pipeline.execute_command("SADD", WORKERS, state.name)
    pipeline.execute_command("EXPIRE", WORKERS, WORKERS_SECONDS)
    await pipeline.execute()


@limit_reply_time
async def remove_state(name: str) -> None:
    pipeline = shared_client().pipeline(transaction=False)
    pipeline.execute_command("DEL", worker_key(name))
    pipeline.execute_command("SREM", WORKERS, name)
    await pipeline.execute()


@limit_reply_time
async def worker_states() -> list[WorkerState]:
    """The states of all live workers, by name. Names of dead ones are forgotten on the way."""
    names: list[bytes] = sorted(await shared_client().execute_command("SMEMBERS", WORKERS))
    if not names:
        return []
    values = await shared_client().mget([worker_key(name.decode()) for name in names])
    gone = [name for name, value in zip(names, values, strict=True) if value is None]
    if gone:
        await shared_client().srem(WORKERS, *gone)
    return [msgspec.json.decode(value, type=WorkerState) for value in values if value is not None]


def worker_states_sync() -> list[WorkerState]:
    """The same for sync code, on a connection of its own. Raises one of UNAVAILABLE_ERRORS."""
    with closing(SyncRedis.from_url(config.redis, socket_timeout=2, socket_connect_timeout=2)) as connection:
        names: list[bytes] = sorted(connection.execute_command("SMEMBERS", WORKERS))
        keys = [worker_key(name.decode()) for name in names]
        values: list[bytes | None] = connection.execute_command("MGET", *keys) if keys else []
    return [msgspec.json.decode(value, type=WorkerState) for value in values if value is not None]


class LimitedCall(msgspec.Struct, omit_defaults=True):
    """One call before its limits, as `reserve.lua` reads it. Tokens: `likely` for the rate, `most` for the budget."""

    id: str
    subjects: list[dict[str, Any]]
    likely: int
    most: int
    lease: int  # in milliseconds
    hold: str | None = None  # its key, where something is to be given back at the end
    restored: bool = False
    second: int | None = None  # in which it was counted

    @classmethod
    def for_limits(
        cls, id: UUID, limits: Iterable[Allowance], likely: int, most: int, month: datetime
    ) -> "LimitedCall":
        subjects: list[dict[str, Any]] = []
        for limit in limits:
            subject: dict[str, Any] = {}
            if limit.requests:
                subject["requests"] = (f"jarvis:rate:{limit.subject}:requests", limit.requests)
            if limit.tokens:
                subject["tokens"] = (f"jarvis:rate:{limit.subject}:tokens", limit.tokens)
            if limit.parallel or limit.budget:
                subject["open"] = open_calls_key(limit.subject)
            if limit.parallel:
                subject["parallel"] = limit.parallel
            if limit.budget:
                subject |= {"budget": limit.budget, "used": budget_key(limit.subject, month)}
            subjects.append(subject)
        holds = any("open" in subject or "tokens" in subject for subject in subjects)
        return cls(str(id), subjects, likely, most, HOLD_SECONDS * 1000, hold_key(id) if holds else None)

    def as_restored(self) -> "LimitedCall":
        """The same for a Redis that has lost it: it counts as under way, and is refused nothing."""
        kept = [{name: s[name] for name in ("open", "used") if name in s} for s in self.subjects]
        return msgspec.structs.replace(self, subjects=[s for s in kept if s], restored=True)


@limit_reply_time
async def reserve_calls(calls: Sequence[LimitedCall]) -> list[list[int]]:
    """Check the limits of calls, and count those that pass; `reserve.lua` says what is given for each."""
    replies = await RESERVE.run((HOLDS_KNOWN, HOLDS), [msgspec.json.encode(call) for call in calls])
    return [list(map(int, reply)) for reply in replies]


@limit_reply_time
async def settle_call(generation: UUID, tokens: int) -> None:
    """Count what a call has used, and give back what it held beyond that. Safe to repeat."""
    await SETTLE.run((hold_key(generation), HOLDS), (str(generation), tokens, 0))


@limit_reply_time
async def release_call(generation: UUID, call: LimitedCall | None = None) -> None:
    """Undo `reserve_calls` for a call that was not accepted after all."""
    given = (msgspec.json.encode(call),) if call else ()
    await SETTLE.run((hold_key(generation), HOLDS), (str(generation), 0, 1, *given))


@limit_reply_time
async def due_holds() -> list[UUID]:
    """Calls whose end nobody has told for long; who asks first has some time to look for each."""
    return [UUID(id.decode()) for id in await DUE.run((HOLDS,), (HOLD_SECONDS * 1000,))]


@limit_reply_time
async def mark_holds_known() -> None:
    await shared_client().set(HOLDS_KNOWN, 1, ex=KNOWN_SECONDS)


@limit_reply_time
async def begin_learning(subject: str, month: datetime, token: str) -> list[UUID] | None:
    """The calls under way that count for a budget by themselves; None where somebody else is learning it."""
    reply = await LEARN.run((budget_key(subject, month), open_calls_key(subject)), (token,))
    return None if reply is None else [UUID(id.decode()) for id in reply]


@limit_reply_time
async def store_budget(subject: str, month: datetime, token: str, tokens: int) -> None:
    """Say how many tokens of a budget had been used, not counting the calls that `begin_learning` gave."""
    await LEARN.run((budget_key(subject, month), open_calls_key(subject)), (token, tokens))
