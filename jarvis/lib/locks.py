"""A lock that one process of this machine has at a time."""

from pathlib import Path

from filelock import FileLock, Timeout


class LockTaken(Exception):
    """Another process has the lock. `holder` is what that process has written about itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class ProcessLock:
    """A locked file, with a word in it about the process that has the lock.

    The lock is the kernel's (flock): it is free the moment its process ends, in whatever way.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path, mode=0o600, blocking=False, thread_local=False)

    def acquire(self, holder: str) -> None:
        """Take the lock, and write `holder` into the file. Raises LockTaken. Taking it twice is harmless."""
        if self._lock.is_locked:
            return
        try:
            self._lock.acquire()
        except Timeout:
            raise LockTaken(self.path.read_text().strip()) from None
        self.path.write_text(holder)

    def release(self) -> None:
        """Give the lock back where this process has it. The file stays: others may wait at it."""
        if self._lock.is_locked:
            self.path.write_text("")
            self._lock.release()
