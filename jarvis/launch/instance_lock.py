"""One Jarvis per folder: a lock while it runs, and a record of its children for the one that comes after a crash."""

import fcntl
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from jarvis.launch.child import kill_group
from jarvis.launch.errors import LaunchError
from jarvis.lib import processes


class InstanceLock:
    """Taken for as long as an instance runs. `end_leftovers` ends what an earlier instance that was killed left."""

    def __init__(self, run_dir: Path, address: str) -> None:
        self.lock_file = run_dir / "supervisor.lock"
        self.record_file = run_dir / "children.json"
        self.address = address
        self._fd = -1

    def __enter__(self) -> Self:
        """Raises LaunchError where Jarvis runs already."""
        self._fd = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = self.lock_file.read_text().strip()
            os.close(self._fd)
            raise LaunchError(f"Jarvis is running here already{f': {other}' if other else ''}") from None
        os.truncate(self._fd, 0)
        os.write(self._fd, f"{self.address} (pid {os.getpid()})".encode())
        return self

    def __exit__(self, *_: object) -> None:
        os.truncate(self._fd, 0)
        os.close(self._fd)

    def record_children(self, children: Mapping[str, processes.Identity]) -> None:
        """Write down who lives, so that a successor can end them."""
        new = self.record_file.with_suffix(".new")
        new.write_text(json.dumps(children))
        new.replace(self.record_file)

    def read_children(self) -> dict[str, processes.Identity]:
        """Who was written down last, alive or not."""
        if not self.record_file.exists():
            return {}
        return {name: processes.Identity(*who) for name, who in json.loads(self.record_file.read_text()).items()}

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
            kill_group(who.pid)
        self.record_file.unlink(missing_ok=True)
        return sorted(left)
