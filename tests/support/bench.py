"""What the tests of the keeper work with: a run directory, a model that is only a folder, a stand-in engine."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from inference.engine import processes
from inference.engine.base import VllmEngine
from inference.engine.vllm import Patience
from jarvis.lib.config import Config

SERVER = Path(__file__).with_name("server.py")
QUICK = Patience(
    look=0.1,
    probe=0.3,
    hang=0.6,
    load=10,
    first_pause=0.05,
    longest_pause=0.2,
    well=60,
    release=0.3,
    blocked=0.1,
    end=0.5,
)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "tiny"
        self.model.mkdir()
        (self.model / "config.json").write_text("{}")
        self.plan_file = folder / "plan.json"
        self.keepers: list[tuple[VllmEngine, asyncio.Task[None]]] = []

    def config(self, **changes: Any) -> Config:
        return Config(_env_file=None, var=self.folder / "var", **{"model": str(self.model), **changes})

    def plan(self, **plan: Any) -> None:
        """What the stand-in does from now on, and from its start."""
        draft = self.plan_file.with_suffix(".new")
        draft.write_text(json.dumps(plan))
        draft.replace(self.plan_file)

    def command(self, model: Any, socket: Path) -> list[str]:
        line = [sys.executable, str(SERVER), "--uds", str(socket), "--model", str(model.folder)]
        return [*line, "--served-model-name", model.name, "--plan", str(self.plan_file)]

    def engine(self, *, patience: Patience = QUICK, nvml: Any = None, more: Any = None, **changes: Any) -> VllmEngine:
        return VllmEngine(self.config(**changes), more=more, command=self.command, nvml=nvml, patience=patience)

    def keep(self, engine: VllmEngine) -> VllmEngine:
        """Start a keeper's task."""
        self.keepers.append((engine, asyncio.create_task(engine.run())))
        return engine

    async def started(self, **changes: Any) -> VllmEngine:
        engine = self.keep(self.engine(**changes))
        await asyncio.wait_for(engine.ready(), 10)
        return engine

    async def lose_worker(self) -> None:
        """The keepers stop in the middle of what they do, as when their process is killed; engines live on."""
        for _, task in self.keepers:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.keepers.clear()

    async def close(self) -> None:
        await self.lose_worker()
        home = self.config().run_dir
        left = processes.marked(home)
        await processes.end(home, {process.token for process in left}, 0.2)

    def marked(self) -> list[int]:
        return sorted(process.pid for process in processes.marked(self.config().run_dir))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
