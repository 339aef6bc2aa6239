"""The model that an engine is to serve: what it is called, where it lies, what its files say."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from inference.engine.errors import EngineError

GUIDE = Path(__file__).resolve().parents[2] / "guide" / "model"

# Families whose tool calls and reasoning vLLM can take apart: model_type -> (tool parser, reasoning parser).
PARSERS = {
    "qwen2": ("hermes", ""),
    "qwen3": ("hermes", "qwen3"),
    "qwen3_moe": ("hermes", "qwen3"),
    "llama": ("llama3_json", ""),
    "llama4": ("llama4_pythonic", ""),
    "mistral": ("mistral", ""),
    "mistral3": ("mistral", ""),
    "gpt_oss": ("openai", "openai_gptoss"),
}


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk, under the name by which people ask for it. Raises EngineError where the folder is no model."""

    name: str
    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise EngineError(f"There is no folder {self.folder}; set JARVIS_MODEL to a model.", permanent=True)
        if not (self.folder / "config.json").is_file():
            raise EngineError(
                f"{self.folder} has no config.json, so it is no model; correct JARVIS_MODEL.", permanent=True
            )

    @cached_property
    def config(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / "config.json").read_bytes()))
        except ValueError as error:
            raise EngineError(f"{self.folder}/config.json is not JSON ({error}).", permanent=True) from error

    @property
    def weight_bytes(self) -> int:
        """Size of the weights on disk."""
        return sum(file.stat().st_size for file in self.folder.glob("*.safetensors"))

    @cached_property
    def template(self) -> str:
        """The chat template, empty where there is none."""
        if (file := self.folder / "chat_template.jinja").is_file():
            return file.read_text()
        try:
            found = json.loads((self.folder / "tokenizer_config.json").read_bytes()).get("chat_template", "")
        except (FileNotFoundError, ValueError):
            return ""
        return found if isinstance(found, str) else json.dumps(found)

    @property
    def parsers(self) -> tuple[str, str]:
        """vLLM's names for the model's way of calling tools and of reasoning; empty where it has none."""
        tools, reasoning = PARSERS.get(str(self.config.get("model_type")), ("", ""))
        return tools if "tools" in self.template else "", reasoning if "think" in self.template else ""

    @property
    def fingerprint(self) -> list[Any]:
        """Changes when the model's files do."""
        files = sorted(file for file in self.folder.iterdir() if file.is_file())
        return [str(self.folder), *((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)]


def is_folder(model: str) -> bool:
    """Whether JARVIS_MODEL names something on this machine, not on the hub."""
    return model == "guide" or model.startswith(("/", "./", "../", "~")) or Path(model).is_dir()


def find_local_model(model: str, name: str) -> ModelFolder:
    """The built-in guide, or a folder."""
    return ModelFolder(name, GUIDE if model == "guide" else Path(model).expanduser().resolve())
