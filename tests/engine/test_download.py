import asyncio
import shutil
from collections import namedtuple

import pytest

from inference.engine.errors import EngineError
from inference.engine.model import download
from inference.engine.model import hub as hub_process
from tests.support.hub import WEIGHTS, Hub
from tests.support.waiting import until


@pytest.fixture
async def hub(monkeypatch, tmp_path):
    hub = Hub()
    async with hub.running() as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


class Told:
    def __init__(self):
        self.said = []

    def __call__(self, progress, sentence):
        self.said.append((progress, sentence))


async def test_a_model_is_fetched_with_its_weights_and_without_pickles(hub, tmp_path):
    told = Told()
    folder = await download.fetch_model("owner/tiny", tmp_path / "models", "", told)
    assert folder == tmp_path / "models" / "owner--tiny"
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not (folder / "pickled.bin").exists()
    assert told.said[0] == (None, "Asking the hub about owner/tiny.")
    assert told.said[-1][1].startswith("Downloading owner/tiny: 0.0 of 0.0 GB")


async def test_a_model_that_is_there_needs_no_hub(hub, tmp_path):
    await download.fetch_model("owner/tiny", tmp_path, "", Told())
    asked = len(hub.requests)
    await download.fetch_model("owner/tiny", tmp_path, "", Told())
    assert len(hub.requests) == asked


async def test_the_token_is_sent(hub, tmp_path):
    hub.token = "hf_canary"
    await download.fetch_model("owner/tiny", tmp_path, "hf_canary", Told())
    assert hub.authorizations == {"Bearer hf_canary"}


async def test_a_download_that_was_cut_off_goes_on_where_it_stopped(hub, tmp_path):
    hub.stop_after = 15_000_000
    task = asyncio.create_task(download.fetch_model("owner/tiny", tmp_path, "", Told()))
    await until(lambda: hub_process.folder_bytes(tmp_path) > 9_000_000, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hub.stop_after = 0
    folder = await download.fetch_model("owner/tiny", tmp_path, "", Told())
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert max(hub.ranges) >= 9_000_000


async def test_weights_that_arrive_damaged_are_not_kept(hub, tmp_path):
    hub.sha256 = "0" * 64
    with pytest.raises(EngineError, match="arrived damaged; it is fetched again"):
        await download.fetch_model("owner/tiny", tmp_path, "", Told())
    assert not list(tmp_path.rglob("model.safetensors*"))


@pytest.mark.parametrize("path", ["../../etc/passwd.json", "/etc/passwd.json", "pytorch_model.bin", "original/x.json"])
def test_no_file_is_fetched_that_would_lie_elsewhere_or_can_run_code(tmp_path, path):
    assert not hub_process.is_needed(path, tmp_path)
    assert hub_process.is_needed("model-00001-of-00002.safetensors", tmp_path)


async def test_its_progress_is_told(hub, tmp_path):
    hub.stop_after = 15_000_000
    told = Told()
    task = asyncio.create_task(download.fetch_model("owner/tiny", tmp_path, "", told))
    await until(lambda: any(progress and progress > 0.3 for progress, _ in told.said), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("change", "model", "said"),
    [
        ({}, "owner/other", "The hub has no model owner/other, or shows it only with a token"),
        ({"gated": True}, "owner/tiny", "owner/tiny is gated: accept its terms"),
        ({"token": "x"}, "owner/tiny", "with a token|refuses the token"),
        ({"files": {"config.json": b"{}", "x.bin": b""}}, "owner/tiny", "no weights in safetensors form"),
        ({}, "owner/tiny/what", "neither a folder here nor a model id"),
    ],
)
async def test_what_cannot_be_had_is_a_permanent_fault_with_what_to_do(hub, tmp_path, change, model, said):
    for name, value in change.items():
        setattr(hub, name, value)
    with pytest.raises(EngineError, match=said) as caught:
        await download.fetch_model(model, tmp_path, "", Told())
    assert caught.value.permanent


async def test_without_a_network_the_built_in_model_is_pointed_to(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EngineError, match=r"The hub cannot be reached.*JARVIS_MODEL=guide") as caught:
        await download.fetch_model("owner/tiny", tmp_path, "", Told())
    assert not caught.value.permanent


def test_a_disk_that_is_too_small_is_refused_with_the_figures(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 5_000_000_000))
    with pytest.raises(EngineError, match=r"needs 16\.4 GB more .* 5\.0 GB free; free some, or set JARVIS_VAR"):
        hub_process.check_disk("owner/tiny", tmp_path, 16_400_000_000)


def test_a_full_disk_during_the_download_is_named():
    fault = hub_process.explain_error("owner/tiny", OSError(28, "No space left on device"))
    assert str(fault).startswith("The disk is full")
    assert not fault.permanent


async def test_a_keeper_with_a_hub_model_tells_what_the_hub_says(hub, bench):
    engine = bench.keep(bench.engine(model="owner/other"))
    await until(lambda: engine.state.phase == "failed", 30)
    assert "The hub has no model owner/other" in engine.state.detail


async def test_a_keeper_serves_a_hub_model_under_its_id(hub, bench):
    engine = bench.keep(bench.engine(model="owner/tiny"))
    await until(lambda: engine.state.phase == "ready", 30)
    assert engine.state.model == "owner/tiny"
