"""The engine's own log: a file apart, kept short, and read for how far the engine has come."""

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

MAX_KEPT_LOGS = 5
MAX_LOG_BYTES = 50 * 1024 * 1024  # bytes
TAIL_BYTES = 64 * 1024  # bytes; a traceback of vLLM fits several times


def rotate_logs(log: Path, kept: int = MAX_KEPT_LOGS) -> None:
    """Make room for a new log: engine.log becomes engine.log.1, and so on; the oldest goes."""
    if not log.exists() or not log.stat().st_size:
        return
    for number in range(kept - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{log}.{number}", f"{log}.{number + 1}")
    os.replace(log, f"{log}.1")


def shorten_log(log: Path, largest: int = MAX_LOG_BYTES) -> bool:
    """Move what a running engine has written to engine.log.1 once it is long. It appends, so it writes on at 0."""
    if not log.exists() or log.stat().st_size <= largest:
        return False
    shutil.copyfile(log, f"{log}.1")
    os.truncate(log, 0)
    return True


def read_tail(log: Path, size: int = TAIL_BYTES, after: int = 0) -> str:
    """The last `size` bytes, as far as they come after byte `after`; empty where there is no log."""
    try:
        with log.open("rb") as file:
            whole = os.fstat(file.fileno()).st_size
            file.seek(max(after if after <= whole else 0, whole - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def log_bytes(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


@dataclass(frozen=True)
class Step:
    """How far an engine has come: 0 to 1, and the sentence for it."""

    progress: float
    sentence: str


# The stages of vLLM's start, in their order. The shares are those of a small model on two cores: mostly imports.
STAGES: list[tuple[re.Pattern[str], Step]] = [
    (
        re.compile(r"non-default args|vLLM API server version|version \d+\.\d+"),
        Step(0.35, "Reading the model's configuration."),
    ),
    (re.compile(r"Resolved architecture"), Step(0.4, "Starting the engine's core.")),
    (re.compile(r"Initializing a V\d LLM engine"), Step(0.7, "Preparing the device.")),
    (re.compile(r"Starting to load model"), Step(0.75, "Loading the weights.")),
    (re.compile(r"Loading weights took"), Step(0.9, "The weights are loaded; preparing the first run.")),
    (
        re.compile(r"Dynamo bytecode transform|Compiling a graph|Capturing CUDA graph"),
        Step(0.92, "Compiling for the GPU."),
    ),
    (re.compile(r"KV cache size"), Step(0.95, "Setting up the cache.")),
    (re.compile(r"Starting vLLM (?:API )?server"), Step(0.98, "Opening the socket.")),
]
SHARDS = re.compile(r"(?:checkpoint shards|Completed)[^\r\n]*?(\d+)% (?:Completed)?")


def latest_stage(output: str) -> Step:
    """The furthest stage that an engine's output tells of."""
    step = Step(0.05, "Starting the engine.")
    for pattern, reached in STAGES:
        if pattern.search(output):
            step = reached
    if step.sentence == "Loading the weights." and (percents := SHARDS.findall(output)):
        percent = int(percents[-1])
        step = Step(round(0.75 + 0.15 * percent / 100, 3), f"Loading the weights: {percent} %.")
    return step
