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
from inference.engine.process.state_file import Record
from inference.engine.processes import Process


@dataclass
class Held:
    """An engine by its record. `adopted`: an earlier worker started it."""

    home: Path
    record: Record
    adopted: bool = False
    status: int | None = None
    family: list[Process] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.record.pid

    def alive(self) -> bool:
        """Whether its first process lives; if it was our child, its exit status is kept."""
        if self.status is None:
            self.status = processes.reap(self.pid)
        return processes.started(self.pid) == self.record.started

    def write(self, **changes: object) -> None:
        """Note a change in the record, for the next worker."""
        self.record = msgspec.structs.replace(self.record, **changes)
        record.write(file_in(self.home), self.record)

    async def end(self, patience: float) -> None:
        """End all its processes, and remove what it leaves: record and sockets."""
        await processes.end(self.home, {self.record.token}, patience)
        if self.status is None:
            self.status = processes.reap(self.pid)
        record.remove(file_in(self.home))
        sweep(self.home)

    @contextlib.contextmanager
    def bell(self, ring: Callable[[], None]) -> Iterator[None]:
        """Call `ring` as soon as one of its processes ends."""
        loop, descriptors = asyncio.get_running_loop(), list[int]()
        self.family = [process for process in processes.marked(self.home) if process.token == self.record.token]
        for process in self.family:
            with contextlib.suppress(OSError):
                descriptors.append(os.pidfd_open(process.pid))
        try:
            for descriptor in descriptors:
                loop.add_reader(descriptor, _once, loop, descriptor, ring)
            yield
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
                os.close(descriptor)

    def missing(self) -> int:
        """How many of the processes that it had when `bell` began have ended."""
        return sum(processes.started(process.pid) != process.started for process in self.family)


def _once(loop: asyncio.AbstractEventLoop, descriptor: int, ring: Callable[[], None]) -> None:
    loop.remove_reader(descriptor)
    ring()


def file_in(home: Path) -> Path:
    return home / "engine.json"


def sockets_in(home: Path) -> Path:
    """Folder of the sockets between the engine's own processes."""
    return home / "engine"


def sweep(home: Path) -> None:
    """Remove the sockets of an engine that is gone."""
    (home / "engine.sock").unlink(missing_ok=True)
    folder = sockets_in(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
