"""`manage.py run`: all of Jarvis, from an empty folder to a page that answers."""

import asyncio
import contextlib
import resource
import socket

from inference.redis.client import UNAVAILABLE_ERRORS, close_client
from inference.worker_state import WorkerState
from jarvis.launch import children, database, notices, port
from jarvis.launch.child import Child
from jarvis.launch.display import Display, DisplayRow
from jarvis.launch.errors import LaunchError
from jarvis.launch.instance_lock import InstanceLock
from jarvis.launch.supervisor import Supervisor
from jarvis.lib.config import Config
from jarvis.lib.disk import free_bytes

MIN_FREE_BYTES = 300_000_000
MAX_OPEN_FILES = 65_536
POLL_SECONDS = 0.5  # seconds
# Web first, so that nothing new comes in; what the others need goes last.
STOP_ORDER = (("web",), ("celery", "beat"), ("worker",), ("redis",), ("postgres",))


class Instance:
    """`run` returns after a stop signal, with every child gone, or raises LaunchError."""

    def __init__(self, config: Config, display: Display) -> None:
        self.config = config
        self.display = display
        self.address = port.local_address(config.web_host, config.web_port)
        self.supervisor = Supervisor(InstanceLock(config.run_dir, self.address), display, STOP_ORDER)
        self.dev = False
        self.accept_key = False
        self._listener: socket.socket | None = None

    async def run(self, *, services_only: bool = False, dev: bool = False, accept_key: bool = False) -> None:
        """Everything, or Postgres and Redis alone, until a stop signal.

        `dev`: for who works on the code. `accept_key`: also with another secret key than the database's.
        """
        raise_file_limit()
        self.dev, self.accept_key = dev, accept_key
        try:
            await self.supervisor.run(self._run_services if services_only else self._run_all)
        finally:
            if self._listener is not None:
                self._listener.close()
            with contextlib.suppress(*UNAVAILABLE_ERRORS):
                await close_client()

    async def _run_services(self) -> None:
        check_disk(self.config)
        await self.supervisor.start_children(children.service_plans(self.config))
        self.display.add_note(f"DATABASE_URL={self.config.postgres}")
        self.display.add_note(f"REDIS_URL={self.config.redis}")
        await asyncio.gather(self.supervisor.rotate_logs(), self.supervisor.watch_disk(self.config.var))

    async def _run_all(self) -> None:
        check_disk(self.config)
        fd = self._open_listener()  # before anything is started: a port that is taken should be reported at once
        await asyncio.to_thread(database.check_given_servers, self.config)
        await self.supervisor.start_children(children.service_plans(self.config))
        link = await asyncio.to_thread(database.migrate, self.config, accept_key=self.accept_key)
        await asyncio.to_thread(database.collect_static, self.config)
        await self.supervisor.start_children(children.web_plans(self.config, fd, dev=self.dev))
        public = notices.public_address(self.config)
        place = f"{self.address}{f' and, by the proxy, {public}' if public else ''}"
        self.display.add_note(f"Jarvis is at {place}  (Ctrl-C stops it; logs are in {self.config.var / 'log'})")
        for sentence in await asyncio.to_thread(notices.find_notices, self.config):
            self.display.add_note(f"Note: {sentence}")
        first = f"Make the first administrator: {self.address}{link}" if link else ""
        if first:
            self.display.add_note(first)
        # Loading an engine takes every core there is, so it begins when the page answers.
        worker, *_ = [self.supervisor.keep_child(plan) for plan in children.background_plans(self.config)]
        works = [self._show_engine(worker), self.supervisor.rotate_logs(), self.supervisor.watch_disk(self.config.var)]
        await asyncio.gather(*works, *([notices.drop_used_link(self.config, self.display, first)] if first else []))

    def _open_listener(self) -> int | None:
        """The file descriptor of the one listening socket, which stays open here while web processes come and go."""
        listener = port.open_listener(self.config.web_host, self.config.web_port)
        if self.config.web_server == "granian":  # opens the port itself; this was to see that it can
            listener.close()
            return None
        self._listener = listener
        return listener.fileno()

    async def _show_engine(self, worker: Child) -> None:
        """Show the state of the engine, which the worker publishes through Redis."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if worker.phase in ("starting", "ready") and worker.identity is not None:
                state = await children.worker_state(worker.identity.pid)
                if state is not None:
                    self.display.show_row(worker.plan.name, engine_row(state))


def engine_row(state: WorkerState) -> DisplayRow:
    """A worker's own words about its engine, as a row."""
    engine = state.engine
    detail = engine.model if engine.phase == "ready" else engine.detail
    return DisplayRow("draining" if state.draining else engine.phase, detail, engine.progress)


def raise_file_limit() -> None:
    """Each open stream is an open file, and the usual limit of 1,024 is below what one web process can serve."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_disk(config: Config) -> None:
    """Raises LaunchError where there is too little space to begin with."""
    config.var.mkdir(parents=True, exist_ok=True)
    free = free_bytes(config.var)
    if free < MIN_FREE_BYTES:
        raise LaunchError(
            f"Only {free // 1_000_000} MB are free where {config.var} lies: make room for "
            f"{MIN_FREE_BYTES // 1_000_000} MB, or set JARVIS_VAR to a folder on another disk"
        )
