"""Accepting work: the row is the acceptance, the doorbell only saves waiting."""

import asyncio
import weakref
from collections.abc import Sequence
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.db import transaction

from inference import wire
from inference.entries import Cursor, End
from inference.models import Generation
from jarvis.config import config
from jarvis.database import in_database

log = structlog.get_logger(__name__)

_submitters: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Submitter]" = weakref.WeakKeyDictionary()


class QueueFull(Exception):
    """As many generations wait as may; nothing was written. Ask again later."""


class Away(Exception):
    """Postgres or Redis cannot be reached; nothing was accepted. Ask again later."""


def check_queue(count: int = 1) -> None:
    """Raise QueueFull where `count` more would be too many. Call it in the transaction that writes them."""
    if Generation.objects.queued().count() + count > config.queue_limit:
        raise QueueFull


async def submit(generation: Generation) -> None:
    """Write one generation to the queue and ring the doorbell. Raises QueueFull or Away.

    Calls that come at the same time share one transaction, so that a burst costs a few commits and not one a call.
    """
    loop = asyncio.get_running_loop()
    await _submitters.setdefault(loop, Submitter()).submit(generation)


class Submitter:
    """Group commit: whatever arrives while one batch is being written makes up the next."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Generation, asyncio.Future[None]]] = []
        self.task: asyncio.Task[None] | None = None

    async def submit(self, generation: Generation) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((generation, done))
        if self.task is None:
            self.task = asyncio.create_task(self.write())
        await done

    async def write(self) -> None:
        while self.waiting:
            batch, self.waiting = self.waiting, []
            try:
                accepted = await in_database(insert, [generation for generation, _ in batch])
            except DatabaseError as error:
                log.warning("postgres.away", error=str(error).strip())
                for _, done in batch:
                    if not done.done():
                        done.set_exception(Away("Postgres cannot be reached"))
                continue
            for index, (_, done) in enumerate(batch):
                if not done.done():
                    if index < accepted:
                        done.set_result(None)
                    else:
                        done.set_exception(QueueFull())
            if accepted:
                await ring()
        self.task = None


def insert(generations: Sequence[Generation]) -> int:
    """Write as many as the queue has room for, in order; how many that is."""
    with transaction.atomic():
        room = max(0, config.queue_limit - Generation.objects.queued().count())
        Generation.objects.bulk_create(generations[:room])
    return min(room, len(generations))


async def ring(message: str = "work") -> None:
    """Ring the doorbell if Redis is there. Where it is not, the workers' poll finds the row."""
    try:
        await wire.ring(message)
    except wire.AWAY as error:
        log.warning("redis.away", error=str(error))


async def stop(generation: UUID) -> None:
    """Stop a generation, queued or running; its text so far is kept. Raises Away. Safe to repeat."""
    try:
        ended = await in_database(Generation.objects.ask_stop, generation)
    except DatabaseError as error:
        raise Away("Postgres cannot be reached") from error
    if not ended:
        return await ring(f"stop {generation}")
    try:
        await wire.publish({generation: [(Cursor(0, 1), End("stopped", "stop"))]})
    except wire.AWAY as error:
        log.warning("redis.away", error=str(error))  # who follows it reads the row
