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
from inference.engine.vllm import Timeouts
from jarvis.lib.config import Config

SERVER = Path(__file__).with_name("server.py")
QUICK = Timeouts(
    poll_seconds=0.1,
    probe_seconds=0.3,
    hang_seconds=0.6,
    load_seconds=10,
    first_pause_seconds=0.05,
    max_pause_seconds=0.2,
    steady_seconds=60,
    release_seconds=0.3,
    blocked_seconds=0.1,
    end_seconds=0.5,
)


def safetensors_file(size: int) -> bytes:
    """A file of weights with one tensor of `size` bytes."""
    head = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(size)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "tiny"
        self.model.mkdir()
        (self.model / "config.json").write_text("{}")
        (self.model / "tokenizer.json").write_text("{}")
        (self.model / "model.safetensors").write_bytes(safetensors_file(4))
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

    def engine(self, *, patience: Timeouts = QUICK, nvml: Any = None, more: Any = None, **changes: Any) -> VllmEngine:
        return VllmEngine(
            self.config(**changes), fetch_arguments=more, command=self.command, nvml=nvml, timeouts=patience
        )

    def keep(self, engine: VllmEngine) -> VllmEngine:
        """Start a keeper's task."""
        self.keepers.append((engine, asyncio.create_task(engine.run())))
        return engine

    async def started(self, **changes: Any) -> VllmEngine:
        engine = self.keep(self.engine(**changes))
        await asyncio.wait_for(engine.wait_ready(), 10)
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
        left = processes.find_marked(home)
        await processes.end_marked(home, {process.token for process in left}, 0.2)

    def marked(self) -> list[int]:
        return sorted(process.pid for process in processes.find_marked(self.config().run_dir))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
