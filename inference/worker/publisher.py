"""Telling many answers at once: all that is new goes to Redis in one pipeline.

A lone token is told at once. Under load a turn passes between two flushes, and relays do not read from the engine
while it does: the kernel collects what comes, so that both the reading and the telling of many tokens costs about what
one token costs. A turn grows with the number of open answers, up to a limit that a reader does not notice.
"""

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

import structlog

from inference.log.events import End, Event, encode_event
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.log import LogWriter
from inference.worker.partial_answer import EventBuffer

log = structlog.get_logger(__name__)

ENTRIES_PER_SECOND = 1200
MIN_FLUSH_SECONDS, MAX_FLUSH_SECONDS = 0.004, 0.25  # seconds
GATHER_SECONDS = 0.002  # seconds in which relays take what the kernel has collected
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0)  # seconds between attempts while Redis is away


class Publisher:
    """`on_fault` is told of a row whose buffer holds what cannot be published, and why."""

    def __init__(self, on_fault: Callable[[UUID, Exception], None]) -> None:
        self.on_fault = on_fault
        self.writer = LogWriter()
        self.buffers: dict[UUID, EventBuffer] = {}
        self.changed: set[UUID] = set()
        self.news = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.urgent = asyncio.Event()

    def open_buffer(self, id: UUID, buffer: EventBuffer) -> None:
        self.buffers[id] = buffer

    def close_buffer(self, id: UUID, buffer: EventBuffer) -> None:
        """Forget a buffer; another one that has been opened for the same row since stays."""
        if self.buffers.get(id) is buffer:
            del self.buffers[id]
            self.changed.discard(id)

    def mark_changed(self, id: UUID, *, urgent: bool = False) -> None:
        """Something was added to this buffer; if `urgent`, somebody waits for just that: a beginning or an end."""
        self.changed.add(id)
        self.news.set()
        if urgent:
            self.urgent.set()

    async def wait_flush(self) -> None:
        """Wait until it is worth reading from the engine again."""
        await self.may_read.wait()

    @property
    def flush_interval(self) -> float:
        return min(MAX_FLUSH_SECONDS, max(MIN_FLUSH_SECONDS, len(self.buffers) / ENTRIES_PER_SECOND))

    async def run(self) -> None:
        """Flush whatever is marked, until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            await self.news.wait()
            self.may_read.clear()
            overdue = loop.call_later(
                2 * MAX_FLUSH_SECONDS, self.may_read.set
            )  # a Redis that is frozen holds up nothing
            try:
                await self.flush_once()
                failures = 0
            except UNAVAILABLE_ERRORS as error:
                if failures == 0:
                    log.warning("redis.away", error=str(error))
                for id, buffer in self.buffers.items():
                    buffer.rewind()
                    self.mark_changed(id)
                self.may_read.set()  # answers go on growing; they are told when Redis is back
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
                continue
            finally:
                overdue.cancel()
            self.may_read.set()
            await asyncio.sleep(GATHER_SECONDS)

    async def flush_once(self) -> None:
        """Flush, and let the turn pass; what is urgent meanwhile is flushed at once."""
        loop = asyncio.get_running_loop()
        over = loop.time() + self.flush_interval
        while True:
            self.urgent.clear()
            await self.flush()
            try:
                async with asyncio.timeout_at(over):
                    await self.urgent.wait()
            except TimeoutError:
                return

    async def flush(self) -> None:
        """Publish all that is new. Raises one of UNAVAILABLE_ERRORS; then everything must be told again."""
        self.news.clear()
        changed, self.changed = self.changed, set()
        batch = {id: new for id in changed if (buffer := self.buffers.get(id)) and (new := buffer.take_new())}
        if not batch:
            return
        buffers = {id: self.buffers[id] for id in batch}
        try:
            await self.writer.publish(batch)
        except UNAVAILABLE_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 - one of them has something in it that nobody thought of
            self.set_aside(buffers, error)
            return
        for id, told in batch.items():
            if isinstance(told[-1][1], End):
                self.close_buffer(id, buffers[id])

    def set_aside(self, buffers: Mapping[UUID, EventBuffer], error: Exception) -> None:
        """Find the buffers that cannot be published, leave out what is odd in them, and tell all others again.

        Raises `error` where it is nobody's.
        """
        odd = [id for id, buffer in buffers.items() if not all(is_fit(event) for _, event in buffer.events)]
        if not odd:
            raise error
        for id in odd:
            buffers[id].keep_only(is_fit)
            self.on_fault(id, error)
        for id, buffer in buffers.items():
            buffer.rewind()
            self.mark_changed(id)


def is_fit(event: Event) -> bool:
    """Whether an event can be written to a log."""
    try:
        encode_event(event).decode()
    except Exception:  # noqa: BLE001 - that is the question
        return False
    return True
