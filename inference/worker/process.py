"""The worker as a process: its place, its engine, its signals."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvloop
from django.db import Error as DatabaseError

from inference.engine.base import make_engine
from inference.models import LanguageModel
from inference.worker.worker import RETRY_SECONDS, Worker
from jarvis.lib import gc_tuning
from jarvis.lib.config import config
from jarvis.lib.database import in_database, log_failure
from jarvis.lib.locks import LockTaken, ProcessLock

log = structlog.get_logger(__name__)


class SlotTaken(Exception):
    """Another worker runs in this place."""


@contextmanager
def hold_slot() -> Iterator[str]:
    """The name of this host and run directory, held by one worker at a time. Raises SlotTaken.

    The lock is the kernel's, so it is free the moment its worker dies: who holds it knows that any other worker of
    this place is dead, and takes its rows over without waiting for their leases.
    """
    lock = ProcessLock(config.run_dir / "worker.lock")
    try:
        lock.acquire(str(os.getpid()))
    except LockTaken:
        raise SlotTaken(f"A worker runs already with {config.run_dir}. Stop it, or set another JARVIS_VAR.") from None
    try:
        yield f"{socket.gethostname()}:{config.run_dir}"
    finally:
        lock.release()


async def fetch_engine_args() -> str:
    """What the catalogue adds to the model's command line. Waits for Postgres: without it there is no work either."""
    row = LanguageModel.objects.filter(name=config.model_name).values_list("engine_args", flat=True)
    while True:
        try:
            return await in_database(row.first) or ""
        except DatabaseError as error:
            log_failure(log, error)
            await asyncio.sleep(RETRY_SECONDS)


class WorkerProcess:
    def __init__(self, *, keep_engine: bool = False) -> None:
        self.keep_engine = keep_engine

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; the second one cuts the drain short.

        Whatever else ends it is raised, and the engine left for the next worker.
        """
        with hold_slot() as name:
            uvloop.run(self.work(name))

    async def work(self, slot_name: str) -> None:
        engine = make_engine(config, fetch_engine_args)
        worker = Worker(engine, slot_name)
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, worker.stop)
        gc_tuning.freeze_garbage()
        log.info("worker.started", name=worker.name, pid=os.getpid(), model=config.model_name)
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(engine.run())
            await worker.run()
            keeper.cancel()
        if not self.keep_engine:
            await engine.stop()
        log.info("worker.stopped")
