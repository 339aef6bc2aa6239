"""The file that a child's output goes to, with rotation that needs no help from the child."""

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 20_000_000
MAX_KEPT_LOGS = 3


class LogFile:
    """`name.log`, and `name.log.1` to `.3` from before. Writers append, so the file may be emptied under them."""

    def __init__(self, path: Path, limit: int = MAX_LOG_BYTES, kept: int = MAX_KEPT_LOGS) -> None:
        self.path = path
        self.limit = limit
        self.kept = kept

    def open(self) -> int:
        """A file descriptor for a child to write to; the caller closes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def rotate(self) -> bool:
        """Move a file that has grown too long to `.1`. The few bytes written meanwhile may be lost."""
        if not self.path.exists() or self.path.stat().st_size < self.limit:
            return False
        for number in range(self.kept, 1, -1):
            older, newer = self._old(number), self._old(number - 1)
            if newer.exists():
                newer.replace(older)
        shutil.copyfile(self.path, self._old(1))
        os.truncate(self.path, 0)
        return True

    def last_line(self) -> str:
        """The last line that is not empty, for an error message."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - 4000))
            lines = file.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
