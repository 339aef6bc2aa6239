"""Starts an engine so that it outlives the worker: a session of its own, and its output in a file."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

ISOLATE = Path(__file__).with_name("isolate.py")


def spawn_process(command: list[str], environment: Mapping[str, str], log: Path, *, isolated: bool) -> int:
    """The pid of the new process, leader of its own session and group. It is the worker's child, but not its ward."""
    if isolated:
        command = [sys.executable, str(ISOLATE), *command]
    log.parent.mkdir(parents=True, exist_ok=True)
    inherit = dict(environment)
    return os.posix_spawnp(
        command[0],
        command,
        inherit,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def is_isolated(pid: int) -> bool:
    """Whether a process has a network of its own."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    except OSError:
        return False
