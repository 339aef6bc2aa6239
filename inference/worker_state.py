"""What a worker tells about itself and its engine: pure shapes."""

import time
from hashlib import sha256
from typing import Literal

import msgspec

Phase = Literal["starting", "loading", "warming", "ready", "failed", "stopped"]


class EngineState(msgspec.Struct):
    """An engine, as people are shown it. `progress` runs from 0 to 1; `since` and sizes are in seconds and tokens."""

    phase: Phase = "starting"
    detail: str = ""
    progress: float | None = None
    pid: int | None = None
    model: str = ""
    max_model_len: int = 0
    slots: int = 0
    since: float = msgspec.field(default_factory=time.time)
    adopted: bool = False
    given_up: bool = False  # its start has failed for good: nobody tries again
    goes_on: bool = True  # with a text that was begun, as vLLM does; others begin anew without a word


class Gpu(msgspec.Struct):
    """One GPU; memory in MiB, use in percent."""

    name: str
    memory_total: int
    memory_used: int
    use: int


class WorkerState(msgspec.Struct):
    """A worker, as `/api/status` and the page show it. Times are Unix seconds; `slots` is what it runs at once."""

    name: str
    host: str
    pid: int
    started: float
    engine: EngineState
    running: int = 0
    slots: int = 0
    draining: bool = False
    gpus: list[Gpu] = []
    place: str = ""  # what it alone holds, the same after a restart
    paused: bool = False  # takes nothing new, until it is resumed
    tokens_per_second: float = 0.0  # of all its answers, over the last seconds
    memory_total: int = 0  # of its machine, and what of it can still be had; MiB
    memory_available: int = 0

    @property
    def id(self) -> str:
        """The place as a word for addresses."""
        return place_id(self.place)


def place_id(place: str) -> str:
    return sha256(place.encode()).hexdigest()[:16]
