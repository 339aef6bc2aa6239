"""Telling many answers at once: all that is new goes to Redis in one pipeline.

A lone token is told at once. Under load a turn passes between two flushes, and relays do not read from the engine
while it does: the kernel collects what comes, so that both the reading and the telling of many tokens costs about what
one token costs. A turn grows with the number of open answers, up to a limit that a reader does not notice.
"""

import asyncio
from uuid import UUID

import structlog

from inference import wire
from inference.entries import End
from inference.worker.answer import Journal

log = structlog.get_logger(__name__)

ENTRIES_PER_SECOND = 1000
SHORTEST_TURN, LONGEST_TURN = 0.004, 0.25  # seconds
GATHER = 0.002  # seconds in which relays take what the kernel has collected
PAUSES = (0.1, 0.2, 0.5, 1.0)  # seconds between attempts while Redis is away


class Publisher:
    def __init__(self) -> None:
        self.journals: dict[UUID, Journal] = {}
        self.changed: set[UUID] = set()
        self.news = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.flushes: asyncio.Future[None] | None = None

    def open(self, id: UUID, journal: Journal) -> None:
        self.journals[id] = journal

    def close(self, id: UUID) -> None:
        self.journals.pop(id, None)
        self.changed.discard(id)

    def mark(self, id: UUID) -> None:
        """Something was added to this journal."""
        self.changed.add(id)
        self.news.set()

    async def turn(self) -> None:
        """Wait until it is worth reading from the engine again."""
        await self.gate.wait()

    @property
    def pause(self) -> float:
        return min(LONGEST_TURN, max(SHORTEST_TURN, len(self.journals) / ENTRIES_PER_SECOND))

    async def run(self) -> None:
        """Flush whatever is marked, until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            await self.news.wait()
            self.gate.clear()
            began = loop.time()
            try:
                await self.flush()
                failures = 0
            except wire.AWAY as error:
                if failures == 0:
                    log.warning("redis.away", error=str(error))
                for id, journal in self.journals.items():
                    journal.rewind()
                    self.mark(id)
                self.gate.set()  # answers go on growing; they are told when Redis is back
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
                continue
            await asyncio.sleep(max(0.0, began + self.pause - loop.time()))
            self.gate.set()
            await asyncio.sleep(GATHER)

    async def flush(self) -> None:
        """Publish all that is new. Raises one of `wire.AWAY`; then everything must be told again."""
        self.news.clear()
        changed, self.changed = self.changed, set()
        batch = {id: new for id in changed if (journal := self.journals.get(id)) and (new := journal.take())}
        if not batch:
            return
        await wire.publish(batch)
        for id, told in batch.items():
            if isinstance(told[-1][1], End):
                self.close(id)
