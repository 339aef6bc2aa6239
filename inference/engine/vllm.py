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
from inference.engine.connection import READ_BUFFER, open_session
from inference.engine.errors import EngineError, diagnose
from inference.engine.lock import Lock
from inference.engine.metrics import Counters
from inference.engine.model import download
from inference.engine.model.folder import ModelFolder, is_folder, local
from inference.engine.prepare import check_memory, draft, options_of
from inference.engine.process import log as output
from inference.engine.process.adopt import take_over
from inference.engine.process.handle import Held, sweep
from inference.engine.process.spawn import is_isolated, spawn
from inference.engine.process.state_file import Record
from inference.engine.stall_detector import Doubt
from inference.worker_state import EngineState, Gpu, Phase

if TYPE_CHECKING:
    from jarvis.lib.config import Config

log = structlog.get_logger(__name__)

Command = Callable[[ModelFolder, Path], list[str]]
SOON = 0.02


@dataclass(frozen=True)
class Patience:
    """Times in seconds."""

    look: float = 1.0  # between two looks at a running engine
    probe: float = 5.0  # one question about its health
    suspicion: float = 0.5  # so long it is looked at closely when one of its processes has ended, or a relay lost it
    hang: float = 30.0  # a running engine that says nothing for so long has hung
    load: float = 1800.0  # an engine that is not ready after so long never will be
    first_pause: float = 0.5
    longest_pause: float = 30.0
    well: float = 60.0  # after so long in good health the pauses are short again
    release: float = 10.0  # memory of an ended engine is free after so long
    blocked: float = 10.0  # between two looks at something that a person has to put right
    end: float = 10.0  # between SIGTERM and SIGKILL
    failures: int = 3  # so many starts in a row that come to nothing are a failure, and if permanent the last


class VllmEngine:
    """An engine that Jarvis itself holds. See `inference.engine.base.Engine` for the contract.

    `more` gives further arguments of the server, and is asked at each start. `command` replaces vLLM's command line,
    `nvml` NVIDIA's library: both for tests and for other builds of vLLM.
    """

    def __init__(
        self,
        config: "Config",
        *,
        more: Callable[[], Awaitable[str]] | None = None,
        command: Command | None = None,
        nvml: memory.Nvml | None = None,
        patience: Patience | None = None,
        read_buffer: int = READ_BUFFER,
    ) -> None:
        self.config = config
        self.patience = patience or Patience()
        self.state = EngineState(detail="Starting.")
        self.base_url = "http://engine"
        self.deaths = 0
        self.home = config.run_dir
        self.socket = self.home / "engine.sock"
        self.log_file = config.var / "log" / "engine.log"
        self.held: Held | None = None
        self._more = more
        self._command = command
        self._nvml = nvml
        self._read_buffer = read_buffer
        self._ready = asyncio.Event()
        self._look = asyncio.Event()
        self._askers: list[asyncio.Future[bool]] = []
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = Lock(self.home / "engine.lock")
        self._doubt = Doubt()
        self._still = False
        self._ended_at = float("-inf")  # when an engine was last ended: its memory may take a while to be free

    # What the worker uses

    def session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = open_session(socket=str(self.socket), read_buffer=self._read_buffer)
        return self._session

    async def ready(self) -> None:
        await self._ready.wait()

    async def verify(self) -> bool:
        if not self._ready.is_set():
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._askers.append(answer)
        self._look.set()
        return await answer

    async def doubt(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):  # of one that does not even answer, `watch` knows
            page = await probes.metrics(self.session(), self.base_url)
            still = self._doubt.seconds(page, time.monotonic())
            if self._ready.is_set() and still > self.config.engine_stall_seconds / 2:
                self._still = True
                self._look.set()

    async def counters(self) -> Counters:
        """What the engine itself has counted."""
        return await probes.counters(self.session(), self.base_url)

    async def running(self) -> int:
        return (await self.counters()).running

    def gpus(self) -> list[Gpu]:
        return [device.state for device in memory.devices(self._nvml)] if self._nvml is not None else []

    async def run(self) -> None:
        self._task = asyncio.current_task()
        try:
            await self._keep()
        finally:
            self._lock.give_back()
            self._not_ready()
            if self._session is not None:
                await self._session.close()

    async def stop(self) -> None:
        """End the keeper's task, and the engine that it holds with all its processes."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait([self._task])
        self._not_ready()
        if self.held is not None:
            await self.held.end(self.patience.end)
            log.info("engine.stopped", pid=self.held.pid)
            self.held = None
        self._tell("stopped", "Stopped.")
        if self._session is not None:
            await self._session.close()

    # The keeper's loop

    async def _keep(self) -> None:
        pause, failures = self.patience.first_pause, 0
        while True:
            try:
                await self.bring_up()
                failures, since = 0, time.monotonic()
                fault = await self.watch()
                if time.monotonic() - since >= self.patience.well:
                    pause = self.patience.first_pause
            except EngineError as error:
                fault = error
                failures += 0 if fault.blocked else 1
            await self.put_away(fault)
            if fault.permanent and failures >= self.patience.failures:
                self._tell("failed", str(fault))
                log.error("engine.given_up", reason=str(fault))
                await asyncio.Event().wait()
            wait = self.patience.blocked if fault.blocked else pause
            lasting = fault.blocked or failures >= self.patience.failures
            self._tell("failed" if lasting else "starting", f"{fault} (Next try in {wait:g} s.)")
            await asyncio.sleep(wait)
            if not fault.blocked:
                pause = min(pause * 2, self.patience.longest_pause)

    async def bring_up(self) -> None:
        """From nothing, or from what an earlier worker left, to an engine that serves. Raises EngineError."""
        began = time.monotonic()
        self._lock.take()
        self.state.model = self.config.model_name
        model = await self._model()
        more = await self._more() if self._more else ""
        options = options_of(self.config, model, gpu=self._nvml is not None, more=more)
        line = self._command(model, self.socket) if self._command else arguments.command(model, options, self.socket)
        plan = draft(model, options, line, self.home, self.socket)
        self.held = await self._take_over(plan.fingerprint) or await self._start(model, options, plan)
        self.state.pid, self.state.adopted = self.held.pid, self.held.adopted
        await self._load()
        self._tell("warming", "Answering a first question to itself.", 0.99)
        await self._warm_up()
        self.state.slots = arguments.slots(options)
        self.held.write(served=True)
        self._tell("ready", "Ready.")
        self._ready.set()
        log.info(
            "engine.ready",
            pid=self.held.pid,
            model=model.name,
            adopted=self.held.adopted,
            isolated=is_isolated(self.held.pid),
            seconds=round(time.monotonic() - began, 1),
        )

    async def watch(self) -> EngineError:
        """Look at a ready engine again and again; returns what ended it, with the engine marked as not ready."""
        held, heard, said = self._mine(), time.monotonic(), output.length(self.log_file)
        doubts, suspected = 0, float("-inf")
        self._doubt, self._still = Doubt(), False
        with held.bell(self._look.set):
            while True:
                look = SOON if time.monotonic() < suspected else self.patience.look
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(look):  # `wait_for` of Python 3.11 may lose a cancellation here
                        await self._look.wait()
                self._look.clear()
                if held.missing() + len(self._askers) > doubts:  # its front may need a moment to notice
                    suspected = time.monotonic() + self.patience.suspicion
                doubts = held.missing() + len(self._askers)
                health = await self.health() if held.alive() else "broken"
                if health == "broken" or self._still or time.monotonic() - heard > self.patience.hang:
                    break
                if health == "well":
                    heard = time.monotonic()
                if time.monotonic() >= suspected:
                    doubts -= len(self._askers)
                    self._answer(health == "well")
                output.shorten(self.log_file)
        self.deaths += 1
        self._not_ready()
        self._tell("starting", "The engine has ended.")
        if health == "broken":
            held.alive()  # takes its exit status
            fault = diagnose(output.tail(self.log_file, after=said), held.status)
        elif self._still:
            limit = self.config.engine_stall_seconds
            fault = EngineError(f"The engine had work and did nothing for {limit:g} s; it is ended and started again.")
        else:
            fault = EngineError(f"The engine said nothing for {self.patience.hang:g} s; it is ended and started again.")
        log.error("engine.died", pid=held.pid, reason=str(fault), status=held.status)
        return fault

    async def put_away(self, fault: EngineError) -> None:
        """End what is left of an engine that this keeper held."""
        if self.held is None:
            log.warning("engine.not_started", reason=str(fault), permanent=fault.permanent)
            return
        log.warning("engine.ending", pid=self.held.pid, reason=str(fault))
        await self.held.end(self.patience.end)
        self._ended_at = time.monotonic()
        self.held, self.state.pid = None, None

    async def health(self) -> probes.Health:
        return await probes.health(self.session(), self.base_url, self.patience.probe)

    # Steps of bringing it up

    async def _model(self) -> ModelFolder:
        config = self.config
        if is_folder(config.model):
            return local(config.model, config.model_name)

        def told(progress: float | None, sentence: str) -> None:
            self._tell("loading", sentence, progress)

        folder = await download.fetch(config.model, config.var / "models", config.hf_token, told)
        return ModelFolder(config.model_name, folder)

    async def _take_over(self, fingerprint: str) -> Held | None:
        async def answers() -> bool:
            deadline = time.monotonic() + self.patience.hang
            while (health := await self.health()) == "silent" and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
            return health == "well"

        cleanup = self.config.auto_cleanup_gpu
        held, ended = await take_over(self.home, fingerprint, answers, cleanup=cleanup, patience=self.patience.end)
        if ended:
            self._ended_at = time.monotonic()
        if held is not None:
            log.info("engine.adopted", pid=held.pid, model=held.record.model, created=held.record.created)
        return held

    async def _start(self, model: ModelFolder, options: Options, plan: Record) -> Held:
        await self._wait_for_memory(model, options)
        if options.trust_remote_code:
            log.warning("engine.trusts_remote_code", model=model.name, folder=str(model.folder))
        sweep(self.home)
        output.rotate(self.log_file)
        held = Held(self.home, plan)
        held.write()  # before the process is there: a worker killed in between leaves no engine that nobody knows
        variables = arguments.environment(options, os.environ, self.home) | processes.mark(self.home, plan.token)
        isolated = not options.gpu and not self.config.engine_network
        pid = spawn(plan.command, variables, self.log_file, isolated=isolated)
        held.write(pid=pid, started=processes.started(pid))
        log.info("engine.started", pid=pid, model=model.name, command=plan.command)
        return held

    async def _wait_for_memory(self, model: ModelFolder, options: Options) -> None:
        """Raise EngineError where there is no room; if an engine has just been ended, its memory may take a moment."""
        while True:
            try:
                return check_memory(model, options, self._nvml)
            except EngineError:
                if time.monotonic() - self._ended_at > self.patience.release:
                    raise
            await asyncio.sleep(0.2)

    async def _load(self) -> None:
        """Wait until the engine answers, telling how far it has come."""
        held, deadline = self._mine(), time.monotonic() + self.patience.load
        while (health := await self.health()) != "well":
            if not held.alive() or health == "broken":
                held.alive()
                raise diagnose(output.tail(self.log_file), held.status)
            if time.monotonic() > deadline:
                raise EngineError(
                    f"The engine was not ready after {self.patience.load:g} s; {self.log_file} may say why."
                )
            step = output.stage(output.tail(self.log_file))
            self._tell("loading", step.sentence, step.progress)
            await asyncio.sleep(0.1)

    async def _warm_up(self) -> None:
        try:
            served = await probes.first_answer(self.session(), self.base_url, self.patience.load)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            held = self._mine()
            reason = diagnose(output.tail(self.log_file), held.status) if not held.alive() else error
            raise EngineError(f"The engine did not answer its first question: {reason}") from error
        self.state.model, self.state.max_model_len = served.id, served.window

    # Small things

    def _mine(self) -> Held:
        assert self.held is not None
        return self.held

    def _tell(self, phase: Phase, detail: str, progress: float | None = None) -> None:
        if self.state.phase != phase:
            self.state.phase, self.state.since = phase, time.time()
        self.state.detail, self.state.progress = detail, progress

    def _answer(self, well: bool) -> None:
        for asker in self._askers:
            if not asker.done():
                asker.set_result(well)
        self._askers.clear()

    def _not_ready(self) -> None:
        self._ready.clear()
        self._answer(False)
