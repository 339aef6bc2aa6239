"""Fetches a model from the hub; run by `download` as a process of its own, so that it can be killed at any byte.

    python -m inference.engine.model.hub Qwen/Qwen3-8B FOLDER

It writes one JSON line when it knows the size, and one at its end. Files are continued where they stopped, and weights
are checked against the hub's SHA-256.
"""

import hashlib
import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inference.engine.errors import EngineError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

DISK_MARGIN_BYTES = 2**30  # bytes that stay free on the disk
COMPLETE_FILE = ".jarvis-complete"  # written last: from then on no hub is asked
PART_SUFFIX = ".part"
SUFFIXES = (".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken", ".py")
SKIPPED_PREFIXES = ("original/", "consolidated", "onnx/", ".")
NO_NETWORK = {"ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError", "NetworkError", "RemoteProtocolError"}
GB_BYTES = 1e9


def main(model: str, folder: Path) -> None:
    """Download, in this process. The last line holds the path, or an error and whether it is permanent."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        download_model(model, folder)
    except Exception as error:  # noqa: BLE001 - every end is told to the keeper, in a sentence
        fault = explain_error(model, error)
        print(json.dumps({"error": str(fault), "permanent": fault.permanent}), flush=True)
        sys.exit(1)
    print(json.dumps({"path": str(folder)}), flush=True)


def download_model(model: str, folder: Path) -> None:
    """Fetch what is wanted of a model and not there yet."""
    from huggingface_hub import HfApi  # slow to import, and used by this process alone

    name, _, revision = model.partition("@")
    info = HfApi().model_info(name, revision=revision or None, files_metadata=True, timeout=30)
    files = [file for file in info.siblings or [] if is_needed(file.rfilename, folder)]
    if not any(file.rfilename.endswith(".safetensors") for file in files):
        raise EngineError(f"{name} has no weights in safetensors form; choose another model.", permanent=True)
    total = sum(file.size or 0 for file in files)
    check_disk(name, folder, max(0, total - folder_bytes(folder)))
    print(json.dumps({"total": total}), flush=True)
    for file in sorted(files, key=lambda file: file.size or 0):
        fetch_file(name, info.sha or "main", file, folder)
    (folder / COMPLETE_FILE).write_text(json.dumps({"model": model, "commit": info.sha}))


def is_needed(path: str, folder: Path) -> bool:
    """Whether a file of a model is needed and lies inside its folder. Pickled weights never are: they are code."""
    inside = (folder / path).resolve().is_relative_to(folder.resolve())
    return inside and path.endswith(SUFFIXES) and not path.startswith(SKIPPED_PREFIXES)


def fetch_file(name: str, revision: str, file: "RepoSibling", folder: Path) -> None:
    """Fetch one file, from where an earlier try stopped."""
    from huggingface_hub import get_token, hf_hub_url  # see above
    from huggingface_hub.file_download import http_get

    path = folder / file.rfilename
    if path.is_file() and path.stat().st_size == file.size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART_SUFFIX)
    part.touch()
    with part.open("r+b") as out:
        there = out.seek(0, os.SEEK_END)
        url = hf_hub_url(name, file.rfilename, revision=revision)
        headers = {"authorization": f"Bearer {token}"} if (token := get_token()) else {}
        http_get(url, out, resume_size=there, headers=headers, expected_size=file.size)
    if file.lfs is not None and sha256(part) != file.lfs.sha256:
        part.unlink()
        raise EngineError(f"{file.rfilename} of {name} arrived damaged; it is fetched again.")
    os.replace(part, path)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_bytes(folder: Path) -> int:
    """Bytes that are there, those of unfinished files as well."""
    return sum(file.stat(follow_symlinks=False).st_size for file in folder.rglob("*") if file.is_file())


def check_disk(name: str, folder: Path, missing: int) -> None:
    """Raise EngineError with the figures unless what is missing fits on the disk."""
    free = shutil.disk_usage(folder).free
    if free < missing + DISK_MARGIN_BYTES:
        raise EngineError(
            f"{name} needs {missing / GB_BYTES:.1f} GB more on the disk and a margin of "
            f"{DISK_MARGIN_BYTES / GB_BYTES:.1f} GB, but {folder} has {free / GB_BYTES:.1f} GB free; "
            "free some, or set JARVIS_VAR to a folder on another disk."
        )


def explain_error(model: str, error: Exception) -> EngineError:
    """What went wrong with a download, as a sentence that says what to do."""
    from huggingface_hub import errors  # see above

    name, _, revision = model.partition("@")
    lasting = ""
    match error:
        case EngineError():
            return error
        case errors.GatedRepoError():
            lasting = (
                f"{name} is gated: accept its terms on the hub's page, and set HF_TOKEN to a token of that account."
            )
        case errors.RepositoryNotFoundError():
            lasting = f"The hub has no model {name}, or shows it only with a token; look at JARVIS_MODEL and HF_TOKEN."
        case errors.RevisionNotFoundError():
            lasting = f"The hub's model {name} has no revision {revision}; correct JARVIS_MODEL."
        case errors.HFValidationError():
            lasting = f"{name} is neither a folder here nor a model id such as Qwen/Qwen3-8B; correct JARVIS_MODEL."
        case errors.HfHubHTTPError() if error.response is not None and error.response.status_code in (401, 403):
            lasting = f"The hub refuses the token for {name}; correct HF_TOKEN."
        case OSError(errno=28):
            return EngineError(
                f"The disk is full; free some space, and the download of {name} goes on where it stopped."
            )
        case _ if is_unreachable(error):
            return EngineError(
                f"The hub cannot be reached, so {name} cannot be downloaded; check the network, "
                "or set JARVIS_MODEL=guide, which is built in."
            )
    if lasting:
        return EngineError(lasting, permanent=True)
    reason = f"{type(error).__name__}: {str(error)[:200]}"
    return EngineError(f"The download of {name} broke off ({reason}); it goes on where it stopped.")


def is_unreachable(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that there is no way to the hub."""
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
