"""Processes of this machine: which they are, whether one still lives, and how to end them."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil


class Identity(NamedTuple):
    """A pid and the tick since boot at which its process began: a pid alone may belong to another process by now."""

    pid: int
    started: int


def identify(pid: int) -> Identity | None:
    """The process that has this pid now, or None. A zombie is not a process any more.

    Read from /proc, since psutil gives the start by the wall clock: it would change when the clock is set, and an
    identity that was written down would name nobody.
    """
    try:
        # The name in brackets may itself contain brackets and spaces; what follows the last one is regular.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]))


def is_alive(who: Identity) -> bool:
    """Whether that very process still runs."""
    return identify(who.pid) == who


def processes_in(folder: Path, program: str) -> list[Identity]:
    """Processes of this program whose working directory is `folder`: Postgres and Redis work in their data."""
    found = (
        identify(process.pid)
        for process in psutil.process_iter(["cwd", "exe"])
        if process.info["cwd"] == str(folder) and Path(process.info["exe"] or "").name == program
    )
    return [who for who in found if who is not None]


def end_processes(targets: Iterable[Identity], first: signal.Signals, grace_seconds: float) -> None:
    """Ask these processes to end with `first`, wait `grace_seconds`, then kill the ones that are left."""
    left = [who for who in targets if is_alive(who)]
    for number, seconds in ((first, grace_seconds), (signal.SIGKILL, 5.0)):
        for who in left:
            send_signal(who, number)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            left = [who for who in left if is_alive(who)]


def send_signal(who: Identity, number: signal.Signals) -> None:
    """Send a signal to that very process; none where it is gone."""
    if is_alive(who):
        with suppress(ProcessLookupError):
            os.kill(who.pid, number)


def kill_group(pid: int) -> None:
    """Kill what is left of the process group that this process led."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def reap_child(pid: int) -> int | None:
    """Exit status of a child that has ended (a signal is negative); None while it lives, or if it is no child."""
    with suppress(ChildProcessError):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
    return None


def process_name(pid: int) -> str:
    """What to call a process: its command line, shortened; empty when it is gone."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return (" ".join(process.cmdline()).strip() or process.name())[:80]
    return ""


def group_members(group: int) -> list[int]:
    """The processes of a group."""
    return [pid for pid in psutil.pids() if group_of(pid) == group]


def group_of(pid: int) -> int | None:
    """The group of a process; None when it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def resident_bytes(pid: int) -> int:
    """Main memory of a process; 0 when it is gone."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
