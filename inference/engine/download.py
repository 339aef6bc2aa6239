"""Fetches a model from the hub into var/models: with progress, to be resumed after any end, as a process of its own.

The process (`python -m inference.engine.download`) writes one JSON line when it knows the size, and one at its end.
"""

import asyncio
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from inference.engine.faults import EngineError

MARGIN = 2**30  # bytes that stay free on the disk
COMPLETE = ".jarvis-complete"  # written last: from then on no hub is asked
WANTED = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.py"]
UNWANTED = ["original/*", "consolidated*", "onnx/*", "*.onnx.json"]
NO_NETWORK = {"ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError", "NetworkError", "RemoteProtocolError"}
GB = 1e9
ROOT = Path(__file__).resolve().parents[2]
Progress = Callable[[float | None, str], None]


def folder_of(model: str, models: Path) -> Path:
    """Where a hub model lies: Qwen/Qwen3-8B@main -> var/models/Qwen--Qwen3-8B@main."""
    return models / model.replace("/", "--")


def present(folder: Path) -> bool:
    return (folder / COMPLETE).is_file()


async def fetch(model: str, models: Path, token: str, told: Progress) -> Path:
    """The folder with the whole model. Tells its progress twice a second; raises EngineError with what to do."""
    folder = folder_of(model, models)
    if present(folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    told(None, f"Asking the hub about {model}.")
    environment = os.environ | ({"HF_TOKEN": token} if token else {}) | {"HF_HUB_DISABLE_TELEMETRY": "1"}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference.engine.download", model, str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env=environment,
    )
    assert child.stdout is not None
    watcher: asyncio.Task[None] | None = None
    try:
        last: dict[str, Any] = {}
        async for line in child.stdout:
            last = json.loads(line)
            if "total" in last and watcher is None:
                watcher = asyncio.create_task(_watch(model, folder, int(last["total"]), told))
        status = await child.wait()
    finally:
        if watcher is not None:
            watcher.cancel()
        if child.returncode is None:
            child.kill()
            await child.wait()
    if "error" in last:
        raise EngineError(last["error"], permanent=last["permanent"])
    if status != 0 or not present(folder):
        raise EngineError(f"The download of {model} broke off (status {status}); it goes on where it stopped.")
    return folder


async def _watch(model: str, folder: Path, total: int, told: Progress) -> None:
    while True:
        done = min(size_of(folder), total)
        told(done / total if total else None, f"Downloading {model}: {done / GB:.1f} of {total / GB:.1f} GB.")
        await asyncio.sleep(0.5)


def size_of(folder: Path) -> int:
    """Bytes on the disk, unfinished files as well."""
    return sum(file.stat(follow_symlinks=False).st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def refuse_full_disk(model: str, folder: Path, missing: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < missing + MARGIN:
        raise EngineError(
            f"{model} needs {missing / GB:.1f} GB more on the disk and a margin of {MARGIN / GB:.1f} GB, "
            f"but {folder} has {free / GB:.1f} GB free; free some, or set JARVIS_VAR to a folder on another disk."
        )


def main(model: str, folder: Path) -> None:
    """Download, in this process. Ends with a JSON line that holds the path, or an error and whether it is permanent."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        _download(model, folder)
    except Exception as error:  # noqa: BLE001 - every end is told to the keeper, in a sentence
        fault = explain(model, error)
        print(json.dumps({"error": str(fault), "permanent": fault.permanent}), flush=True)
        sys.exit(1)
    print(json.dumps({"path": str(folder)}), flush=True)


def _download(model: str, folder: Path) -> None:
    from huggingface_hub import snapshot_download  # slow to import, and used by this process alone

    name, _, revision = model.partition("@")
    wanted = partial(
        snapshot_download,
        name,
        revision=revision or None,
        local_dir=folder,
        allow_patterns=WANTED,
        ignore_patterns=UNWANTED,
    )
    files: list[Any] = wanted(dry_run=True)  # type: ignore[assignment]
    if not any(file.filename.endswith(".safetensors") for file in files):
        raise EngineError(
            f"{model} has no weights in safetensors form, the only one that Jarvis loads; choose another.",
            permanent=True,
        )
    total = sum(file.file_size or 0 for file in files)
    refuse_full_disk(model, folder, max(0, total - size_of(folder)))
    print(json.dumps({"total": total}), flush=True)
    wanted()
    (folder / COMPLETE).write_text(json.dumps({"model": model, "commit": files[0].commit_hash}))


def explain(model: str, error: Exception) -> EngineError:
    """What went wrong with a download, as a sentence that says what to do."""
    from huggingface_hub import errors  # see above

    name = model.partition("@")[0]
    match error:
        case EngineError():
            return error
        case errors.GatedRepoError():
            return EngineError(
                f"{name} is gated: accept its terms on the hub's page, then set HF_TOKEN to a token of that account.",
                permanent=True,
            )
        case errors.RepositoryNotFoundError():
            return EngineError(
                f"The hub has no model {name}, or shows it only with a token; look at JARVIS_MODEL and HF_TOKEN.",
                permanent=True,
            )
        case errors.RevisionNotFoundError():
            return EngineError(
                f"The hub's model {name} has no revision {model.partition('@')[2]}; correct JARVIS_MODEL.",
                permanent=True,
            )
        case errors.HFValidationError():
            return EngineError(
                f"{name} is neither a folder here nor a model id such as Qwen/Qwen3-8B; correct JARVIS_MODEL.",
                permanent=True,
            )
        case errors.HfHubHTTPError() if error.response is not None and error.response.status_code in (401, 403):
            return EngineError(f"The hub refuses the token for {name}; correct HF_TOKEN.", permanent=True)
        case OSError(errno=28):
            return EngineError(
                f"The disk is full; free some space, and the download of {name} goes on where it stopped."
            )
        case _ if unreachable(error):
            return EngineError(
                f"The hub cannot be reached, so {name} cannot be downloaded; check the network, "
                "or set JARVIS_MODEL=guide, which is built in."
            )
    return EngineError(
        f"The download of {name} broke off ({type(error).__name__}: {str(error)[:200]}); it goes on where it stopped."
    )


def unreachable(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that there is no way to the hub. There are many."""
    while error is not None:
        if isinstance(error, ConnectionError | TimeoutError) or type(error).__name__ in NO_NETWORK:
            return True
        error = error.__cause__ or error.__context__
    return False


def _end_with_parent(parent: int) -> None:
    """The keeper may be killed; what downloads for nobody would only be in the way of the next."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
