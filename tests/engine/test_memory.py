import os
from types import SimpleNamespace

import pytest

from inference.engine import memory
from inference.engine.errors import EngineError
from inference.engine.memory import MIB
from tests.support.waiting import until


class FakeNvml:
    """NVIDIA's library with two cards: the first half full, the second free."""

    class NVMLError(Exception):
        pass

    def __init__(self, held=70_000, utilization=True):
        self.cards = [(held, [SimpleNamespace(pid=os.getpid(), usedGpuMemory=held * MIB)]), (0, [])]
        self.utilization = utilization

    def nvmlInit(self):
        pass

    def nvmlDeviceGetCount(self):
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetName(self, handle):
        return "Test H200"

    def nvmlDeviceGetUUID(self, handle):
        return f"GPU-{handle}aaaa-bbbb"

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(total=140_000 * MIB, free=(140_000 - self.cards[handle][0]) * MIB)

    def nvmlDeviceGetUtilizationRates(self, handle):
        if not self.utilization:
            raise self.NVMLError("Not Supported")
        return SimpleNamespace(gpu=37)

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return self.cards[handle][1]


def test_too_little_free_gpu_memory_is_refused_with_the_figures_and_the_holders():
    with pytest.raises(EngineError) as caught:
        memory.check_gpu(memory.list_devices(FakeNvml()), 0.9)
    said = str(caught.value)
    assert "GPU 0 (Test H200) has 70,000 of 140,000 MiB free, but the engine wants 126,000 MiB" in said
    assert "JARVIS_ENGINE_MEMORY=0.9" in said
    assert f"pid {os.getpid()} (" in said
    assert "with 70,000 MiB" in said
    assert caught.value.blocked


def test_enough_free_gpu_memory_is_not_refused():
    memory.check_gpu(memory.list_devices(FakeNvml()), 0.5)


def test_a_holder_that_the_driver_does_not_weigh_is_named_all_the_same():
    library = FakeNvml()
    library.cards[0][1][0].usedGpuMemory = None
    with pytest.raises(EngineError, match=f"pid {os.getpid()} .* with an unknown share"):
        memory.check_gpu(memory.list_devices(library), 0.9)


def test_only_the_visible_gpus_count_in_their_order():
    found = memory.list_devices(FakeNvml())
    assert [d.index for d in memory.visible_devices(found, "1,0")] == [1, 0]
    assert [d.index for d in memory.visible_devices(found, "GPU-1aaaa")] == [1]
    assert memory.visible_devices(found, None) == found
    memory.check_gpu(memory.visible_devices(found, "1"), 0.9)


def test_more_gpus_than_there_are_is_a_permanent_fault():
    with pytest.raises(EngineError, match="wants 3 GPUs, but 2") as caught:
        memory.check_gpu(memory.list_devices(FakeNvml()), 0.1, 3)
    assert caught.value.permanent


def test_the_state_of_a_gpu_is_told_also_where_its_use_is_not_known():
    busy, unknown = (memory.list_devices(FakeNvml(utilization=known))[0].state for known in (True, False))
    assert (busy.memory_total, busy.memory_used, busy.use) == (140_000, 70_000, 37)
    assert unknown.use == 0


def test_too_little_main_memory_is_refused_with_the_figures():
    with pytest.raises(EngineError, match=r"wants about 3,000 MiB of memory, but 1,000 MiB are available.*pid \d+"):
        memory.check_ram(3000 * MIB, 1000 * MIB)


def test_a_containers_limit_counts(tmp_path):
    (tmp_path / "memory.max").write_text(str(500 * MIB))
    (tmp_path / "memory.current").write_text(str(300 * MIB))
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {100 * MIB}\n")
    assert memory.available_bytes(tmp_path) == 300 * MIB


def test_without_a_limit_the_machine_counts(tmp_path):
    (tmp_path / "memory.max").write_text("max")
    (tmp_path / "memory.current").write_text("1")
    (tmp_path / "memory.stat").write_text("inactive_file 0")
    assert memory.available_bytes(tmp_path) > 0


async def test_an_engine_without_room_on_the_gpu_says_so_and_starts_when_there_is_some(bench):
    library = FakeNvml()
    engine = bench.keep(bench.engine(nvml=library))
    await until(lambda: engine.state.phase == "failed")
    assert "GPU 0 (Test H200) has 70,000 of 140,000 MiB free" in engine.state.detail
    assert bench.marked() == []
    library.cards[0] = (0, [])
    await until(lambda: engine.state.phase == "ready")
    assert [gpu.memory_total for gpu in engine.list_gpus()] == [140_000, 140_000]
