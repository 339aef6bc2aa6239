"""Command line and environment of a vLLM server. Pure: nothing is started or asked here."""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from inference.engine.errors import EngineError
from inference.engine.model.folder import ModelFolder
from inference.engine.process.state_file import sockets_path

GIB = 2**30
RUNTIME_BYTES = 2 * GIB  # Python, torch and vLLM in two processes, on a CPU
MAX_FLOAT32_WEIGHT_BYTES = 256 * 2**20  # bytes: below, float32 costs nothing and makes continuation exact
DEFAULT_CPU_SLOTS, DEFAULT_GPU_SLOTS = 64, 256

RESERVED_ARGUMENTS = {
    "--model",
    "--served-model-name",
    "--uds",
    "--host",
    "--port",
    "--api-key",
    "--root-path",
    "--ssl-keyfile",
}
# What an engine may see of Jarvis's environment: never a password, a key or an address of a database.
PASSED_VARIABLES = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
}
PASSED_PREFIXES = (
    "VLLM_",
    "CUDA_",
    "NVIDIA_",
    "NCCL_",
    "TORCH",
    "PYTORCH_",
    "OMP_",
    "KMP_",
    "GOMP_",
    "MKL_",
    "GLOO_",
    "RAY_",
    "LC_",
    "HF_HOME",
    "HF_HUB_CACHE",
)
SERVER_COMMAND = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")


@dataclass(frozen=True)
class Options:
    """How an engine is to be run. `memory` is the share of each GPU's memory; 0 slots: as many as are usual."""

    gpu: bool = False
    slots: int = 0
    memory: float = 0.9
    total: int = 0  # main memory of the machine, on a CPU
    threads: int = 1  # of the model's arithmetic, on a CPU
    program: tuple[str, ...] = SERVER_COMMAND
    extra: tuple[str, ...] = ()
    trust_remote_code: bool = False
    telemetry: bool = False


def split_arguments(text: str) -> tuple[str, ...]:
    """Arguments of the server as a list. Raises EngineError for what would open a port or belongs to a variable."""
    try:
        parts = tuple(shlex.split(text))
    except ValueError as error:
        raise EngineError(
            f"The engine's arguments cannot be read ({error}): see JARVIS_ENGINE_ARGS, and the model in the admin.",
            permanent=True,
        ) from error
    for part in parts:
        if part.partition("=")[0].replace("_", "-") in RESERVED_ARGUMENTS:
            raise EngineError(f"The engine's arguments may not hold {part}: Jarvis sets that itself.", permanent=True)
    return parts


def argument_value(extra: tuple[str, ...], name: str) -> str | None:
    """What the operator gave for one argument, as `--name value` or `--name=value`; the last one counts."""
    found = None
    for index, part in enumerate(extra):
        key, equals, given = part.partition("=")
        if key.replace("_", "-") == name:
            found = given if equals else (extra[index + 1] if index + 1 < len(extra) else "")
    return found


def argument_number(extra: tuple[str, ...], name: str, otherwise: int) -> int:
    given = argument_value(extra, name)
    return int(given) if given and given.isdecimal() else otherwise


def count_slots(options: Options) -> int:
    """How many requests the engine runs at once."""
    return argument_number(
        options.extra, "--max-num-seqs", options.slots or (DEFAULT_GPU_SLOTS if options.gpu else DEFAULT_CPU_SLOTS)
    )


def cache_bytes(model: ModelFolder, options: Options) -> int:
    """Memory for keys and values on a CPU: little for a small model, an eighth of the machine's for others."""
    if model.weight_bytes < MAX_FLOAT32_WEIGHT_BYTES:
        return GIB // 4
    return max(GIB // 2, min(4 * GIB, options.total // 8))


def estimate_ram_bytes(model: ModelFolder, options: Options) -> int:
    """Main memory that an engine on a CPU will take, about."""
    weights = model.weight_bytes * (2 if model.weight_bytes < MAX_FLOAT32_WEIGHT_BYTES else 1)
    return RUNTIME_BYTES + weights + cache_bytes(model, options)


def build_command(model: ModelFolder, options: Options, socket: Path) -> list[str]:
    """The server's command line; the operator's arguments come last, and so win."""
    line = list(options.program)
    line += ["--model", str(model.folder), "--served-model-name", model.name, "--uds", str(socket)]
    line += ["--max-num-seqs", str(count_slots(options)), "--enable-prompt-tokens-details", "--enable-prefix-caching"]
    line += ["--max-model-len", "auto", "--disable-uvicorn-access-log", "--disable-fastapi-docs"]
    line += ["--enable-scale-out"]  # for its route that aborts a request by id, see `inference.worker.relay`
    tools, reasoning = model.parsers
    if tools:
        line += ["--enable-auto-tool-choice", "--tool-call-parser", tools]
    if reasoning:
        line += ["--reasoning-parser", reasoning]
    if options.gpu:
        line += ["--gpu-memory-utilization", f"{options.memory:g}"]
    else:
        line += ["--enforce-eager", "--kv-cache-memory-bytes", str(cache_bytes(model, options))]
        if model.weight_bytes < MAX_FLOAT32_WEIGHT_BYTES:
            line += ["--dtype", "float32"]
    if options.trust_remote_code:
        line += ["--trust-remote-code"]
    return [*line, *options.extra]


def build_environment(options: Options, own: Mapping[str, str], home: Path) -> dict[str, str]:
    """What the engine's processes see: tools and devices, and no secret of Jarvis."""
    passed = {k: v for k, v in own.items() if k in PASSED_VARIABLES or k.startswith(PASSED_PREFIXES)}
    defaults = {
        "VLLM_LOG_STATS_INTERVAL": "60",
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "75",
        "GLOO_SOCKET_IFNAME": "lo",  # where it cannot be isolated, its helpers listen on loopback at most
        "VLLM_HOST_IP": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }
    if not options.gpu:
        defaults |= {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the model runs in the core's process: one start of Python less
            "TORCHDYNAMO_DISABLE": "1",  # nothing is compiled: that would stall every stream, and need a compiler
            "OMP_NUM_THREADS": str(options.threads),
            "OMP_WAIT_POLICY": "passive",  # threads sleep between steps instead of starving their neighbours
        }
    forced = {
        "HF_HUB_OFFLINE": "1",  # the model lies on disk before the engine starts
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_RPC_BASE_PATH": str(sockets_path(home)),  # its inner sockets: in the run directory as well, not in /tmp
        "SPT_NOENV": "1",  # else a process that changes its title wipes out the mark
    }
    libraries = [str(Path(sys.prefix, "libraries")), own.get("LD_LIBRARY_PATH", "")]  # see jarvis/launch/install.py
    forced["LD_LIBRARY_PATH"] = ":".join(filter(None, libraries))
    if not options.telemetry:
        forced |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return defaults | passed | forced


def gpu_share(options: Options) -> float:
    """The share of each GPU's memory that the engine will take."""
    given = argument_value(options.extra, "--gpu-memory-utilization")
    return float(given) if given else options.memory


def count_gpus(options: Options) -> int:
    """How many GPUs the engine takes."""
    tensor = max(argument_number(options.extra, "--tensor-parallel-size", 1), argument_number(options.extra, "-tp", 1))
    return tensor * max(
        argument_number(options.extra, "--pipeline-parallel-size", 1), argument_number(options.extra, "-pp", 1)
    )


def fingerprint(model: ModelFolder, line: list[str], variables: Mapping[str, str], version: str) -> str:
    """Equal for two engines that can stand in for each other."""
    counted = {k: v for k, v in variables.items() if k.startswith(PASSED_PREFIXES)}
    return sha256(json.dumps([model.fingerprint, line, sorted(counted.items()), version]).encode()).hexdigest()


def count_threads(model: ModelFolder, cores: int) -> int:
    """One for a small model: on a busy machine two threads wait for each other more than they work."""
    return 1 if model.weight_bytes < MAX_FLOAT32_WEIGHT_BYTES else max(1, cores - 1)


def usable_cores() -> int:
    return len(os.sched_getaffinity(0))
