"""Following answers: one reader task and one Redis connection serve all viewers of a web process."""

import asyncio
import os
import secrets
import weakref
from collections.abc import AsyncGenerator, Iterable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from inference.log.events import START, Begin, Cursor, End, Entry, Fence
from inference.models import Generation
from inference.queue.outcome import entries_of
from inference.redis import wire
from jarvis.lib.database import in_database, log_failure

log = structlog.get_logger(__name__)

Batch = list[tuple[Cursor, Entry]]

FEW, GATHER = 4, 0.002  # beyond so many logs, news is gathered for so many seconds between two reads
SILENCE = 1.0  # seconds without news after which the row is looked at
PAUSES = (0.05, 0.2, 0.5, 1.0)  # seconds between attempts to reach Redis again

_hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()


async def follow(generation: UUID, after: Cursor = START, idle: float | None = None) -> AsyncGenerator[Batch]:
    """A generation's entries after a cursor, in batches as they come, until its `End`.

    After `idle` seconds without news an empty batch is given, for the caller to keep its client's connection alive.
    A log that is gone is replaced by what the row holds, as `Begin(clear=True)` and the whole answer.
    """
    hub = Hub.here()
    follower = Follower(generation, after)
    await hub.add(follower)
    try:
        while True:
            batch = await follower.take(idle)
            yield batch
            if batch and isinstance(batch[-1][1], End):
                return
    finally:
        hub.remove(follower)


class Follower:
    """One viewer's place in one log, and what it has not yet taken."""

    def __init__(self, generation: UUID, after: Cursor) -> None:
        self.generation = generation
        self.key = wire.log_key(generation)
        self.cursor = after
        self.seen = after  # the last entry that was not a fence
        self.inbox: Batch = []
        self.restarted: Cursor | None = None  # the `Begin` for which the log was read again from its start
        self.deaf = False  # the log has a gap; the row will have the answer
        self.ended = False
        self.news = asyncio.Event()
        self.fault: BaseException | None = None
        self.heard = asyncio.get_running_loop().time()

    def put(self, batch: Batch) -> None:
        """Take what the log tells beyond this viewer's place."""
        for cursor, entry in batch:
            if cursor <= self.cursor or self.ended:
                continue
            if isinstance(entry, Begin):
                self.deaf = self.deaf and not entry.clear
                if not entry.clear and entry.after not in (None, self.seen) and self.mend(cursor):
                    break
            self.cursor = cursor
            if isinstance(entry, Fence) or self.deaf:
                continue
            self.seen = cursor
            self.inbox.append((cursor, entry))
            self.ended = isinstance(entry, End)
        if batch and not self.deaf:
            self.heard = asyncio.get_running_loop().time()
        if self.inbox:
            self.news.set()

    def mend(self, begin: Cursor) -> bool:
        """Redis lost entries that this viewer has seen, and the successor went on without them: read from the start.

        Where that has led to the same place, the log itself has the gap, and only the row can fill it.
        """
        self.deaf = self.restarted == begin
        if not self.deaf:
            self.restarted = begin
            self.cursor = self.seen = START
            self.inbox.append((START, Begin(clear=True)))
        return not self.deaf

    def conclude(self, attempt: int, entries: Iterable[Entry]) -> None:
        """Take the whole answer from the row, at places beyond whatever this viewer has seen, or claims to have."""
        if not self.ended:
            first = max(attempt, self.cursor.attempt) + 1
            self.inbox += [(Cursor(first, index), entry) for index, entry in enumerate(entries)]
            self.ended = True
            self.news.set()

    async def take(self, idle: float | None) -> Batch:
        try:
            async with asyncio.timeout(idle):
                await self.news.wait()
        except TimeoutError:
            return []
        if self.fault is not None:
            raise RuntimeError("The reader of this process has died; ask again.") from self.fault
        batch, self.inbox = self.inbox, []
        self.news.clear()
        return batch


class Hub:
    """All followers of one event loop, and the tasks that read for them, which live as long as the loop."""

    def __init__(self) -> None:
        self.followers: dict[str, set[Follower]] = {}
        self.reader = wire.LogReader(f"{os.getpid()}-{secrets.token_hex(4)}")
        self.tasks: list[asyncio.Task[None]] = []
        self.waking = False

    @classmethod
    def here(cls) -> "Hub":
        loop = asyncio.get_running_loop()
        if loop not in _hubs:
            _hubs[loop] = cls()
        return _hubs[loop]

    async def add(self, follower: Follower) -> None:
        self.followers.setdefault(follower.key, set()).add(follower)
        if not self.tasks:
            self.tasks = [asyncio.create_task(self.read_on()), asyncio.create_task(self.watch_rows())]
            for task in self.tasks:
                task.add_done_callback(self.died)
        elif not self.waking:
            self.waking = True
            try:
                await self.reader.wake()
            except wire.AWAY:
                self.waking = False  # the reader is waiting for Redis as well, and will see the follower then

    def remove(self, follower: Follower) -> None:
        followers = self.followers.get(follower.key, set())
        followers.discard(follower)
        if not followers:
            self.followers.pop(follower.key, None)

    def died(self, task: asyncio.Task[None]) -> None:
        """A reading task never ends by itself: if it does, all who wait for it are told."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("hub.died", exc_info=error)
        for other in self.tasks:
            other.cancel()
        self.tasks = []
        for follower in [f for followers in self.followers.values() for f in followers]:
            follower.fault = error
            follower.news.set()

    async def read_on(self) -> None:
        failures = 0
        while True:
            self.waking = False
            # Viewers of one log may stand at different places: read from the hindmost, `put` passes over the rest.
            cursors = {key: min(f.cursor for f in followers) for key, followers in self.followers.items()}
            try:
                news = await self.reader.read(cursors, wait=SILENCE)
                failures = 0
            except wire.AWAY as error:
                if failures == 0:
                    log.warning("redis.away", error=str(error))
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
                continue
            for key, batch in news.items():
                for follower in list(self.followers.get(key, ())):
                    if follower.cursor >= cursors[key]:  # else it came during the read, and stands further back
                        follower.put(batch)
            if len(cursors) > FEW:
                await asyncio.sleep(GATHER)

    async def watch_rows(self) -> None:
        """Give those who hear nothing the end from the row: the worker may have died before it could publish it."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SILENCE)
            now = loop.time()
            silent = [f for followers in self.followers.values() for f in followers if now - f.heard > SILENCE]
            if not silent:
                continue
            try:
                rows = await in_database(ended_rows, {f.generation for f in silent})
            except DatabaseError as error:
                log_failure(log, error)
                continue
            there = True
            for follower in silent:
                if row := rows.get(follower.generation):
                    there = await self.catch_up(follower) if there else False
                    if loop.time() - follower.heard > SILENCE:
                        follower.conclude(row.attempt, entries_of(row))

    async def catch_up(self, follower: Follower) -> bool:
        """Give it what its log holds, in case it is this process that was slow; whether Redis answered."""
        try:
            follower.put(await wire.read_log(follower.generation, after=follower.cursor))
        except wire.AWAY:
            return False
        return True


def ended_rows(ids: set[UUID]) -> dict[UUID, Generation]:
    """Rows that ended long enough ago that their log should have told it."""
    settled = timezone.now() - timedelta(seconds=SILENCE / 2)
    return {row.id: row for row in Generation.objects.ended().filter(id__in=ids, finished_at__lt=settled)}
