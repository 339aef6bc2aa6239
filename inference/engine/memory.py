"""Memory that an engine needs, and who holds it: GPUs through NVML, the machine's own through psutil."""

import importlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil

from inference.engine.errors import EngineError
from inference.worker_state import Gpu
from jarvis.lib.processes import process_name

MIB = 2**20
CGROUP = Path("/sys/fs/cgroup")
T = TypeVar("T")


class Nvml(Protocol):
    """What is used of NVIDIA's library, as the package nvidia-ml-py offers it."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...
    def nvmlDeviceGetCount(self) -> int: ...
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...
    def nvmlDeviceGetName(self, handle: Any) -> str: ...
    def nvmlDeviceGetUUID(self, handle: Any) -> str: ...
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> Sequence[Any]: ...


def load_nvml() -> Nvml | None:
    """NVIDIA's library, or None where the package, the driver or the GPU is missing."""
    try:
        library: Nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        library.nvmlInit()
        return library if library.nvmlDeviceGetCount() else None
    except library.NVMLError:
        return None


@dataclass(frozen=True)
class MemoryHolder:
    """A process that holds memory of a device; MiB, None where the driver does not tell."""

    pid: int
    name: str
    mib: int | None

    def __str__(self) -> str:
        held = f"{self.mib:,} MiB" if self.mib is not None else "an unknown share"
        return f"pid {self.pid} ({self.name or 'another user or container'}) with {held}"


@dataclass(frozen=True)
class Device:
    """One GPU; memory in MiB, use in percent."""

    index: int
    name: str
    uuid: str
    total: int
    free: int
    use: int
    holders: tuple[MemoryHolder, ...]

    @property
    def state(self) -> Gpu:
        return Gpu(name=self.name, memory_total=self.total, memory_used=self.total - self.free, use=self.use)


def list_devices(library: Nvml) -> list[Device]:
    """All GPUs of this machine, as they are now."""
    return [_device(library, index) for index in range(library.nvmlDeviceGetCount())]


def _device(library: Nvml, index: int) -> Device:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    return Device(
        index=index,
        name=library.nvmlDeviceGetName(handle),
        uuid=library.nvmlDeviceGetUUID(handle),
        total=memory.total // MIB,
        free=memory.free // MIB,
        use=_query(library, lambda: int(library.nvmlDeviceGetUtilizationRates(handle).gpu), 0),
        holders=_query(library, lambda: _holders(library, handle), ()),
    )


def _holders(library: Nvml, handle: Any) -> tuple[MemoryHolder, ...]:
    return tuple(
        MemoryHolder(found.pid, process_name(found.pid), found.usedGpuMemory // MIB if found.usedGpuMemory else None)
        for found in library.nvmlDeviceGetComputeRunningProcesses(handle)
    )


def _query(library: Nvml, question: Callable[[], T], otherwise: T) -> T:
    """Some questions are not answered for every card, or not inside a container."""
    try:
        return question()
    except library.NVMLError:
        return otherwise


def visible_devices(found: list[Device], wanted: str | None) -> list[Device]:
    """Those that CUDA_VISIBLE_DEVICES leaves, in its order; it names indices or (beginnings of) UUIDs."""
    if wanted is None:
        return found
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    return [d for name in names for d in found if name == str(d.index) or d.uuid.startswith(name)]


def check_gpu(found: list[Device], share: float, count: int = 1) -> None:
    """Raise EngineError, with figures and who holds the memory, unless `share` of the first `count` GPUs is free."""
    if len(found) < count:
        raise EngineError(f"The engine wants {count} GPUs, but {len(found)} can be used here.", permanent=True)
    for device in found[:count]:
        wanted = math.ceil(device.total * share)
        if device.free >= wanted:
            continue
        held = (
            "; ".join(str(h) for h in sorted(device.holders, key=lambda h: -(h.mib or 0)))
            or "no process that can be seen"
        )
        raise EngineError(
            f"GPU {device.index} ({device.name}) has {device.free:,} of {device.total:,} MiB free, "
            f"but the engine wants {wanted:,} MiB (JARVIS_ENGINE_MEMORY={share:g}). "
            f"It is held by: {held}. End that, or lower JARVIS_ENGINE_MEMORY.",
            blocked=True,
        )


def available_bytes(cgroup: Path = CGROUP) -> int:
    """Main memory that can still be had: what the machine has left, or the container's limit if that is less."""
    machine = psutil.virtual_memory().available
    try:
        limit = int((cgroup / "memory.max").read_text())
        reclaimable = next(
            int(line.split()[1])
            for line in (cgroup / "memory.stat").read_text().splitlines()
            if line.startswith("inactive_file ")
        )
        used = int((cgroup / "memory.current").read_text()) - reclaimable
    except (OSError, ValueError, StopIteration):  # no container, or no limit ("max")
        return machine
    return max(0, min(machine, limit - used))


def total_bytes() -> int:
    """Main memory of the machine."""
    return psutil.virtual_memory().total


def check_ram(wanted: int, available: int) -> None:
    """Raise EngineError with figures and the largest processes unless so many bytes of main memory are available."""
    if available >= wanted:
        return
    largest = sorted(_list_processes(), key=lambda holder: -(holder.mib or 0))[:3]
    raise EngineError(
        f"The engine wants about {wanted // MIB:,} MiB of memory, but {available // MIB:,} MiB are available. "
        f"Most is held by: {'; '.join(map(str, largest))}. End that, or choose a smaller model in JARVIS_MODEL.",
        blocked=True,
    )


def _list_processes() -> list[MemoryHolder]:
    return [
        MemoryHolder(process.info["pid"], process.info["name"] or "", process.info["memory_info"].rss // MIB)
        for process in psutil.process_iter(["pid", "name", "memory_info"])
        if process.info["memory_info"] is not None and process.info["pid"] != os.getpid()
    ]
