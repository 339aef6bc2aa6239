"""What an earlier worker left running: taken over if it is the right engine and well, otherwise ended or named."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from inference.engine import processes
from inference.engine.errors import EngineError
from inference.engine.process import state_file
from inference.engine.process.handle import EngineHandle, state_path
from inference.engine.processes import EngineProcess
from jarvis.lib.processes import group_members, process_name, resident_bytes

log = structlog.get_logger(__name__)


def find_leftovers(home: Path) -> tuple[EngineHandle | None, list[EngineProcess]]:
    """The engine on record, if its first process lives, and every other process that bears this directory's mark."""
    found, known = processes.find_marked(home), state_file.read_record(state_path(home))
    if known is None:
        return None, found
    for process in found:
        first = process.pid == process.group and process.token == known.token
        if first and (known.pid == 0 or (process.pid, process.started) == (known.pid, known.started)):
            held = EngineHandle(
                home, msgspec.structs.replace(known, pid=process.pid, started=process.started), adopted=True
            )
            return held, [other for other in found if other.token != known.token]
    return None, found


async def adopt_engine(
    home: Path, fingerprint: str, answers: Callable[[], Awaitable[bool]], *, cleanup: bool, grace_seconds: float
) -> tuple[EngineHandle | None, bool]:
    """The engine to go on with, or None, and whether something was ended.

    Raises EngineError where something is in the way and `cleanup` is off. An engine that was never ready is taken over
    while it still loads; one that was must answer.
    """
    held, others = find_leftovers(home)
    fault = "lost its first process" if others else ""
    if held is not None:
        fault = ""
        if held.record.fingerprint != fingerprint:
            fault = f"serves {held.record.model} with other arguments than are wanted now"
        elif held.record.served and not await answers():
            fault = "does not answer"
    fit = held if not fault else None
    unfit = {process.token for process in others} | ({held.record.token} if held is not None and fault else set())
    if unfit and cleanup:
        log.warning("engine.cleaning_up", tokens=len(unfit), reason=fault or "left behind")
        await processes.end_marked(home, unfit, grace_seconds)
        return fit, True
    if unfit and fit is None:
        raise EngineError(_describe_leftovers(held, others, fault), blocked=True)
    if unfit:
        log.warning("engine.left_behind", pids=[process.pid for process in others])
    return fit, False


def _describe_leftovers(held: EngineHandle | None, others: list[EngineProcess], fault: str) -> str:
    groups = sorted({process.group for process in others} | ({held.pid} if held is not None else set()))
    memory = sum(resident_bytes(pid) for group in groups for pid in group_members(group)) // 2**20
    named = ", ".join(f"pid {group} ({process_name(group) or 'its first process is gone'})" for group in groups)
    kill = " ".join(f"-- -{group}" for group in groups)
    return (
        f"An engine that an earlier worker started is still there: {named}. "
        f"It {fault} and holds {memory:,} MiB of memory. "
        f"Set JARVIS_AUTO_CLEANUP_GPU=1 to have it ended, or run: kill {kill}"
    )
