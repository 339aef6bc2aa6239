"""What a person sees of a running Jarvis: a line of state per process, redrawn on a terminal, appended elsewhere."""

import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TextIO

COLOURS = {"ready": 32, "running": 32, "failed": 31, "full": 31, "restarting": 33, "low": 33, "stopped": 2}
OTHER_COLOUR = 36
PROGRESS_STEP = 0.25  # without a terminal, progress is printed this often


@dataclass(frozen=True)
class DisplayRow:
    """The state of one process. `progress` runs from 0 to 1."""

    state: str
    detail: str = ""
    progress: float | None = None

    def format_text(self) -> str:
        share = "" if self.progress is None else f" {self.progress:.0%}".replace("%", " %")
        return f"{self.state}{share}{f': {self.detail}' if self.detail else ''}"

    def announcement_key(self) -> tuple[str, str, int]:
        """Rows for which this is equal need not be printed twice."""
        moving = self.progress is not None
        return self.state, "" if moving else self.detail, int((self.progress or 0) / PROGRESS_STEP)


class Display:
    """Rows by name, in the order in which they came, and lines that stay."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.live = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.coloured = self.live and "NO_COLOR" not in os.environ
        self.rows: dict[str, DisplayRow] = {}
        self._notes: list[str] = []
        self._drawn = 0

    def show_row(self, name: str, row: DisplayRow) -> None:
        """Set the row of one process."""
        before = self.rows.get(name)
        if before == row:
            return
        self.rows[name] = row
        if self.live:
            self._draw()
        elif before is None or before.announcement_key() != row.announcement_key():
            self._write(f"{name:<9} {row.format_text()}\n")

    def add_note(self, line: str) -> None:
        """A line for people that stays below the rows."""
        self._notes.append(line)
        if self.live:
            self._draw()
        else:
            self._write(f"{line}\n")

    def remove_note(self, line: str, told: str) -> None:
        """Take one away that is no longer true; where lines cannot be taken back, say what is true now."""
        self._notes = [note for note in self._notes if note != line]
        if self.live:
            self._draw()
        else:
            print(told, file=self.out, flush=True)

    def clear_notes(self) -> None:
        """Take the lines away that are no longer true."""
        self._notes.clear()

    def _write(self, text: str) -> None:
        """Nobody may be looking: a terminal that is gone, or a file on a full disk, ends nothing."""
        with contextlib.suppress(OSError):
            self.out.write(text)
            self.out.flush()

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns
        lines = [self._line(name, row, width) for name, row in self.rows.items()]
        lines += ["", *self._notes] if self._notes else []
        back = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._write(back + "".join(f"\r\x1b[2K{line}\n" for line in lines) + "\x1b[J")
        # A note may be longer than the terminal is wide (the link is); then it takes several of its lines.
        self._drawn = sum(max(1, -(-len(line) // width)) for line in self._notes) + len(self.rows) + bool(self._notes)

    def _line(self, name: str, row: DisplayRow, width: int) -> str:
        text = row.format_text()
        room = width - 13
        shown = text if len(text) <= room else text[: max(1, room - 1)] + "…"
        if not self.coloured:
            return f"  {name:<9} {shown}"
        colour = COLOURS.get(row.state, OTHER_COLOUR)
        return f"  {name:<9} \x1b[{colour}m{row.state}\x1b[0m{shown[len(row.state) :]}"
