"""Keeps children up, shows how they are, and takes them down in order."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

from jarvis.launch.child import Child, ChildPlan
from jarvis.launch.display import Display, DisplayRow
from jarvis.launch.instance_lock import InstanceLock
from jarvis.lib.disk import FULL_BYTES, LOW_BYTES, DiskReserve, free_bytes
from jarvis.lib.processes import Identity

ROTATE_SECONDS = 10.0  # seconds
DISK_POLL_SECONDS = 1.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Work = Coroutine[Any, Any, None]


class Supervisor:
    """`run` does some work, which starts children, and ends with every child gone.

    `stop_order` names children by the first word of their names; each group ends before the next is asked to.
    """

    def __init__(self, lock: InstanceLock, display: Display, stop_order: Sequence[Sequence[str]]) -> None:
        self.display = display
        self.children: list[Child] = []
        self.stopping = asyncio.Event()
        self._lock = lock
        self._stop_order = stop_order
        self._tasks: dict[Child, asyncio.Task[None]] = {}
        self._recorded: dict[str, Identity] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, work: Callable[[], Work]) -> None:
        """Do the work until a stop signal comes. Raises what the work or a child that cannot be started raised."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for number in STOP_SIGNALS:
                loop.add_signal_handler(number, self.stop)
            try:
                await asyncio.to_thread(self._lock.end_leftovers)
                await self._unless_stopped(work())
            finally:
                await self._stop_children()
                for number in STOP_SIGNALS:
                    loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Stop everything in order; called a second time, at once."""
        if self.stopping.is_set():
            for child in self.children:
                child.hurry()
        self.stopping.set()

    def keep_child(self, plan: ChildPlan) -> Child:
        """Start a child and keep it running."""
        child = Child(plan, self._show_child)
        self.children.append(child)
        task = asyncio.create_task(child.keep_running(), name=plan.name)
        task.add_done_callback(self._handle_task_end)
        self._tasks[child] = task
        return child

    async def start_children(self, plans: Iterable[ChildPlan]) -> None:
        """Start some children and wait until all of them can be used."""
        started = [self.keep_child(plan) for plan in plans]
        await asyncio.gather(*(child.was_ready.wait() for child in started))

    async def rotate_logs(self) -> None:
        """Keep the children's log files short, for ever."""
        while True:
            await asyncio.sleep(ROTATE_SECONDS)
            for child in self.children:
                with contextlib.suppress(OSError):  # there is no room; the next round tries again
                    await asyncio.to_thread(child.plan.log.rotate)
            self._record_children()

    async def watch_disk(self, folder: Path) -> None:
        """Show how much room is left on the disk of a folder once that is little, and keep the reserve, for ever."""
        reserve, shown = DiskReserve(folder), False
        while True:
            try:
                free = await asyncio.to_thread(free_bytes, folder)
            except OSError:  # a disk that is away for a moment must not end what still runs
                await asyncio.sleep(DISK_POLL_SECONDS)
                continue
            await asyncio.to_thread(reserve.adjust, free)
            if row := disk_row(free, folder):
                self.display.show_row("disk", row)
                shown = True
            elif shown:
                self.display.show_row("disk", DisplayRow("ready", f"{free // 1_000_000} MB are free again"))
                shown = False
            await asyncio.sleep(DISK_POLL_SECONDS)

    def _handle_task_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self._failure.done():
            self._failure.set_exception(error)

    async def _unless_stopped(self, work: Work) -> None:
        task, stop = asyncio.create_task(work), asyncio.create_task(self.stopping.wait())
        ends: Iterable[asyncio.Future[Any]] = (task, stop, self._failure)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            if task.done():
                task.result()
        finally:
            task.cancel()
            stop.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    async def _stop_children(self) -> None:
        self.stopping.set()
        self.display.clear_notes()
        for group in self._stop_order:
            some = [child for child in self.children if child.plan.name.split()[0] in group]
            await asyncio.gather(*(child.stop() for child in some))
            await asyncio.gather(*(self._tasks[child] for child in some), return_exceptions=True)

    def _record_children(self) -> None:
        living = {each.plan.name: each.identity for each in self.children if each.identity}
        if living == self._recorded:
            return
        with contextlib.suppress(OSError):  # a full disk must not end what still runs; `rotate_logs` tries again
            self._lock.record_children(living)
            self._recorded = living

    def _show_child(self, child: Child) -> None:
        self._record_children()
        if child.phase == "ready" and child.plan.tells_phase:
            return
        # One that is only seen to run is not called ready.
        state = "running" if child.phase == "ready" and child.plan.ready is None else child.phase
        self.display.show_row(child.plan.name, DisplayRow(state, child.detail))


def disk_row(free: int, folder: Path) -> DisplayRow | None:
    """What people are told of a disk with little room; None where there is plenty."""
    if free >= LOW_BYTES:
        return None
    left = f"{free // 1_000_000} MB are free where {folder} lies"
    if free >= FULL_BYTES:
        return DisplayRow("low", f"{left}; below {FULL_BYTES // 1_000_000} MB nothing new is accepted")
    return DisplayRow("full", f"{left}; nothing new is accepted until there is room: answers under way go on")
