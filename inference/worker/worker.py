"""The GPU worker: claims rows, keeps their leases, relays the engine's tokens, stores the answers."""

import asyncio
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import Error as DatabaseError

from inference.engine import memory
from inference.engine.base import Engine
from inference.engine.memory import MIB
from inference.models import Generation, LanguageModel, PausedPlace
from inference.redis import wire
from inference.worker.publisher import Publisher
from inference.worker.quarantine import Gate
from inference.worker.relay import Relay
from inference.worker.result_writer import Ledger
from inference.worker_state import WorkerState
from jarvis.lib.config import config
from jarvis.lib.database import in_database, log_failure

log = structlog.get_logger(__name__)

ORDERS = 3.0  # seconds between looks whether this worker is paused
POLL = 1.0  # seconds between looks at the queue, and between states told
RATE_SECONDS = 5.0  # over which tokens per second are measured
PAUSE = 1.0  # seconds after which a server that is away is tried again


class Rate:
    """How fast a count grows, per second, over the last RATE_SECONDS."""

    def __init__(self) -> None:
        self.seen: deque[tuple[float, int]] = deque()

    def of(self, count: int, now: float) -> float:
        self.seen.append((now, count))
        while len(self.seen) > 2 and self.seen[0][0] < now - RATE_SECONDS:
            self.seen.popleft()
        since, before = self.seen[0]
        grown = max(0, count - before)  # an answer that starts again makes it smaller
        return round(grown / (now - since), 1) if now > since else 0.0


class Worker:
    """`run` works until `stopping` is set. The steps (`claim`, `beat`, `tell`) can be called alone."""

    def __init__(self, engine: Engine, place: str) -> None:
        self.engine = engine
        self.place = place  # what this worker alone holds: its host and run directory
        self.name = f"{place}/{os.getpid()}-{secrets.token_hex(4)}"  # in a container the pid is always the same
        self.publisher = Publisher(self.fail_row)
        self.ledger = Ledger()
        self.gate = Gate()
        self.relays: dict[UUID, Relay] = {}
        self.tasks: dict[UUID, asyncio.Task[None]] = {}
        self.bell = asyncio.Event()
        self.stopping = asyncio.Event()
        self.hurrying = asyncio.Event()
        self.lease = timedelta(seconds=config.lease_seconds)
        self.beaten = 0.0
        self.made = 0  # tokens of the answers that have ended
        self.rate = Rate()
        self.orders = asyncio.Event()
        self.state = WorkerState(self.name, socket.gethostname(), os.getpid(), time.time(), engine.state, place=place)

    async def run(self) -> None:
        """Work until told to stop, then drain. A part that dies ends the whole worker with its error."""
        parts: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self.publisher.run,
            self.ledger.run,
            self.listen,
            self.work,
            self.keep_leases,
            self.keep_telling,
            self.keep_heeding,
            self.keep_doubting,
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part(), name=part.__name__) for part in parts]
            await self.stopping.wait()
            tasks[3].cancel()
            await self.drain()
            for task in tasks:
                task.cancel()
        await self.publisher.writer.close()
        await wire.close()

    def stop(self) -> None:
        """Drain, then end. Called a second time: hand over what runs instead of finishing it."""
        if self.stopping.is_set():
            self.hurrying.set()
        self.stopping.set()

    async def listen(self) -> None:
        """Hear the doorbell. While Redis is away the poll in `work` does."""
        while True:
            try:
                async with wire.doorbell() as messages:
                    self.bell.set()  # what was rung before this
                    async for message in messages:
                        self.hear(message)
            except wire.AWAY as error:
                log.warning("redis.away", error=str(error))
            await asyncio.sleep(PAUSE)

    def hear(self, message: str) -> None:
        verb, _, id = message.partition(" ")
        if verb == "stop" and (relay := self.relays.get(UUID(id))):
            relay.stop()
        elif verb == "work":
            self.bell.set()
        elif verb == "orders":
            self.orders.set()

    async def work(self) -> None:
        await self.settle_in()
        while True:
            self.bell.clear()
            await self.engine.ready()
            try:
                await self.claim()
            except DatabaseError as error:
                log_failure(log, error)
                await asyncio.sleep(PAUSE)
            try:
                async with asyncio.timeout(POLL):
                    await self.bell.wait()
            except TimeoutError:
                pass  # the poll

    async def settle_in(self) -> None:
        """Free the rows of a worker that died in this place, and enter the model into the catalogue."""
        while True:
            try:
                await in_database(Generation.objects.release_place, self.place, self.name)
                await self.heed()
                await self.engine.ready()
                alive = {state.engine.model for state in await wire.worker_states()}
                await in_database(
                    LanguageModel.objects.serve,
                    self.engine.state.model,
                    self.engine.state.max_model_len,
                    alive,
                    self.engine.state.goes_on,
                )
                return
            except DatabaseError as error:
                log_failure(log, error)
                await asyncio.sleep(PAUSE)
            except wire.AWAY as error:
                log.warning("redis.away", error=str(error))
                await asyncio.sleep(PAUSE)

    @property
    def slots(self) -> int:
        return config.engine_slots or self.engine.state.slots

    async def claim(self) -> int:
        """Take as many rows as there are free slots and start them; how many that were."""
        free = self.slots - len(self.relays)
        if free < 1 or self.stopping.is_set() or self.state.paused:
            return 0
        if self.beaten and time.monotonic() - self.beaten > config.lease_seconds / 2:
            await self.beat()  # so as not to take one's own rows, where Postgres was away for long
        rows = await in_database(Generation.objects.claim, self.name, [self.engine.state.model], free, self.lease)
        for row in rows:
            if row.id in self.relays:
                self.drop(row.id)
            relay = self.relays[row.id] = Relay(row, self.engine, self.publisher, self.gate)
            self.tasks[row.id] = asyncio.create_task(self.see_through(relay))
        return len(rows)

    async def see_through(self, relay: Relay) -> None:
        """Run a relay, store what it gives, tell the end."""
        row = relay.row
        structlog.contextvars.bind_contextvars(request_id=row.request_id, generation=str(row.id), attempt=row.attempt)
        try:
            outcome = await relay.run()
            self.made += relay.answer.count
            if self.relays.get(row.id) is relay:
                if len(self.relays) >= self.slots:
                    self.bell.set()  # a slot is free that somebody may wait for
                del self.relays[row.id]
            if await self.ledger.store(outcome):
                relay.journal.add(outcome.end)
                self.publisher.mark(row.id, urgent=True)
                log.info(
                    "generation.ended",
                    status=outcome.status,
                    finish_reason=outcome.finish_reason,
                    prompt_tokens=outcome.usage.prompt_tokens,
                    completion_tokens=outcome.usage.completion_tokens,
                    model=row.model,
                )
            else:
                log.warning("generation.fenced")
                self.publisher.close(row.id, relay.journal)
        except asyncio.CancelledError:
            self.publisher.close(row.id, relay.journal)
            raise
        except Exception:  # a fault of ours, and of this row alone: its lease runs out
            log.critical("generation.broke", exc_info=True)
            self.publisher.close(row.id, relay.journal)
        finally:
            if self.tasks.get(row.id) is asyncio.current_task():
                del self.tasks[row.id]
            if self.relays.get(row.id) is relay:
                del self.relays[row.id]

    def fail_row(self, id: UUID, fault: Exception) -> None:
        """Let a row fail in which something is wrong that its relay has not found itself."""
        log.error("generation.unpublishable", generation=str(id), error=str(fault))
        if relay := self.relays.get(id):
            relay.fail(fault)

    def drop(self, id: UUID) -> None:
        """Let go of a row that another attempt holds."""
        self.relays.pop(id, None)
        if task := self.tasks.pop(id, None):
            task.cancel()

    async def beat(self) -> None:
        """Extend the leases; stop what was asked to stop, drop what was lost."""
        held = set(self.tasks)
        renewed = await in_database(Generation.objects.renew, self.name, held, self.lease)
        self.beaten = time.monotonic()
        for id in held:
            relay = self.relays.get(id)
            if relay is not None and id not in renewed:
                log.warning("lease.lost", generation=str(id))
                self.drop(id)
            elif relay is not None and renewed[id]:
                relay.stop()

    async def keep_leases(self) -> None:
        while True:
            await asyncio.sleep(config.lease_seconds / 3)
            try:
                await self.beat()
            except DatabaseError as error:
                log_failure(log, error)

    async def heed(self) -> None:
        """Learn whether an administrator has paused this place."""
        paused = await in_database(PausedPlace.objects.holds, self.place)
        if paused != self.state.paused:
            log.info("worker.paused" if paused else "worker.resumed", running=len(self.relays))
            self.state.paused = paused
            self.bell.set()

    async def keep_heeding(self) -> None:
        while True:
            self.orders.clear()
            try:
                await self.heed()
            except DatabaseError as error:
                log_failure(log, error)
            try:
                async with asyncio.timeout(ORDERS):
                    await self.orders.wait()
            except TimeoutError:
                pass  # the ring may have been lost

    async def keep_doubting(self) -> None:
        """Have the engine looked at closely while it answers nobody."""
        while limit := config.engine_stall_seconds:
            await asyncio.sleep(POLL)
            heard = [relay.heard for relay in self.relays.values() if relay.calling]
            if heard and time.monotonic() - max(heard) > limit / 2:
                await self.engine.doubt()

    async def tell(self) -> None:
        self.state.engine, self.state.gpus = self.engine.state, self.engine.gpus()
        self.state.running, self.state.slots = len(self.relays), self.slots
        self.state.draining = self.stopping.is_set()
        running = sum(relay.answer.count for relay in self.relays.values())
        self.state.tokens_per_second = self.rate.of(self.made + running, time.monotonic())
        self.state.memory_total, self.state.memory_available = (
            memory.total_bytes() // MIB,
            memory.available_bytes() // MIB,
        )
        await wire.tell_state(self.state)

    async def keep_telling(self) -> None:
        while True:
            try:
                await self.tell()
            except wire.AWAY as error:
                log.warning("redis.away", error=str(error))
            await asyncio.sleep(POLL)

    async def drain(self) -> None:
        """Finish what runs, within the time that is allowed, and hand over the rest at once."""
        log.info("worker.draining", running=len(self.tasks))
        if self.tasks:
            finished = asyncio.wait(list(self.tasks.values()))
            ends = [asyncio.create_task(finished), asyncio.create_task(self.hurrying.wait())]
            await asyncio.wait(ends, timeout=config.drain_seconds, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        left = list(self.tasks)
        for id in left:
            self.drop(id)
        try:
            if await in_database(Generation.objects.release, self.name):
                await wire.ring()
            await self.publisher.flush()
            await wire.forget_state(self.name)
        except (DatabaseError, *wire.AWAY) as error:
            log.warning("drain.incomplete", error=str(error).strip(), left=len(left))  # the leases run out
