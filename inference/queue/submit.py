"""Accepting work: the row is the acceptance, the doorbell only saves waiting."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError, connection, transaction
from django.db import Error as DatabaseError

from inference.log.events import Begin, Cursor, End, Event
from inference.models import Generation
from inference.queue.position import UNKNOWN_WAIT_SECONDS, seconds_until_free
from inference.queue.rate_limits import Reservation
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.log import publish_events, publish_events_sync
from inference.redis.workers import ring_doorbell as ring_workers
from inference.redis.workers import ring_doorbell_sync as ring_workers_sync
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.disk import FULL_DISK, FULL_DISK_WAIT_SECONDS, is_data_full
from jarvis.lib.event_loops import PerLoop

log = structlog.get_logger(__name__)

T = TypeVar("T")

# The log of what never ran.
STOPPED_EVENTS: Sequence[tuple[Cursor, Event]] = [(Cursor(0, 1), Begin()), (Cursor(0, 2), End("stopped", "stop"))]

WAITING_SQL = "SELECT owner_id, count(*) FROM inference_generation WHERE status = %s GROUP BY owner_id"

_submitters: "PerLoop[Submitter]" = PerLoop(lambda: Submitter())
_bells: "PerLoop[Bell]" = PerLoop(lambda: Bell())
_accepting: set["asyncio.Task[Any]"] = set()


class QueueFull(Exception):
    """As many generations wait as may, in all or (`own`) of this person; nothing was written.

    `wait`: seconds until a place may be free.
    """

    def __init__(self, own: bool = False, wait: float = UNKNOWN_WAIT_SECONDS) -> None:
        self.own = own
        self.wait = wait

    @property
    def error(self) -> ApiError:
        if not self.own:
            return api_errors.server_overloaded(retry_after=self.wait)
        text = f"You have {config.queue_limit_per_user} calls in the queue already."
        return api_errors.rate_limit_exceeded(self.wait, text)


class Unavailable(Exception):
    """Postgres or Redis cannot be reached; nothing was accepted. Ask again later."""


def check_queue(owner_id: int) -> None:
    """Raise QueueFull where one more would be too many. Call it in the transaction that writes it."""
    if (full := find_queue_full(count_waiting(), owner_id)) is not None:
        raise full


def find_queue_full(waiting: Counter[int], owner_id: int) -> QueueFull | None:
    """Why one more of this owner has no room beside those that wait; None where it has."""
    if waiting.total() >= config.queue_limit:
        return QueueFull(wait=seconds_until_free())
    if waiting[owner_id] >= config.queue_limit_per_user:
        return QueueFull(own=True, wait=seconds_until_free(owner_id))
    return None


def count_waiting() -> Counter[int]:
    """How many generations of each owner wait."""
    with connection.cursor() as cursor:  # each call asks this, and Django's query costs more than the database's part
        cursor.execute(WAITING_SQL, [Generation.Status.QUEUED.value])
        return Counter(dict(cursor.fetchall()))


class Acceptance(NamedTuple, Generic[T]):
    """What was written. `is_new` is False where the same had been accepted before, and nothing was written."""

    value: T
    is_new: bool = True


Write = Callable[[], Coroutine[Any, Any, Acceptance[T]]]


async def accept(reservation: Reservation, write: Write[T]) -> Acceptance[T]:
    """The one way into the queue: write, then ring for a worker; give back what is reserved where nothing was written.

    `write` is made by `in_batch` or `in_transaction`, which raise QueueFull. Raises ApiError where the disk with
    Postgres and Redis is full: what there is left belongs to answers under way. A caller that is cancelled in between
    leaves work that is accepted or refused as a whole.
    """
    return await asyncio.shield(start_accepting(reservation, write))


def start_accepting(reservation: Reservation, write: Write[T]) -> "asyncio.Task[Acceptance[T]]":
    """The same as a task, for who has to know later what became of it."""
    task = asyncio.create_task(write_and_ring(reservation, write))
    _accepting.add(task)
    task.add_done_callback(forget_accepted)
    return task


def forget_accepted(task: "asyncio.Task[Any]") -> None:
    _accepting.discard(task)
    if not task.cancelled():
        task.exception()  # whoever asked may have left


async def write_and_ring(reservation: Reservation, write: Write[T]) -> Acceptance[T]:
    try:
        if is_data_full():
            raise api_errors.server_overloaded(FULL_DISK, FULL_DISK_WAIT_SECONDS)
        accepted = await write()
    except BaseException:
        await reservation.release()
        raise
    if accepted.is_new:
        _bells.get().ring()
    else:
        await reservation.release()
    return accepted


def in_batch(generation: Generation) -> Write[Generation]:
    """Write one row. Calls that come at the same time share a transaction: a burst costs a few commits, not one a call.

    It raises QueueFull, Unavailable, and what Postgres says of a row that cannot be stored.
    """

    async def write() -> Acceptance[Generation]:
        await _submitters.get().submit(generation)
        return Acceptance(generation)

    return write


def in_transaction(owner_id: int, write: Callable[[], T], find_before: Callable[[], T | None]) -> Write[T]:
    """Run `write`, which writes the row and whatever belongs to it, in one transaction with the look at the queue.

    `find_before` gives what had been written of the same before, for which there is always room. It raises QueueFull,
    and what the two and Postgres raise.
    """

    def run() -> Acceptance[T]:
        with transaction.atomic():
            if (before := find_before()) is not None:
                return Acceptance(before, is_new=False)
            check_queue(owner_id)
            return Acceptance(write())

    return partial(in_database, run)


async def submit_generation(generation: Generation, reservation: Reservation | None = None) -> None:
    """Accept one row. Raises as `in_batch`."""
    await accept(reservation or Reservation(), in_batch(generation))


class Submitter:
    """Group commit: whatever arrives while one batch is being written makes up the next."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Generation, asyncio.Future[None]]] = []
        self.task: asyncio.Task[None] | None = None

    async def submit(self, generation: Generation) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((generation, done))
        if self.task is None:
            self.task = asyncio.create_task(self.write_batches())
        await done

    async def write_batches(self) -> None:
        """Write until nothing waits. Whatever goes wrong is told to those who wait, and stops nobody after them."""
        while self.waiting:
            batch, self.waiting = self.waiting, []
            results = await self.write_batch([generation for generation, _ in batch])
            for result, (_, done) in zip(results, batch, strict=True):
                if done.done():
                    continue
                if result is None:
                    done.set_result(None)
                else:
                    done.set_exception(result)
        self.task = None

    async def write_batch(self, generations: list[Generation]) -> list[Exception | None]:
        """What became of each."""
        try:
            return [*await in_database(insert_generations, generations)]
        except DatabaseError as error:
            # One of them is at fault, not the others: it cannot be stored, or its owner was deleted meanwhile.
            if isinstance(error, DataError | IntegrityError) and len(generations) > 1:
                return [result for one in generations for result in await self.write_batch([one])]
            log_failure(log, error)
            return [Unavailable("Postgres cannot be reached") for _ in generations]
        except Exception as error:  # noqa: BLE001 - a task that died would leave all who come after it waiting
            return [error] * len(generations)


class Bell:
    """Rings for workers without making anybody wait for a Redis that does not answer; once for all of one moment."""

    def __init__(self) -> None:
        self.about_to_ring = False
        self.tasks: set[asyncio.Task[None]] = set()

    def ring(self) -> None:
        if self.about_to_ring:
            return
        self.about_to_ring = True
        task = asyncio.create_task(self.ring_now())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def ring_now(self) -> None:
        self.about_to_ring = False
        await ring_doorbell()


def insert_generations(generations: Sequence[Generation]) -> list[QueueFull | None]:
    """Write those that the queue has room for, in order; why not, for each of the others."""
    with transaction.atomic():
        waiting, results = count_waiting(), []
        for owner_id in (generation.owner_id for generation in generations):
            results.append(find_queue_full(waiting, owner_id))
            waiting[owner_id] += results[-1] is None
        Generation.objects.bulk_create(g for g, full in zip(generations, results, strict=True) if full is None)
    return results


async def ring_doorbell(message: str = "work") -> None:
    """Ring the doorbell if Redis is there. Where it is not, the workers' poll finds the row."""
    try:
        await ring_workers(message)
    except UNAVAILABLE_ERRORS as error:
        log.warning("redis.away", error=str(error))


async def stop_generation(generation: UUID) -> None:
    """Stop a generation, queued or running; its text so far is kept. Raises Unavailable. Safe to repeat."""
    try:
        ended = await in_database(Generation.objects.request_stop, generation)
    except DatabaseError as error:
        raise Unavailable("Postgres cannot be reached") from error
    if not ended:
        return await ring_doorbell(f"stop {generation}")
    try:
        await publish_events({generation: STOPPED_EVENTS})
    except UNAVAILABLE_ERRORS as error:
        log.warning("redis.away", error=str(error))  # who follows it reads the row


def stop_generations_sync(ids: Iterable[UUID]) -> None:
    """The same for sync code and several."""
    ended: list[UUID] = []
    running: list[UUID] = []
    for id in ids:
        (ended if Generation.objects.request_stop(id) else running).append(id)
    ring_doorbell_sync(*(f"stop {id}" for id in running))
    if not ended:
        return
    try:
        publish_events_sync(dict.fromkeys(ended, STOPPED_EVENTS))
    except UNAVAILABLE_ERRORS as error:
        log.warning("redis.away", error=str(error))  # who follows them reads the rows; what they held is swept


def ring_doorbell_sync(*messages: str) -> None:
    """Ring from sync code, if Redis is there. Where it is not, workers see it in the rows."""
    if not messages:
        return
    try:
        ring_workers_sync(*messages)
    except UNAVAILABLE_ERRORS as error:
        log.warning("redis.away", error=str(error))
