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
from inference.redis.client import UNAVAILABLE_ERRORS, close_client
from inference.redis.workers import doorbell, publish_state, remove_state, ring_doorbell, worker_states
from inference.worker.publisher import Publisher
from inference.worker.quarantine import Quarantine
from inference.worker.relay import Relay
from inference.worker.result_writer import ResultWriter
from inference.worker_state import WorkerState
from jarvis.lib.config import config
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.open_files import max_connections

log = structlog.get_logger(__name__)

PAUSE_POLL_SECONDS = 3.0  # seconds between looks whether this worker is paused
POLL_SECONDS = 1.0  # seconds between looks at the queue, and between states told
RATE_SECONDS = 5.0  # over which tokens per second are measured
RETRY_SECONDS = 1.0  # seconds after which a server that is away is tried again


class Rate:
    """How fast a count grows, per second, over the last RATE_SECONDS."""

    def __init__(self) -> None:
        self.seen: deque[tuple[float, int]] = deque()

    def update(self, count: int, now: float) -> float:
        self.seen.append((now, count))
        while len(self.seen) > 2 and self.seen[0][0] < now - RATE_SECONDS:
            self.seen.popleft()
        since, before = self.seen[0]
        grown = max(0, count - before)  # an answer that starts again makes it smaller
        return round(grown / (now - since), 1) if now > since else 0.0


class Worker:
    """`run` works until `stopping` is set. Its steps, such as `claim_rows` and `renew_leases`, can be called alone."""

    def __init__(self, engine: Engine, slot_name: str) -> None:
        self.engine = engine
        self.slot_name = slot_name  # what this worker alone holds: its host and run directory
        self.name = f"{slot_name}/{os.getpid()}-{secrets.token_hex(4)}"  # in a container the pid is always the same
        self.publisher = Publisher(self.fail_row)
        self.result_writer = ResultWriter()
        self.quarantine = Quarantine()
        self.relays: dict[UUID, Relay] = {}
        self.tasks: dict[UUID, asyncio.Task[None]] = {}
        self.doorbell = asyncio.Event()
        self.stopping = asyncio.Event()
        self.hurrying = asyncio.Event()
        self.lease = timedelta(seconds=config.lease_seconds)
        self.renewed_at = 0.0
        self.ended_tokens = 0  # tokens of the answers that have ended
        self.rate = Rate()
        self.pause_changed = asyncio.Event()
        self.state = WorkerState(
            self.name, socket.gethostname(), os.getpid(), time.time(), engine.state, place=slot_name
        )

    async def run(self) -> None:
        """Work until told to stop, then drain. A part that dies ends the whole worker with its error."""
        parts: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self.publisher.run,
            self.result_writer.run,
            self.listen_to_doorbell,
            self.keep_claiming,
            self.keep_renewing_leases,
            self.keep_publishing_state,
            self.keep_refreshing_pause,
            self.keep_checking_stall,
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part(), name=part.__name__) for part in parts]
            await self.stopping.wait()
            tasks[3].cancel()
            await self.drain()
            for task in tasks:
                task.cancel()
        await self.publisher.writer.close()
        await close_client()

    def stop(self) -> None:
        """Drain, then end. Called a second time: hand over what runs instead of finishing it."""
        if self.stopping.is_set():
            self.hurrying.set()
        self.stopping.set()

    async def listen_to_doorbell(self) -> None:
        """Hear the doorbell. While Redis is away the poll of `keep_claiming` does."""
        while True:
            try:
                async with doorbell() as messages:
                    self.doorbell.set()  # what was rung before this
                    async for message in messages:
                        self.handle_ring(message)
            except UNAVAILABLE_ERRORS as error:
                log.warning("redis.away", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    def handle_ring(self, message: str) -> None:
        verb, _, id = message.partition(" ")
        if verb == "stop" and (relay := self.relays.get(UUID(id))):
            relay.stop()
        elif verb == "work":
            self.doorbell.set()
        elif verb == "orders":
            self.pause_changed.set()

    async def keep_claiming(self) -> None:
        await self.register()
        while True:
            self.doorbell.clear()
            await self.engine.wait_ready()
            try:
                await self.claim_rows()
            except DatabaseError as error:
                log_failure(log, error)
                await asyncio.sleep(RETRY_SECONDS)
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self.doorbell.wait()
            except TimeoutError:
                pass  # the poll

    async def register(self) -> None:
        """Free the rows of a worker that died in this place, and enter the model into the catalogue."""
        while True:
            try:
                await in_database(Generation.objects.release_slot, self.slot_name, self.name)
                await self.refresh_pause()
                await self.engine.wait_ready()
                alive = {state.engine.model for state in await worker_states()}
                await in_database(
                    LanguageModel.objects.register_served,
                    self.engine.state.model,
                    self.engine.state.max_model_len,
                    alive,
                    self.engine.state.goes_on,
                )
                return
            except DatabaseError as error:
                log_failure(log, error)
                await asyncio.sleep(RETRY_SECONDS)
            except UNAVAILABLE_ERRORS as error:
                log.warning("redis.away", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    @property
    def slots(self) -> int:
        # Each answer is a connection to the engine, and so an open file.
        return min(config.engine_slots or self.engine.state.slots, max_connections())

    async def claim_rows(self) -> int:
        """Take as many rows as there are free slots and start them; how many that were."""
        free = self.slots - len(self.relays)
        if free < 1 or self.stopping.is_set() or self.state.paused:
            return 0
        if self.renewed_at and time.monotonic() - self.renewed_at > config.lease_seconds / 2:
            await self.renew_leases()  # so as not to take one's own rows, where Postgres was away for long
        rows = await in_database(Generation.objects.claim, self.name, [self.engine.state.model], free, self.lease)
        for row in rows:
            if row.id in self.relays:
                self.drop_relay(row.id)
            relay = self.relays[row.id] = Relay(row, self.engine, self.publisher, self.quarantine)
            self.tasks[row.id] = asyncio.create_task(self.run_generation(relay))
        return len(rows)

    async def run_generation(self, relay: Relay) -> None:
        """Run a relay, store what it gives, tell the end."""
        row = relay.row
        structlog.contextvars.bind_contextvars(request_id=row.request_id, generation=str(row.id), attempt=row.attempt)
        try:
            outcome = await relay.run()
            self.ended_tokens += relay.answer.count
            if self.relays.get(row.id) is relay:
                if len(self.relays) >= self.slots:
                    self.doorbell.set()  # a slot is free that somebody may wait for
                del self.relays[row.id]
            if await self.result_writer.store_outcome(outcome):
                relay.buffer.add_event(outcome.end)
                self.publisher.mark_changed(row.id, urgent=True)
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
                self.publisher.close_buffer(row.id, relay.buffer)
        except asyncio.CancelledError:
            self.publisher.close_buffer(row.id, relay.buffer)
            raise
        except Exception:  # a fault of ours, and of this row alone: its lease runs out
            log.critical("generation.broke", exc_info=True)
            self.publisher.close_buffer(row.id, relay.buffer)
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

    def drop_relay(self, id: UUID) -> None:
        """Let go of a row that another attempt holds."""
        self.relays.pop(id, None)
        if task := self.tasks.pop(id, None):
            task.cancel()

    async def renew_leases(self) -> None:
        """Extend the leases; stop what was asked to stop, drop what was lost."""
        held = set(self.tasks)
        renewed = await in_database(Generation.objects.renew, self.name, held, self.lease)
        self.renewed_at = time.monotonic()
        for id in held:
            relay = self.relays.get(id)
            if relay is not None and id not in renewed:
                log.warning("lease.lost", generation=str(id))
                self.drop_relay(id)
            elif relay is not None and renewed[id]:
                relay.stop()

    async def keep_renewing_leases(self) -> None:
        while True:
            await asyncio.sleep(config.lease_seconds / 3)
            try:
                await self.renew_leases()
            except DatabaseError as error:
                log_failure(log, error)

    async def refresh_pause(self) -> None:
        """Learn whether an administrator has paused this place."""
        paused = await in_database(PausedPlace.objects.is_paused, self.slot_name)
        if paused != self.state.paused:
            log.info("worker.paused" if paused else "worker.resumed", running=len(self.relays))
            self.state.paused = paused
            self.doorbell.set()

    async def keep_refreshing_pause(self) -> None:
        while True:
            self.pause_changed.clear()
            try:
                await self.refresh_pause()
            except DatabaseError as error:
                log_failure(log, error)
            try:
                async with asyncio.timeout(PAUSE_POLL_SECONDS):
                    await self.pause_changed.wait()
            except TimeoutError:
                pass  # the ring may have been lost

    async def keep_checking_stall(self) -> None:
        """Have the engine looked at closely while it answers nobody."""
        while limit := config.engine_stall_seconds:
            await asyncio.sleep(POLL_SECONDS)
            heard = [relay.last_read_at for relay in self.relays.values() if relay.call_name]
            if heard and time.monotonic() - max(heard) > limit / 2:
                await self.engine.check_stall()

    async def publish_state(self) -> None:
        self.state.engine, self.state.gpus = self.engine.state, self.engine.list_gpus()
        self.state.running, self.state.slots = len(self.relays), self.slots
        self.state.draining = self.stopping.is_set()
        running = sum(relay.answer.count for relay in self.relays.values())
        self.state.tokens_per_second = self.rate.update(self.ended_tokens + running, time.monotonic())
        self.state.memory_total, self.state.memory_available = (
            memory.total_bytes() // MIB,
            memory.available_bytes() // MIB,
        )
        await publish_state(self.state)

    async def keep_publishing_state(self) -> None:
        while True:
            try:
                await self.publish_state()
            except UNAVAILABLE_ERRORS as error:
                log.warning("redis.away", error=str(error))
            await asyncio.sleep(POLL_SECONDS)

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
            self.drop_relay(id)
        try:
            if await in_database(Generation.objects.release, self.name):
                await ring_doorbell()
            await self.publisher.flush()
            await remove_state(self.name)
        except (DatabaseError, *UNAVAILABLE_ERRORS) as error:
            log.warning("drain.incomplete", error=str(error).strip(), left=len(left))  # the leases run out
