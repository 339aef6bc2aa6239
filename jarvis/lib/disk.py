"""How much room is left on the disk where Jarvis keeps its data, and a reserve for the moment when there is none.

A full disk stops Postgres and Redis in the middle of a sentence. So a file takes some room up front (a ballast, as
CockroachDB has one). When the rest is used up it goes, and answers under way are written into what it held. New work
is refused until there is room again.
"""

import os
import shutil
from pathlib import Path

from jarvis.lib.config import config

LOW_BYTES = 1_000_000_000  # from here on people are warned
FULL_BYTES = 100_000_000  # below this nothing new is accepted
RELEASE_BYTES = 24_000_000  # below this the reserve is given up
RESERVE_BYTES = 64_000_000  # less than FULL_BYTES: what is given up brings no new work in
FULL_DISK = "The disk of the server is full: nothing new is accepted until an administrator has made room."
FULL_DISK_WAIT_SECONDS = 10.0


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write on the disk of a folder."""
    return shutil.disk_usage(folder).free


def is_data_full() -> bool:
    """Whether the disk with the data has no room for new work. False where that is on other machines, or unseen."""
    if config.database_url and config.redis_url:
        return False
    try:
        return free_bytes(config.var) < FULL_BYTES
    except OSError:
        return False


def explain_outage(reason: str) -> str:
    """What to say of a server that cannot be reached: `reason`, unless it is known that its disk is full."""
    return FULL_DISK if is_data_full() else reason


class DiskReserve:
    """A file of RESERVE_BYTES in a folder, there as long as there is room for it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "reserve"

    def adjust(self, free: int) -> bool:
        """Give the file up where less than RELEASE_BYTES are free, make it where there is plenty; whether it is there.

        A file that cannot be made or removed stays as it is: the next call tries again.
        """
        try:
            if free < RELEASE_BYTES:
                self.path.unlink(missing_ok=True)
            elif free > FULL_BYTES + RESERVE_BYTES and not self.path.exists():
                self._make()
        except OSError:
            pass
        return self.path.exists()

    def _make(self) -> None:
        draft = self.path.with_suffix(".new")
        try:
            with draft.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
