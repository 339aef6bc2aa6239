"""The engine keeper: holds a vLLM server, or watches one that is elsewhere.

engine = make_engine(config)
keeper = asyncio.create_task(engine.run())
await engine.wait_ready()
async with engine.session().post(engine.base_url + "/v1/chat/completions", json=…) as response: …
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import aiohttp

from inference.engine import memory
from inference.engine.metrics import Counters
from inference.engine.prepare import is_gpu_build
from inference.engine.remote import RemoteEngine
from inference.engine.vllm import VllmEngine
from inference.worker_state import EngineState, Gpu

if TYPE_CHECKING:
    from jarvis.lib.config import Config

__all__ = ["Counters", "Engine", "EngineState", "RemoteEngine", "VllmEngine", "make_engine"]


class Engine(Protocol):
    """What the worker needs of an engine."""

    state: EngineState
    base_url: str
    deaths: int
    unknown_fields: set[str]  # of requests, which its server has refused

    def session(self) -> aiohttp.ClientSession:
        """The keeper's own session to the engine, kept over restarts of it."""

    async def run(self) -> None:
        """The keeper's task: brings the engine up, watches it, brings it up again. Ends only when cancelled."""

    async def wait_ready(self) -> None:
        """Wait until the engine can serve (again)."""

    async def verify(self) -> bool:
        """Look at the engine closely now, for half a second; whether it is well. False: `deaths` has counted it."""

    async def check_stall(self) -> None:
        """Told again and again while no answer moves: an engine that stands still is started again."""

    async def stop(self) -> None:
        """End what Jarvis started, and the session."""

    async def count_running(self) -> int:
        """Requests that the engine runs at this moment."""

    def list_gpus(self) -> list[Gpu]:
        """The GPUs of this machine, for people to see; none where the engine uses none."""


def make_engine(
    config: "Config", fetch_arguments: Callable[[], Awaitable[str]] | None = None
) -> VllmEngine | RemoteEngine:
    """The engine that is configured; `fetch_arguments` gives the model's own arguments for vLLM's server."""
    if config.engine_url:
        return RemoteEngine(config.engine_url, config.engine_api_key, slots=config.engine_slots)
    return VllmEngine(config, fetch_arguments=fetch_arguments, nvml=memory.load_nvml() if is_gpu_build() else None)
