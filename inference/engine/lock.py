"""One keeper per run directory: two would end each other's engine."""

import fcntl
import os
from pathlib import Path

from inference.engine.errors import EngineError


class EngineLock:
    """Held while the keeper runs, and let go of by the system when its process ends in whatever way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self) -> None:
        """Raise EngineError, with the holder's pid, while another keeper holds it. Taking it twice is harmless."""
        if self._descriptor >= 0:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode()
            os.close(descriptor)
            raise EngineError(
                f"Another worker (pid {holder}) holds the engine here; end it first.", blocked=True
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
