"""A file that a child process writes its output to, with rotation that needs no help from the child."""

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 20_000_000
MAX_KEPT_LOGS = 3
TAIL_BYTES = 64 * 1024
LINE_BYTES = 4000  # in which the last line is looked for


class LogFile:
    """`name.log`, and `name.log.1` to `.3` from before. Writers append, so the file may be emptied under them."""

    def __init__(self, path: Path, limit: int = MAX_LOG_BYTES, kept: int = MAX_KEPT_LOGS) -> None:
        self.path = path
        self.limit = limit
        self.kept = kept

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> int:
        """A file descriptor for a child to write to; the caller closes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def start_new(self) -> None:
        """Move the file to `.1` where it holds anything. For a file that nobody writes to."""
        if self.size():
            self._shift_old()
            self.path.replace(self._old(1))

    def rotate(self) -> bool:
        """Move the content to `.1` once it is longer than the limit, while a child writes to the file.

        The few bytes written meanwhile may be lost. Raises OSError, and leaves all as it is, where there is no room.
        """
        if self.size() <= self.limit:
            return False
        copy = self.path.with_name(f"{self.path.name}.new")
        try:
            shutil.copyfile(self.path, copy)
            self._shift_old()
            copy.replace(self._old(1))
        finally:
            copy.unlink(missing_ok=True)
        os.truncate(self.path, 0)
        return True

    def size(self) -> int:
        """In bytes; 0 where there is no file."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read_tail(self, size: int = TAIL_BYTES, after: int = 0) -> str:
        """The last `size` bytes, as far as they come after byte `after`; empty where there is no file."""
        try:
            with self.path.open("rb") as file:
                whole = os.fstat(file.fileno()).st_size
                file.seek(max(after if after <= whole else 0, whole - size))  # shorter than `after`: it was rotated
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def last_line(self) -> str:
        """The last line that is not empty, for an error message."""
        lines = self.read_tail(LINE_BYTES).splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _shift_old(self) -> None:
        """Make room at `.1`; the oldest goes."""
        for number in range(self.kept, 1, -1):
            if self._old(number - 1).exists():
                self._old(number - 1).replace(self._old(number))

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
