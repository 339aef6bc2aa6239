"""What can be asked about processes of this machine, by pid or folder."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Identity(NamedTuple):
    """A pid and the tick at which the process was started: a pid alone may have been given to another process."""

    pid: int
    started: int


def identify(pid: int) -> Identity | None:
    """The process that has this pid now, or None. A zombie is not a process any more."""
    try:
        # The name in brackets may itself hold brackets and spaces; what follows the last one is regular.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]))


def is_alive(who: Identity) -> bool:
    """Whether that very process still runs."""
    return identify(who.pid) == who


def processes_in(folder: Path, program: str) -> list[Identity]:
    """Processes of this program whose working directory is `folder`: Postgres and Redis work in the data they hold."""
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            matches = (entry / "cwd").readlink() == folder and (entry / "exe").readlink().name == program
        except OSError:  # gone meanwhile, or another user's
            continue
        if matches and (who := identify(int(entry.name))):
            found.append(who)
    return found


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
        try:
            os.kill(who.pid, number)
        except ProcessLookupError:
            return
