"""The commands about logs: append to them, read them, wait for news in many, remove them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from inference.log.events import START, Begin, Cursor, End, Event, Fence, decode_event, encode_event
from inference.redis.client import Script, limit_reply_time, open_client, open_sync_client, read_lua, shared_client
from inference.redis.keys import HOLDS, hold_key, log_key, wake_key
from jarvis.lib.config import config

Batch = Mapping[UUID, Sequence[tuple[Cursor, Event]]]

OPEN_LOG_SECONDS = 6 * 3600
WAKE_SECONDS = 60
LOGS_PER_DELETE = 500

# A script cannot call another one, so this has that of settling inside.
PUBLISH = Script.from_text(f"local function settle(KEYS, ARGV)\n{read_lua('settle')}\nend\n{read_lua('publish')}")


class LogLost(RedisError):
    """A log is gone in the middle of its answer: all of it must be published again."""


@limit_reply_time
async def publish_events(batch: Batch, redis: Redis | None = None) -> None:
    """Append entries to logs, all of them visible at once. Those there already, or fenced off, are passed over.

    Raises one of UNAVAILABLE_ERRORS when Redis does not answer; nothing may then be assumed of what was written. Only
    a `Fence` or a `Begin` makes a log: where anything else finds none, LogLost is raised.
    """
    check_reply(await PUBLISH.run((), (encode_batch(batch),), redis))


def publish_events_sync(batch: Batch) -> None:
    """The same for sync code."""
    with open_sync_client() as connection:
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
        """As `publish_events`, on this connection."""
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
        self.wake_key = wake_key(process)
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


def forget_logs_sync(generations: Iterable[UUID]) -> None:
    """Remove the logs of generations that have ended, before their time. Raises one of UNAVAILABLE_ERRORS."""
    keys = [log_key(generation) for generation in generations]
    with open_sync_client() as connection:
        for first in range(0, len(keys), LOGS_PER_DELETE):
            connection.delete(*keys[first : first + LOGS_PER_DELETE])
