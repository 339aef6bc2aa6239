"""Whether a model's folder holds what an engine needs: looked at before one is started, which takes minutes to fail."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from inference.engine.errors import EngineError
from inference.engine.model.hub import COMPLETE_FILE

INDEX = "model.safetensors.index.json"
WEIGHTS = ("*.safetensors", "*.bin", "*.pt")  # in the order in which vLLM prefers them
OWN_FORMATS = (None, "auto", "hf", "safetensors")  # values of --load-format that read these files
TOKENIZERS = ("tokenizer.json", "tekken.json", "vocab.json", "vocab.txt", "*.tiktoken", "*.model", "tokenization*.py")
POINTER = b"version https://git-lfs"
MAX_NAMED_FILES = 3
MAX_HEADER_BYTES = 100_000_000  # bytes, what safetensors itself allows


def check_folder(folder: Path, load_format: str | None = None, *, own_tokenizer: bool = True) -> None:
    """Raise EngineError with what is missing from a folder, and what to do.

    `load_format`: what the engine is told; of formats that need other files the weights are not looked at.
    `own_tokenizer`: whether the engine takes the tokenizer from this folder.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())
        advice = explain_remedy(folder)
        refuse_pointers(folder, files)
        if load_format in OWN_FORMATS:
            _check_weights(folder, files, advice)
        if own_tokenizer and not any(path.match(pattern) for path in files for pattern in TOKENIZERS):
            raise EngineError(f"{folder} has no tokenizer (tokenizer.json); {advice}.", permanent=True)
    except OSError as error:
        raise explain_unreadable(folder, error) from error


def explain_remedy(folder: Path) -> str:
    """What to do about a folder that lacks something."""
    if (folder / COMPLETE_FILE).exists():
        return "delete the folder, and it is downloaded again"
    return "copy the whole model there, or set JARVIS_MODEL to another"


def explain_unreadable(folder: Path, error: OSError) -> EngineError:
    """A folder or file that cannot be read, as a sentence."""
    reason = f"{error.filename or folder} cannot be read ({error.strerror})"
    if isinstance(error, PermissionError):
        return EngineError(f"{reason}; give the user that runs Jarvis the right to read {folder}.", permanent=True)
    return EngineError(f"{reason}; look at its disk, or set JARVIS_MODEL to another folder.", permanent=True)


def explain_no_model(folder: Path) -> str:
    """Why a folder without config.json is no model, and which one may be meant."""
    inside = sorted(path.parent for path in [*folder.glob("*/config.json"), *folder.glob("snapshots/*/config.json")])
    if inside:
        return f"{folder} is no model, but {inside[-1]} is one; set JARVIS_MODEL to that."
    if (folder / "adapter_config.json").exists():
        return f"{folder} is an adapter, not a whole model; set JARVIS_MODEL to the model that it belongs to."
    if any(folder.glob("*.gguf")):
        return (
            f"{folder} holds a GGUF file, which vLLM does not serve from a folder; "
            "choose the same model in safetensors form, or serve it by llama.cpp and set JARVIS_ENGINE_URL."
        )
    found = "has" if any(folder.iterdir()) else "is empty: it has"
    return f"{folder} {found} no config.json, so it is no model; correct JARVIS_MODEL."


def refuse_pointers(folder: Path, files: Iterable[Path]) -> None:
    """Raise EngineError where one of the files is a pointer of git-lfs."""
    pointers = [path for path in files if path.is_file() and is_pointer(path)]
    if pointers:
        raise EngineError(
            f"{folder} holds pointers of git-lfs in the place of {name_files(pointers)}; run `git lfs pull` there.",
            permanent=True,
        )


def is_pointer(path: Path) -> bool:
    """Whether git has left a note about a large file in the place of the file."""
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER


def _check_weights(folder: Path, files: list[Path], advice: str) -> None:
    weights = next((found for kind in WEIGHTS if (found := [path for path in files if path.match(kind)])), [])
    named = _files_in_index(folder / INDEX, advice)
    if own := [path for path in weights if path.match("consolidated*.safetensors")]:  # Mistral's form goes first
        named, weights = [], own
    absent = [path for path in [*named, *weights] if not path.exists()]
    if linked := [path for path in absent if path.is_symlink()]:
        raise EngineError(
            f"{name_files(linked)} in {folder} {_is(linked)} a link to nothing; copy the model with `cp -rL`, "
            "which follows links.",
            permanent=True,
        )
    if absent:
        raise EngineError(
            f"{folder} lacks {name_files(absent)}, which {INDEX} names; {advice}.",
            permanent=True,
        )
    if not weights:
        parts = sorted(folder.glob("*.part")) + sorted(folder.glob("*.incomplete"))
        broken = f" ({name_files(parts)} {_is(parts)} not complete)" if parts else ""
        raise EngineError(f"{folder} has no weights (*.safetensors){broken}; {advice}.", permanent=True)
    for path in named or weights:
        if fault := describe_damage(path):
            raise EngineError(f"{path.name} in {folder} {fault}; {advice}.", permanent=True)


def _files_in_index(index: Path, advice: str) -> list[Path]:
    """The files that an index says the weights are in."""
    if not index.exists():
        return []
    try:
        names = {str(name) for name in json.loads(index.read_bytes())["weight_map"].values()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EngineError(f"{index} is damaged; {advice}.", permanent=True) from None
    return [index.parent / name for name in sorted(names)]


def describe_damage(path: Path) -> str:
    """What is wrong with a file of weights, as far as its size and its head tell; empty where nothing is.

    A file in the form of safetensors is 8 bytes with the length of its head, the head, and the numbers of which the
    head tells where they end: https://huggingface.co/docs/safetensors#format
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return "is empty"
        if path.suffix != ".safetensors":
            return ""
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > MAX_HEADER_BYTES:
            return "is damaged: its head is no head of safetensors"
        if size < 8 + length:
            return f"is cut off after {size:,} bytes"
        try:
            head = json.loads(file.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in head.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return "is damaged: its head is no head of safetensors"
    if not ends:
        return "holds no weights"
    whole = 8 + length + max(ends)
    return f"is cut off: it has {size:,} of {whole:,} bytes" if size < whole else ""


def name_files(files: list[Path]) -> str:
    """Some of their names, and how many there are beside."""
    names = ", ".join(path.name for path in files[:MAX_NAMED_FILES])
    return names if len(files) <= MAX_NAMED_FILES else f"{names} and {len(files) - MAX_NAMED_FILES} more"


def _is(files: list[Path]) -> str:
    return "is" if len(files) == 1 else "are"
