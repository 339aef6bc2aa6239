"""What the keeper writes down about its engine, so that the next worker finds it."""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class EngineRecord(msgspec.Struct, frozen=True):
    """One engine. `started` is in clock ticks since boot: with the pid it names one process, though pids come again."""

    token: str  # in the environment of every process of this engine
    model: str
    fingerprint: str  # of command, environment, model files and version: an equal one is the same engine
    command: list[str]
    socket: str
    version: str
    pid: int = 0  # 0: written down before the process was there
    started: int = 0
    served: bool = False  # was ready once: from then on silence is a fault
    created: str = msgspec.field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def sockets_path(home: Path) -> Path:
    """Folder of the sockets between the engine's own processes."""
    return home / "engine"


def write_record(path: Path, record: EngineRecord) -> None:
    """Replace the file in one step: a reader sees the old record or the new one."""
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
    draft.chmod(0o600)
    os.replace(draft, path)


def read_record(path: Path) -> EngineRecord | None:
    """The record, or None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=EngineRecord)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def remove_record(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
