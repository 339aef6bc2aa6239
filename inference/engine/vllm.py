"""Keeps one vLLM server: finds the one an earlier worker left, or starts one; warms it up, watches it, replaces it."""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import structlog

from inference.engine import arguments, memory, probes, processes
from inference.engine.arguments import Options
from inference.engine.connection import READ_BUFFER_BYTES, open_session
from inference.engine.errors import EngineError, diagnose
from inference.engine.metrics import Counters
from inference.engine.model import download
from inference.engine.model.folder import ModelFolder, find_local_model, is_folder
from inference.engine.prepare import check_files, check_memory, make_options, plan_engine
from inference.engine.process.adopt import adopt_engine
from inference.engine.process.handle import EngineHandle, remove_sockets
from inference.engine.process.log import engine_log, latest_stage
from inference.engine.process.spawn import is_isolated, spawn_process
from inference.engine.process.state_file import EngineRecord
from inference.engine.stall_detector import StallDetector
from inference.worker_state import EngineState, Gpu, Phase
from jarvis.lib.locks import LockTaken, ProcessLock
from jarvis.lib.processes import identify

if TYPE_CHECKING:
    from jarvis.lib.config import Config

log = structlog.get_logger(__name__)

Command = Callable[[ModelFolder, Path], list[str]]
SUSPECT_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Timeouts:
    """Times in seconds."""

    poll_seconds: float = 1.0  # between two looks at a running engine
    probe_seconds: float = 5.0  # one question about its health
    suspicion_seconds: float = 0.5  # it is looked at closely when one of its processes ended, or a relay lost it
    hang_seconds: float = 30.0  # a running engine that says nothing for so long has hung
    load_seconds: float = 1800.0  # an engine that is not ready after so long never will be
    first_pause_seconds: float = 0.5
    max_pause_seconds: float = 30.0
    steady_seconds: float = 60.0  # after so long in good health the pauses are short again
    release_seconds: float = 10.0  # memory of an ended engine is free after so long
    blocked_seconds: float = 10.0  # between two looks at something that a person has to put right
    end_seconds: float = 10.0  # between SIGTERM and SIGKILL
    max_failures: int = 3  # so many starts in a row that come to nothing are a failure, and if permanent the last


class VllmEngine:
    """An engine that Jarvis itself holds. See `inference.engine.base.Engine` for the contract.

    `fetch_arguments` gives further arguments of the server, and is asked at each start. `command` replaces vLLM's
    command line, `nvml` NVIDIA's library: both for tests and for other builds of vLLM.
    """

    def __init__(
        self,
        config: "Config",
        *,
        fetch_arguments: Callable[[], Awaitable[str]] | None = None,
        command: Command | None = None,
        nvml: memory.Nvml | None = None,
        timeouts: Timeouts | None = None,
        read_buffer: int = READ_BUFFER_BYTES,
    ) -> None:
        self.config = config
        self.timeouts = timeouts or Timeouts()
        self.state = EngineState(detail="Starting.")
        self.base_url = "http://engine"
        self.deaths = 0
        self.unknown_fields: set[str] = set()
        self.home = config.run_dir
        self.socket = self.home / "engine.sock"
        self.log_file = config.var / "log" / "engine.log"
        self.output = engine_log(self.log_file)
        self.handle: EngineHandle | None = None
        self._fetch_arguments = fetch_arguments
        self._command = command
        self._nvml = nvml
        self._read_buffer = read_buffer
        self._ready = asyncio.Event()
        self._look = asyncio.Event()
        self._verifiers: list[asyncio.Future[bool]] = []
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = ProcessLock(self.home / "engine.lock")
        self._stall_detector = StallDetector()
        self._still = False
        self._ended_at = float("-inf")  # when an engine was last ended: its memory may take a while to be free

    # What the worker uses

    def session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = open_session(socket=str(self.socket), read_buffer=self._read_buffer)
        return self._session

    async def wait_ready(self) -> None:
        await self._ready.wait()

    async def verify(self) -> bool:
        if not self._ready.is_set():
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._verifiers.append(answer)
        self._look.set()
        return await answer

    async def check_stall(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):  # of one that does not even answer, `watch` knows
            page = await probes.fetch_metrics(self.session(), self.base_url)
            still = self._stall_detector.seconds_unchanged(page, time.monotonic())
            if self._ready.is_set() and still > self.config.engine_stall_seconds / 2:
                self._still = True
                self._look.set()

    async def fetch_counters(self) -> Counters:
        """What the engine itself has counted."""
        return await probes.fetch_counters(self.session(), self.base_url)

    async def count_running(self) -> int:
        return (await self.fetch_counters()).running

    def list_gpus(self) -> list[Gpu]:
        return [device.state for device in memory.list_devices(self._nvml)] if self._nvml is not None else []

    async def run(self) -> None:
        self._task = asyncio.current_task()
        try:
            await self._keep_running()
        finally:
            self._lock.release()
            self._mark_not_ready()
            if self._session is not None:
                await self._session.close()

    async def stop(self) -> None:
        """End the keeper's task, and the engine that it holds with all its processes."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait([self._task])
        self._mark_not_ready()
        if self.handle is not None:
            await self.handle.end_processes(self.timeouts.end_seconds)
            log.info("engine.stopped", pid=self.handle.pid)
            self.handle = None
        self._set_phase("stopped", "Stopped.")
        if self._session is not None:
            await self._session.close()

    # The keeper's loop

    async def _keep_running(self) -> None:
        pause, failures = self.timeouts.first_pause_seconds, 0
        while True:
            try:
                await self.bring_up_engine()
                failures, since = 0, time.monotonic()
                fault = await self.watch_engine()
                if time.monotonic() - since >= self.timeouts.steady_seconds:
                    pause = self.timeouts.first_pause_seconds
            except EngineError as error:
                fault = error
                failures += 0 if fault.blocked else 1
            await self.end_engine(fault)
            if fault.permanent and failures >= self.timeouts.max_failures:
                self.state.given_up = True
                self._set_phase("failed", str(fault))
                log.error("engine.given_up", reason=str(fault))
                await asyncio.Event().wait()
            wait = self.timeouts.blocked_seconds if fault.blocked else pause
            lasting = fault.blocked or failures >= self.timeouts.max_failures
            self._set_phase("failed" if lasting else "starting", f"{fault} (Next try in {wait:g} s.)")
            await asyncio.sleep(wait)
            if not fault.blocked:
                pause = min(pause * 2, self.timeouts.max_pause_seconds)

    def _acquire_lock(self) -> None:
        """One keeper per run directory: two would end each other's engine."""
        try:
            self._lock.acquire(str(os.getpid()))
        except LockTaken as taken:
            message = f"Another worker (pid {taken}) holds the engine here; end it first."
            raise EngineError(message, blocked=True) from taken

    async def bring_up_engine(self) -> None:
        """From nothing, or from what an earlier worker left, to an engine that serves. Raises EngineError."""
        began = time.monotonic()
        self._acquire_lock()
        self.state.model = self.config.model_name
        model = await self._model()
        more = await self._fetch_arguments() if self._fetch_arguments else ""
        options = make_options(self.config, model, gpu=self._nvml is not None, more=more)
        line = (
            self._command(model, self.socket) if self._command else arguments.build_command(model, options, self.socket)
        )
        plan = plan_engine(model, options, line, self.home, self.socket)
        self.handle = await self._take_over(plan.fingerprint) or await self._start(model, options, plan)
        self.state.pid, self.state.adopted = self.handle.pid, self.handle.adopted
        await self._wait_for_load()
        self._set_phase("warming", "Answering a first question to itself.", 0.99)
        await self._warm_up()
        self.state.slots = arguments.count_slots(options)
        self.handle.write_record(served=True)
        self._set_phase("ready", "Ready.")
        self._ready.set()
        log.info(
            "engine.ready",
            pid=self.handle.pid,
            model=model.name,
            adopted=self.handle.adopted,
            isolated=is_isolated(self.handle.pid),
            seconds=round(time.monotonic() - began, 1),
        )

    async def watch_engine(self) -> EngineError:
        """Look at a ready engine again and again; returns what ended it, with the engine marked as not ready."""
        held, heard, said = self._require_handle(), time.monotonic(), self.output.size()
        doubts, suspected = 0, float("-inf")
        self._stall_detector, self._still = StallDetector(), False
        with held.watch_processes(self._look.set):
            while True:
                look = SUSPECT_POLL_SECONDS if time.monotonic() < suspected else self.timeouts.poll_seconds
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(look):  # `wait_for` of Python 3.11 may lose a cancellation here
                        await self._look.wait()
                self._look.clear()
                if held.count_ended() + len(self._verifiers) > doubts:  # its front may need a moment to notice
                    suspected = time.monotonic() + self.timeouts.suspicion_seconds
                doubts = held.count_ended() + len(self._verifiers)
                health = await self.check_health() if held.alive() else "broken"
                if health == "broken" or self._still or time.monotonic() - heard > self.timeouts.hang_seconds:
                    break
                if health == "well":
                    heard = time.monotonic()
                if time.monotonic() >= suspected:
                    doubts -= len(self._verifiers)
                    self._answer_verifiers(health == "well")
                self.output.rotate()
        self.deaths += 1
        self._mark_not_ready()
        self._set_phase("starting", "The engine has ended.")
        if health == "broken":
            held.alive()  # takes its exit status
            fault = diagnose(self.output.read_tail(after=said), held.status)
        elif self._still:
            limit = self.config.engine_stall_seconds
            fault = EngineError(f"The engine had work and did nothing for {limit:g} s; it is ended and started again.")
        else:
            fault = EngineError(
                f"The engine said nothing for {self.timeouts.hang_seconds:g} s; it is ended and started again."
            )
        log.error("engine.died", pid=held.pid, reason=str(fault), status=held.status)
        return fault

    async def end_engine(self, fault: EngineError) -> None:
        """End what is left of an engine that this keeper held."""
        if self.handle is None:
            log.warning("engine.not_started", reason=str(fault), permanent=fault.permanent)
            return
        log.warning("engine.ending", pid=self.handle.pid, reason=str(fault))
        await self.handle.end_processes(self.timeouts.end_seconds)
        self._ended_at = time.monotonic()
        self.handle, self.state.pid = None, None

    async def check_health(self) -> probes.Health:
        return await probes.ask_health(self.session(), self.base_url, self.timeouts.probe_seconds)

    # Steps of bringing it up

    async def _model(self) -> ModelFolder:
        config = self.config
        if is_folder(config.model):
            return find_local_model(config.model, config.model_name)

        def report_progress(progress: float | None, sentence: str) -> None:
            self._set_phase("loading", sentence, progress)

        folder = await download.fetch_model(config.model, config.var / "models", config.hf_token, report_progress)
        return ModelFolder(config.model_name, folder)

    async def _take_over(self, fingerprint: str) -> EngineHandle | None:
        async def is_answering() -> bool:
            deadline = time.monotonic() + self.timeouts.hang_seconds
            while (health := await self.check_health()) == "silent" and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
            return health == "well"

        cleanup = self.config.auto_cleanup_gpu
        held, ended = await adopt_engine(
            self.home, fingerprint, is_answering, cleanup=cleanup, grace_seconds=self.timeouts.end_seconds
        )
        if ended:
            self._ended_at = time.monotonic()
        if held is not None:
            log.info("engine.adopted", pid=held.pid, model=held.record.model, created=held.record.created)
        return held

    async def _start(self, model: ModelFolder, options: Options, plan: EngineRecord) -> EngineHandle:
        await asyncio.to_thread(check_files, model, options)
        await self._wait_for_memory(model, options)
        if options.trust_remote_code:
            log.warning("engine.trusts_remote_code", model=model.name, folder=str(model.folder))
        remove_sockets(self.home)
        self.output.start_new()
        held = EngineHandle(self.home, plan)
        # Before the process is there: a worker killed in between leaves no engine that nobody knows.
        held.write_record()
        variables = arguments.build_environment(options, os.environ, self.home) | processes.mark_environment(
            self.home, plan.token
        )
        isolated = not options.gpu and not self.config.engine_network
        pid = spawn_process(plan.command, variables, self.log_file, isolated=isolated)
        began = identify(pid)
        held.write_record(pid=pid, started=began.started if began else 0)
        log.info("engine.started", pid=pid, model=model.name, command=plan.command)
        return held

    async def _wait_for_memory(self, model: ModelFolder, options: Options) -> None:
        """Raise EngineError where there is no room; if an engine has just been ended, its memory may take a moment."""
        while True:
            try:
                return check_memory(model, options, self._nvml)
            except EngineError:
                if time.monotonic() - self._ended_at > self.timeouts.release_seconds:
                    raise
            await asyncio.sleep(0.2)

    async def _wait_for_load(self) -> None:
        """Wait until the engine answers, telling how far it has come."""
        held, deadline = self._require_handle(), time.monotonic() + self.timeouts.load_seconds
        while (health := await self.check_health()) != "well":
            if not held.alive() or health == "broken":
                held.alive()
                raise diagnose(self.output.read_tail(), held.status)
            if time.monotonic() > deadline:
                raise EngineError(
                    f"The engine was not ready after {self.timeouts.load_seconds:g} s; {self.log_file} may say why."
                )
            step = latest_stage(self.output.read_tail())
            self._set_phase("loading", step.sentence, step.progress)
            await asyncio.sleep(0.1)

    async def _warm_up(self) -> None:
        try:
            served = await probes.request_first_answer(self.session(), self.base_url, self.timeouts.load_seconds)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            held = self._require_handle()
            reason = diagnose(self.output.read_tail(), held.status) if not held.alive() else error
            raise EngineError(f"The engine did not answer its first question: {reason}") from error
        self.state.model, self.state.max_model_len = served.id, served.window

    # Small things

    def _require_handle(self) -> EngineHandle:
        assert self.handle is not None
        return self.handle

    def _set_phase(self, phase: Phase, detail: str, progress: float | None = None) -> None:
        if self.state.phase != phase:
            self.state.phase, self.state.since = phase, time.time()
        self.state.detail, self.state.progress = detail, progress

    def _answer_verifiers(self, well: bool) -> None:
        for asker in self._verifiers:
            if not asker.done():
                asker.set_result(well)
        self._verifiers.clear()

    def _mark_not_ready(self) -> None:
        self._ready.clear()
        self._answer_verifiers(False)
