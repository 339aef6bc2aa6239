"""`manage.py stop`: ends the Jarvis of this folder in order, also what is left of one whose supervisor was killed."""

import asyncio
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from inference.engine.processes import end_marked, find_marked
from jarvis.launch.errors import LaunchError
from jarvis.launch.instance_lock import InstanceLock
from jarvis.launch.run import STOP_ORDER
from jarvis.lib import processes
from jarvis.lib.config import Config
from jarvis.lib.locks import LockTaken, ProcessLock
from jarvis.lib.processes import Identity

STOPPING = "being stopped"  # what stands in the lock meanwhile
POLL_SECONDS = 0.1
CHILD_STOP_SECONDS = 10.0  # between the signal and the kill
SERVICE_STOP_SECONDS = 20.0  # the same for Postgres and Redis, which write down what they hold
ENGINE_STOP_SECONDS = 20.0  # what a worker needs beside draining
SIGNALS = {"postgres": signal.SIGINT}  # others: SIGTERM


def stop_instance(config: Config, tell: Callable[[str], None], *, now: bool = False) -> None:
    """End everything that runs here; `now`: without waiting for answers under way. Raises LaunchError."""
    lock = ProcessLock(config.run_dir / "supervisor.lock")
    stopped = False
    try:
        lock.acquire(STOPPING)
    except LockTaken as taken:
        tell(f"Stopping Jarvis at {taken.holder} …")
        _stop_supervisor(taken.holder, lock, max_stop_seconds(config), now=now)
        stopped = True
    try:
        lock.acquire(STOPPING)
        left = end_parts(config, now=now)
    except LockTaken:  # it has been started again already, which is no business of ours
        left = []
    finally:
        lock.release()
    if left:
        tell(f"Ended what a killed Jarvis had left: {', '.join(left)}.")
    else:
        tell("Stopped." if stopped else "Nothing of Jarvis runs here.")


def max_stop_seconds(config: Config) -> float:
    """How long a stop in order may take."""
    return config.drain_seconds + 2 * ENGINE_STOP_SECONDS + 2 * SERVICE_STOP_SECONDS + 2 * CHILD_STOP_SECONDS


def find_holder(words: str, lock: Path) -> Identity | None:
    """The process that has written `… (pid N)` about itself into a lock; None where that one does not have it open.

    The same number may be another process, where the lock was taken in a container.
    """
    found = re.search(r"\(pid (\d+)\)", words)
    who = processes.identify(int(found[1])) if found else None
    if who is None:
        return None
    with suppress(FileNotFoundError, PermissionError):  # it ends at this moment, or is another user's
        if any(link.resolve() == lock.resolve() for link in Path(f"/proc/{who.pid}/fd").iterdir()):
            return who
    return None


def _stop_supervisor(words: str, lock: ProcessLock, seconds: float, *, now: bool) -> None:
    who = find_holder(words, lock.path)
    if who is None:
        raise LaunchError(
            f"The process that holds {lock.path} cannot be told: where Jarvis runs in a container, stop it there; "
            "else try again"
        )
    for _ in range(2 if now else 1):
        processes.send_signal(who, signal.SIGTERM)
        time.sleep(POLL_SECONDS)
    deadline = time.monotonic() + seconds
    while processes.is_alive(who):
        if time.monotonic() > deadline:
            raise LaunchError(f"Jarvis at {words} has not ended after {seconds:.0f} s: see its logs, or kill {who.pid}")
        time.sleep(POLL_SECONDS)


def end_parts(config: Config, *, now: bool = False) -> list[str]:
    """End, in order, the children of a supervisor that was killed, and give their names."""
    instance = InstanceLock(config.run_dir, "")
    living = {name: who for name, who in instance.read_children().items() if processes.is_alive(who)}
    ended = []
    for group in STOP_ORDER:
        for name, who in living.items():
            if name.split()[0] in group:
                _end_part(name, who, config, now=now)
                ended.append(name)
        if group == ("worker",) and (engine := find_marked(config.run_dir)):  # its worker was killed too
            asyncio.run(end_marked(config.run_dir, {process.token for process in engine}))
            ended.append("engine")
    for name, program in (("redis", "redis-server"), ("postgres", "postgres")):
        if unrecorded := processes.processes_in((config.var / name).resolve(), program):
            processes.end_processes(unrecorded, SIGNALS.get(name, signal.SIGTERM), SERVICE_STOP_SECONDS)
            ended += [] if name in ended else [name]
    instance.record_file.unlink(missing_ok=True)
    return ended


def _end_part(name: str, who: Identity, config: Config, *, now: bool) -> None:
    """Ask one child to end, after a while kill it, and then what is left of its group."""
    if name == "worker" and now:  # asked twice it does not drain; it ends its engine in any case
        processes.send_signal(who, signal.SIGTERM)
        time.sleep(POLL_SECONDS)
    processes.end_processes([who], SIGNALS.get(name, signal.SIGTERM), stop_seconds(name, config, now=now))
    processes.kill_group(who.pid)


def stop_seconds(name: str, config: Config, *, now: bool) -> float:
    """How long a child may take to end by itself."""
    if name in ("postgres", "redis"):
        return SERVICE_STOP_SECONDS
    if name == "worker":
        return ENGINE_STOP_SECONDS + (0 if now else config.drain_seconds)
    return CHILD_STOP_SECONDS
