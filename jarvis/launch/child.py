"""One child process that is kept running: started, watched, started again after growing pauses, stopped."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from jarvis.launch.errors import LaunchError
from jarvis.lib import processes
from jarvis.lib.log_file import LogFile

Phase = Literal["waiting", "starting", "ready", "restarting", "stopping", "stopped"]

MIN_PAUSE_SECONDS = 0.2  # seconds
MAX_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0  # a child that was up for so long starts again with the shortest pause
READY_POLL_SECONDS = 0.1
MAX_DEATHS_BEFORE_READY = 3


@dataclass(frozen=True)
class ChildPlan:
    """What to run, and how."""

    name: str
    command: Callable[[], Sequence[str]]
    log: LogFile
    prepare: Callable[[], None] | None = None
    """Run before every start, in a thread; may take its time, may raise LaunchError."""
    ready: Callable[[int], Awaitable[bool]] | None = None
    """Whether it, a process with that pid, serves. Without one, it counts as ready once it runs."""
    tells_phase: bool = False
    """Whether somebody else shows, in more words, that it is ready."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    """Seconds between the signal and the kill."""
    hurried_stop_seconds: float = 0.0
    """The same after a second signal, which is sent when there is a hurry."""
    is_essential: bool = False
    """Whether the whole start fails when it ends several times without having been ready."""
    pass_fds: Sequence[int] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def next_pause(previous: float, lived: float) -> float:
    """Seconds to wait before the next start: doubled each time, short again after a steady run."""
    return MIN_PAUSE_SECONDS if lived >= STEADY_SECONDS or not previous else min(previous * 2, MAX_PAUSE_SECONDS)


class Child:
    """Keeps the process of one plan running until `stop` is called."""

    def __init__(self, plan: ChildPlan, changed: Callable[["Child"], None]) -> None:
        self.plan = plan
        self.phase: Phase = "waiting"
        self.detail = ""
        self.identity: processes.Identity | None = None
        self.starts = 0
        self.was_ready = asyncio.Event()
        self._changed = changed
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    async def keep_running(self) -> None:
        """Run it until `stop`. Raises LaunchError when it cannot be started at all."""
        pause, deaths = 0.0, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                ended = await self._run_once()
            except (LaunchError, OSError) as error:
                if self.plan.is_essential and not self.was_ready.is_set():
                    raise
                ended = str(error)
            if self._stopping.is_set():
                break
            deaths += 1
            if self.plan.is_essential and not self.was_ready.is_set() and deaths >= MAX_DEATHS_BEFORE_READY:
                raise LaunchError(self._describe_end(ended))
            pause = next_pause(pause, time.monotonic() - began)
            self._set_phase("restarting", f"{ended}; again in {pause:.1f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
        self._set_phase("stopped", "")

    async def stop(self) -> None:
        """Ask it to end; after `stop_seconds` kill what is left of its process group. `keep_running` then returns."""
        self._stopping.set()
        who = self.identity
        if who is None:
            return
        self._set_phase("stopping", "")
        processes.send_signal(who, self.plan.stop_signal)
        await self._wait_until_gone(who, self.plan.stop_seconds, self._hurry)
        if self._hurry.is_set() and self.plan.hurried_stop_seconds:
            processes.send_signal(who, self.plan.stop_signal)
            await self._wait_until_gone(who, self.plan.hurried_stop_seconds)
        processes.kill_group(who.pid)

    def hurry(self) -> None:
        """Wait no longer for it to end by itself."""
        self._hurry.set()

    async def _wait_until_gone(
        self, who: processes.Identity, grace_seconds: float, sooner: asyncio.Event | None = None
    ) -> None:
        deadline = time.monotonic() + grace_seconds
        while processes.is_alive(who) and time.monotonic() < deadline and not (sooner and sooner.is_set()):
            await asyncio.sleep(0.05)

    async def _run_once(self) -> str:
        """Start it, wait for its end and say how that was."""
        self._set_phase("starting", "")
        if self.plan.prepare is not None:
            await asyncio.to_thread(self.plan.prepare)
        if self._stopping.is_set():
            return "not started"
        log = self.plan.log.open()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.plan.command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self.plan.pass_fds,
                env={**os.environ, **self.plan.environment},
            )
        finally:
            os.close(log)
        self.starts += 1
        self.identity = processes.identify(process.pid)
        self._set_phase("starting", "")
        watch = asyncio.create_task(self._watch_for_ready(process.pid))
        try:
            code = await process.wait()
        finally:
            watch.cancel()
            self.identity = None
            processes.kill_group(process.pid)
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    async def _watch_for_ready(self, pid: int) -> None:
        while self.plan.ready is not None and not await self.plan.ready(pid):
            await asyncio.sleep(READY_POLL_SECONDS)
        if not self._stopping.is_set():
            self.was_ready.set()
            self._set_phase("ready", "")

    def _describe_end(self, ended: str) -> str:
        last = self.plan.log.last_line()
        said = f" It said: {last[:300]}" if last else ""
        return f"{self.plan.name} does not start ({ended}), see {self.plan.log.path}.{said}"

    def _set_phase(self, phase: Phase, detail: str) -> None:
        self.phase, self.detail = phase, detail
        self._changed(self)
