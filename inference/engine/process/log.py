"""The engine's own log: a file apart, kept short, and read for how far the engine has come."""

import re
from dataclasses import dataclass
from pathlib import Path

from jarvis.lib.log_file import LogFile

MAX_KEPT_LOGS = 5
MAX_LOG_BYTES = 50 * 1024 * 1024


def engine_log(path: Path) -> LogFile:
    """The log of an engine, of which each start begins a new one."""
    return LogFile(path, MAX_LOG_BYTES, MAX_KEPT_LOGS)


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
