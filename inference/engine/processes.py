"""Processes, as /proc tells: which are ours, and how to end them with all that they started."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

TOKEN_VARIABLE = "JARVIS_ENGINE_TOKEN"  # names one engine
HOME_VARIABLE = "JARVIS_ENGINE_HOME"  # names the run directory it belongs to
PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A living process that carries a keeper's mark. `started` is in clock ticks since boot."""

    pid: int
    group: int
    started: int
    token: str


def start_ticks(pid: int) -> int:
    """When a process began, in clock ticks since boot; 0 when there is none, or only its corpse."""
    state, _, begin = _stat(pid)
    return 0 if state in "ZX" else begin


def _stat(pid: int) -> tuple[str, int, int]:
    """State, process group and start of a process; state X where there is none."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "X", 0, 0
    return fields[0], int(fields[2]), int(fields[19])


def find_marked(home: Path) -> list[Process]:
    """All living processes that a keeper of this run directory started, and what those started."""
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # it ended just now, or is another user's
            variables = (entry / "environ").read_bytes().split(b"\0")
            if f"{HOME_VARIABLE}={home}".encode() not in variables:
                continue
            token = (
                next((v for v in variables if v.startswith(f"{TOKEN_VARIABLE}=".encode())), b"=")
                .decode()
                .partition("=")[2]
            )
            state, group, begin = _stat(int(entry.name))
            if state not in "ZX":
                found.append(Process(int(entry.name), group, begin, token))
    return found


def mark_environment(home: Path, token: str) -> dict[str, str]:
    """What the environment of an engine's processes holds, so that they are known again."""
    return {HOME_VARIABLE: str(home), TOKEN_VARIABLE: token}


def reap_child(pid: int) -> int | None:
    """Exit status of a child that has ended (a signal is negative); None while it lives, or if it is no child."""
    with contextlib.suppress(ChildProcessError):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
    return None


async def end_marked(home: Path, tokens: set[str], grace_seconds: float = 10.0) -> None:
    """End every process with one of these tokens: SIGTERM, after `patience` seconds SIGKILL. Returns when all have."""
    for signum, limit in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + limit
        told: set[int] = set()
        while ours := [process for process in find_marked(home) if process.token in tokens]:
            for process in ours:
                if process.pid not in told and start_ticks(process.pid) == process.started:
                    told.add(process.pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signum)
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
            for process in ours:
                reap_child(process.pid)
        else:
            return
    names = ", ".join(str(process.pid) for process in ours)
    raise TimeoutError(f"Processes {names} of the engine do not end, not even by SIGKILL.")


def process_name(pid: int) -> str:
    """What to call a process: its command, shortened; empty when it is gone."""
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return (command or (PROC / str(pid) / "comm").read_text().strip())[:80]
    except OSError:
        return ""


def group_members(group: int) -> list[int]:
    """The processes of a group."""
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _stat(pid)[1] == group]


def resident_bytes(pid: int) -> int:
    """Main memory of a process, in bytes; 0 when it is gone."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
