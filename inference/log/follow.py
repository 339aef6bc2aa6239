"""Following answers: one reader task and one Redis connection serve all viewers of a web process."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Iterable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from inference.log.events import START, Begin, Cursor, End, Event, Fence
from inference.models import Generation
from inference.queue.outcome import events_of_row
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.keys import log_key
from inference.redis.log import LogConnection, read_log
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.event_loops import PerLoop

log = structlog.get_logger(__name__)

Batch = list[tuple[Cursor, Event]]

MAX_UNGATHERED_LOGS, GATHER_SECONDS = (
    4,
    0.002,
)  # beyond so many logs, news is gathered for so many seconds between two reads
MAX_SILENCE_SECONDS = 1.0  # seconds without news after which the row is looked at
RETRY_SECONDS = (0.05, 0.2, 0.5, 1.0)  # seconds between attempts to reach Redis again

_readers: "PerLoop[LogReader]" = PerLoop(lambda: LogReader())


async def follow(generation: UUID, after: Cursor = START, idle: float | None = None) -> AsyncGenerator[Batch]:
    """A generation's entries after a cursor, in batches as they come, until its `End`.

    After `idle` seconds without news an empty batch is given, for the caller to keep its client's connection alive.
    A log that is gone is replaced by what the row holds, as `Begin(clear=True)` and the whole answer.
    """
    reader = LogReader.for_this_loop()
    follower = Follower(generation, after)
    await reader.add_follower(follower)
    try:
        while True:
            batch = await follower.take_batch(idle)
            yield batch
            if batch and isinstance(batch[-1][1], End):
                return
    finally:
        reader.remove_follower(follower)


class Follower:
    """One viewer's place in one log, and what it has not yet taken."""

    def __init__(self, generation: UUID, after: Cursor) -> None:
        self.generation = generation
        self.key = log_key(generation)
        self.cursor = after
        self.seen = after  # the last entry that was not a fence
        self.pending_events: Batch = []
        self.restarted_at: Cursor | None = None  # the `Begin` for which the log was read again from its start
        self.has_gap = False  # the log has a gap; the row will have the answer
        self.ended = False
        self.news = asyncio.Event()
        self.error: BaseException | None = None
        self.last_event_at = asyncio.get_running_loop().time()

    def add_events(self, batch: Batch) -> None:
        """Take what the log tells beyond this viewer's place."""
        for cursor, entry in batch:
            if cursor <= self.cursor or self.ended:
                continue
            if isinstance(entry, Begin):
                self.has_gap = self.has_gap and not entry.clear
                if not entry.clear and entry.after not in (None, self.seen) and self.restart_from_beginning(cursor):
                    break
            self.cursor = cursor
            if isinstance(entry, Fence) or self.has_gap:
                continue
            self.seen = cursor
            self.pending_events.append((cursor, entry))
            self.ended = isinstance(entry, End)
        if batch and not self.has_gap:
            self.last_event_at = asyncio.get_running_loop().time()
        if self.pending_events:
            self.news.set()

    def restart_from_beginning(self, begin: Cursor) -> bool:
        """Redis lost entries that this viewer has seen, and the successor went on without them: read from the start.

        Where that has led to the same place, the log itself has the gap, and only the row can fill it.
        """
        self.has_gap = self.restarted_at == begin
        if not self.has_gap:
            self.restarted_at = begin
            self.cursor = self.seen = START
            self.pending_events.append((START, Begin(clear=True)))
        return not self.has_gap

    def finish_from_row(self, attempt: int, events: Iterable[Event]) -> None:
        """Take the whole answer from the row, at places beyond whatever this viewer has seen, or claims to have."""
        if not self.ended:
            first = max(attempt, self.cursor.attempt) + 1
            self.pending_events += [(Cursor(first, index), entry) for index, entry in enumerate(events)]
            self.ended = True
            self.news.set()

    async def take_batch(self, idle: float | None) -> Batch:
        try:
            async with asyncio.timeout(idle):
                await self.news.wait()
        except TimeoutError:
            return []
        if self.error is not None:
            raise RuntimeError("The reader of this process has died; ask again.") from self.error
        batch, self.pending_events = self.pending_events, []
        self.news.clear()
        return batch


class LogReader:
    """All followers of one event loop, and the tasks that read for them, which live as long as the loop."""

    def __init__(self) -> None:
        self.followers: dict[str, set[Follower]] = {}
        self.connection = LogConnection(f"{os.getpid()}-{secrets.token_hex(4)}")
        self.tasks: list[asyncio.Task[None]] = []
        self.waking = False

    @classmethod
    def for_this_loop(cls) -> "LogReader":
        return _readers.get()

    async def add_follower(self, follower: Follower) -> None:
        self.followers.setdefault(follower.key, set()).add(follower)
        if not self.tasks:
            self.tasks = [asyncio.create_task(self.read_logs()), asyncio.create_task(self.watch_rows())]
            for task in self.tasks:
                task.add_done_callback(self.handle_task_end)
        elif not self.waking:
            self.waking = True
            try:
                await self.connection.wake()
            except UNAVAILABLE_ERRORS:
                self.waking = False  # the reader is waiting for Redis as well, and will see the follower then

    def remove_follower(self, follower: Follower) -> None:
        followers = self.followers.get(follower.key, set())
        followers.discard(follower)
        if not followers:
            self.followers.pop(follower.key, None)

    def handle_task_end(self, task: asyncio.Task[None]) -> None:
        """A reading task never ends by itself: if it does, all who wait for it are told."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("log_reader.died", exc_info=error)
        for other in self.tasks:
            other.cancel()
        self.tasks = []
        for follower in [f for followers in self.followers.values() for f in followers]:
            follower.error = error
            follower.news.set()

    async def read_logs(self) -> None:
        failures = 0
        while True:
            self.waking = False
            # Viewers of one log may stand at different places: read from the hindmost, `put` passes over the rest.
            cursors = {key: min(f.cursor for f in followers) for key, followers in self.followers.items()}
            try:
                news = await self.connection.read(cursors, wait=MAX_SILENCE_SECONDS)
                failures = 0
            except UNAVAILABLE_ERRORS as error:
                if failures == 0:
                    log.warning("redis.away", error=str(error))
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
                continue
            for key, batch in news.items():
                for follower in list(self.followers.get(key, ())):
                    if follower.cursor >= cursors[key]:  # else it came during the read, and stands further back
                        follower.add_events(batch)
            if len(cursors) > MAX_UNGATHERED_LOGS:
                await asyncio.sleep(GATHER_SECONDS)

    async def watch_rows(self) -> None:
        """Give those who hear nothing the end from the row: the worker may have died before it could publish it."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(MAX_SILENCE_SECONDS)
            now = loop.time()
            silent = [
                f
                for followers in self.followers.values()
                for f in followers
                if now - f.last_event_at > MAX_SILENCE_SECONDS
            ]
            if not silent:
                continue
            try:
                rows = await in_database(find_ended_rows, {f.generation for f in silent})
            except DatabaseError as error:
                log_failure(log, error)
                continue
            there = True
            for follower in silent:
                if row := rows.get(follower.generation):
                    there = await self.catch_up_from_log(follower) if there else False
                    if loop.time() - follower.last_event_at > MAX_SILENCE_SECONDS:
                        follower.finish_from_row(row.attempt, events_of_row(row))

    async def catch_up_from_log(self, follower: Follower) -> bool:
        """Give it what its log holds, in case it is this process that was slow; whether Redis answered."""
        try:
            follower.add_events(await read_log(follower.generation, after=follower.cursor))
        except UNAVAILABLE_ERRORS:
            return False
        return True


def find_ended_rows(ids: set[UUID]) -> dict[UUID, Generation]:
    """Rows that ended long enough ago that their log should have told it."""
    settled = timezone.now() - timedelta(seconds=MAX_SILENCE_SECONDS / 2)
    return {row.id: row for row in Generation.objects.ended().filter(id__in=ids, finished_at__lt=settled)}
