"""One engine process group that Jarvis started: written down, recognised again, watched and ended."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from inference.engine import processes
from inference.engine.process import state_file as record
from inference.engine.process.state_file import EngineRecord, sockets_path
from inference.engine.processes import EngineProcess
from jarvis.lib.processes import Identity, is_alive, reap_child


@dataclass
class EngineHandle:
    """An engine by its record. `adopted`: an earlier worker started it."""

    home: Path
    record: EngineRecord
    adopted: bool = False
    status: int | None = None
    processes: list[EngineProcess] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.record.pid

    def alive(self) -> bool:
        """Whether its first process lives; if it was our child, its exit status is kept."""
        if self.status is None:
            self.status = reap_child(self.pid)
        return is_alive(Identity(self.pid, self.record.started))

    def write_record(self, **changes: object) -> None:
        """Note a change in the record, for the next worker."""
        self.record = msgspec.structs.replace(self.record, **changes)
        record.write_record(state_path(self.home), self.record)

    async def end_processes(self, grace_seconds: float) -> None:
        """End all its processes, and remove what it leaves: record and sockets."""
        await processes.end_marked(self.home, {self.record.token}, grace_seconds)
        if self.status is None:
            self.status = reap_child(self.pid)
        record.remove_record(state_path(self.home))
        remove_sockets(self.home)

    @contextlib.contextmanager
    def watch_processes(self, ring: Callable[[], None]) -> Iterator[None]:
        """Call `ring` as soon as one of its processes ends."""
        loop, descriptors = asyncio.get_running_loop(), list[int]()
        self.processes = [process for process in processes.find_marked(self.home) if process.token == self.record.token]
        for process in self.processes:
            with contextlib.suppress(OSError):
                descriptors.append(os.pidfd_open(process.pid))
        try:
            for descriptor in descriptors:
                loop.add_reader(descriptor, _ring_once, loop, descriptor, ring)
            yield
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
                os.close(descriptor)

    def count_ended(self) -> int:
        """How many of the processes that it had when `bell` began have ended."""
        return sum(not is_alive(process.identity) for process in self.processes)


def _ring_once(loop: asyncio.AbstractEventLoop, descriptor: int, ring: Callable[[], None]) -> None:
    loop.remove_reader(descriptor)
    ring()


def state_path(home: Path) -> Path:
    return home / "engine.json"


def remove_sockets(home: Path) -> None:
    """Remove the sockets of an engine that is gone."""
    (home / "engine.sock").unlink(missing_ok=True)
    folder = sockets_path(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
