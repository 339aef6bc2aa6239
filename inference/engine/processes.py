"""The processes of an engine: marked by their environment, so that any worker of this run directory knows them."""

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from jarvis.lib.processes import Identity, group_of, identify, reap_child, send_signal

TOKEN_VARIABLE = "JARVIS_ENGINE_TOKEN"  # names one engine
HOME_VARIABLE = "JARVIS_ENGINE_HOME"  # names the run directory it belongs to


@dataclass(frozen=True)
class EngineProcess:
    """A living process with the mark of a run directory. `started` is in clock ticks since boot."""

    pid: int
    group: int
    started: int
    token: str

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.started)


def mark_environment(home: Path, token: str) -> dict[str, str]:
    """The variables that mark the processes of one engine."""
    return {HOME_VARIABLE: str(home), TOKEN_VARIABLE: token}


def find_marked(home: Path) -> list[EngineProcess]:
    """All living processes that a worker of this run directory started as an engine, and what those started."""
    found = []
    for process in psutil.process_iter(["environ"]):
        variables = process.info["environ"] or {}  # None: another user's
        if variables.get(HOME_VARIABLE) != str(home):
            continue
        who, group = identify(process.pid), group_of(process.pid)
        if who is not None and group is not None:  # else it ended just now
            found.append(EngineProcess(who.pid, group, who.started, variables.get(TOKEN_VARIABLE, "")))
    return found


async def end_marked(home: Path, tokens: set[str], grace_seconds: float = 10.0) -> None:
    """End every process with one of these tokens: SIGTERM, after `grace_seconds` SIGKILL. Returns when all have."""
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + seconds
        asked: set[int] = set()
        while ours := [process for process in find_marked(home) if process.token in tokens]:
            for process in ours:
                if process.pid not in asked:
                    asked.add(process.pid)
                    send_signal(process.identity, number)
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
            for process in ours:
                reap_child(process.pid)
        else:
            return
    names = ", ".join(str(process.pid) for process in ours)
    raise TimeoutError(f"Processes {names} of the engine do not end, not even by SIGKILL.")
