"""Accepting work: the row is the acceptance, the doorbell only saves waiting."""

import asyncio
import weakref
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog
from django.db import DataError, transaction
from django.db import Error as DatabaseError

from inference import wire
from inference.entries import Begin, Cursor, End
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
    if loop not in _submitters:
        _submitters[loop] = Submitter()
    await _submitters[loop].submit(generation)


class Submitter:
    """Group commit: whatever arrives while one batch is being written makes up the next."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Generation, asyncio.Future[None]]] = []
        self.task: asyncio.Task[None] | None = None
        self.ringing: set[asyncio.Task[None]] = set()

    async def submit(self, generation: Generation) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((generation, done))
        if self.task is None:
            self.task = asyncio.create_task(self.write())
        await done

    async def write(self) -> None:
        """Write until nothing waits. Whatever goes wrong is told to those who wait, and stops nobody after them."""
        while self.waiting:
            batch, self.waiting = self.waiting, []
            results = await self.results([generation for generation, _ in batch])
            for result, (_, done) in zip(results, batch, strict=True):
                if done.done():
                    continue  # its caller has left
                if result is None:
                    done.set_result(None)
                else:
                    done.set_exception(result)
        self.task = None

    async def results(self, generations: list[Generation]) -> list[Exception | None]:
        """What became of each."""
        try:
            accepted = await in_database(insert, generations)
        except DatabaseError as error:
            if isinstance(error, DataError) and len(generations) > 1:  # one of them is at fault, not the others
                return [result for one in generations for result in await self.results([one])]
            log.warning("postgres.away", error=str(error).strip())
            return [Away("Postgres cannot be reached") for _ in generations]
        except Exception as error:  # noqa: BLE001 - a task that died would leave all who come after it waiting
            return [error] * len(generations)
        if accepted:
            task = asyncio.create_task(ring())  # nobody waits for a Redis that does not answer
            self.ringing.add(task)
            task.add_done_callback(self.ringing.discard)
        return [None] * accepted + [QueueFull() for _ in generations[accepted:]]


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
        await wire.publish({generation: [(Cursor(0, 1), Begin()), (Cursor(0, 2), End("stopped", "stop"))]})
    except wire.AWAY as error:
        log.warning("redis.away", error=str(error))  # who follows it reads the row


def stop_now(ids: Iterable[UUID]) -> None:
    """The same for sync code and several. Who follows one that was only queued is told by its row, within a second."""
    running = [id for id in ids if not Generation.objects.ask_stop(id)]
    ring_now(*(f"stop {id}" for id in running))


def ring_now(*messages: str) -> None:
    """Ring from sync code, if Redis is there. Where it is not, workers see it in the rows."""
    if not messages:
        return
    try:
        wire.ring_now(*messages)
    except wire.AWAY as error:
        log.warning("redis.away", error=str(error))
