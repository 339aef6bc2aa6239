"""One Jarvis per folder: a lock while it runs, and a record of its children for the one that comes after a crash."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from jarvis.launch.errors import LaunchError
from jarvis.lib import processes
from jarvis.lib.locks import LockTaken, ProcessLock

RECORD_BYTES = 4096


class InstanceLock:
    """Taken for as long as an instance runs. `end_leftovers` ends what an earlier instance that was killed left."""

    def __init__(self, run_dir: Path, address: str) -> None:
        self.record_file = run_dir / "children.json"
        self.address = address
        self._lock = ProcessLock(run_dir / "supervisor.lock")

    def __enter__(self) -> Self:
        """Raises LaunchError where Jarvis runs already."""
        try:
            self._lock.acquire(f"{self.address} (pid {os.getpid()})")
        except LockTaken as taken:
            raise LaunchError(f"Jarvis is running here already{f': {taken}' if taken.holder else ''}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def record_children(self, children: Mapping[str, processes.Identity]) -> None:
        """Write down who lives, so that a successor can end them. Raises OSError.

        It is written over what was there, padded to a length that it keeps, so that a full disk has room for it.
        """
        record = json.dumps(children).encode().ljust(RECORD_BYTES)
        file = os.open(self.record_file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(file, record, 0)
            os.truncate(file, len(record))
        finally:
            os.close(file)

    def read_children(self) -> dict[str, processes.Identity]:
        """Who was written down last, alive or not."""
        if not self.record_file.exists():
            return {}
        try:
            record = json.loads(self.record_file.read_text())
        except ValueError:  # it was cut off while it was made
            return {}
        return {name: processes.Identity(*who) for name, who in record.items()}

    def end_leftovers(self, grace_seconds: float = 6.0) -> list[str]:
        """End the children of a holder that was killed, and give their names.

        The worker is killed at once: then its engine lives on, is taken over by the next worker, and no model
        has to be loaded again. Postgres and Redis are ended by their own `prepare`.
        """
        left = {name: who for name, who in self.read_children().items() if processes.is_alive(who)}
        for name, who in left.items():
            if name == "worker":
                processes.send_signal(who, signal.SIGKILL)
        ordinary = {name: who for name, who in left.items() if name not in ("worker", "postgres", "redis")}
        processes.end_processes(ordinary.values(), signal.SIGTERM, grace_seconds)
        for who in ordinary.values():
            processes.kill_group(who.pid)
        self.record_file.unlink(missing_ok=True)
        return sorted(left)
