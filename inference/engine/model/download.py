"""Brings a hub model into var/models by a process that can be killed and resumed, and tells how far it is."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference.engine.errors import EngineError
from inference.engine.model.hub import COMPLETE_FILE, GB_BYTES, folder_bytes

ROOT = Path(__file__).resolve().parents[3]
Progress = Callable[[float | None, str], None]


def folder_of(model: str, models: Path) -> Path:
    """Where a hub model lies: Qwen/Qwen3-8B@main -> var/models/Qwen--Qwen3-8B@main."""
    return models / model.replace("/", "--")


def is_complete(folder: Path) -> bool:
    return (folder / COMPLETE_FILE).is_file()


async def fetch_model(model: str, models: Path, token: str, on_progress: Progress) -> Path:
    """The folder with the whole model. Tells its progress twice a second; raises EngineError with what to do."""
    folder = folder_of(model, models)
    if is_complete(folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    on_progress(None, f"Asking the hub about {model}.")
    environment = os.environ | ({"HF_TOKEN": token} if token else {}) | {"HF_HUB_DISABLE_TELEMETRY": "1"}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference.engine.model.hub", model, str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env=environment,
    )
    assert child.stdout is not None
    last: dict[str, Any] = {}
    watcher: asyncio.Task[None] | None = None
    try:
        async for line in child.stdout:
            last = json.loads(line)
            if "total" in last:
                watcher = asyncio.create_task(_watch_progress(model, folder, int(last["total"]), on_progress))
        status = await child.wait()
    finally:
        if watcher is not None:
            watcher.cancel()
        if child.returncode is None:
            child.kill()
            await child.wait()
    if "error" in last:
        raise EngineError(last["error"], permanent=last["permanent"])
    if not is_complete(folder):
        raise EngineError(f"The download of {model} broke off (status {status}); it goes on where it stopped.")
    return folder


async def _watch_progress(model: str, folder: Path, total: int, on_progress: Progress) -> None:
    while True:
        done = min(folder_bytes(folder), total)
        on_progress(
            done / total if total else None, f"Downloading {model}: {done / GB_BYTES:.1f} of {total / GB_BYTES:.1f} GB."
        )
        await asyncio.sleep(0.5)
