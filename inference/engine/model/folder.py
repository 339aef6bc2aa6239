"""The model that an engine is to serve: what it is called, where it lies, what its files say."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from inference.engine.errors import EngineError
from inference.engine.model.check import explain_no_model, explain_unreadable, refuse_pointers

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
        try:
            fault = self._find_fault()
        except OSError as error:
            raise explain_unreadable(self.folder, error) from error
        if fault:
            raise EngineError(fault, permanent=True)

    def _find_fault(self) -> str:
        if not self.folder.exists():
            return f"There is no folder {self.folder}; set JARVIS_MODEL to a model."
        if not self.folder.is_dir():
            return f"{self.folder} is a file; set JARVIS_MODEL to the folder of a model in safetensors form."
        next(self.folder.iterdir(), None)  # raises where there is no reading it
        return "" if (self.folder / "config.json").is_file() else explain_no_model(self.folder)

    @cached_property
    def config(self) -> dict[str, Any]:
        path = self.folder / "config.json"
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            refuse_pointers(self.folder, [path])
            raise EngineError(f"{path} is not JSON ({error}).", permanent=True) from error
        except OSError as error:
            raise explain_unreadable(self.folder, error) from error
        if not isinstance(found, dict):
            raise EngineError(f"{path} is no configuration of a model.", permanent=True)
        return found

    @property
    def weight_bytes(self) -> int:
        """Size of the weights on disk."""
        return sum(file.stat().st_size for file in self.folder.glob("*.safetensors") if file.is_file())

    @cached_property
    def template(self) -> str:
        """The chat template, empty where there is none."""
        if (file := self.folder / "chat_template.jinja").is_file():
            return file.read_text(errors="replace")
        try:
            found = json.loads((self.folder / "tokenizer_config.json").read_bytes()).get("chat_template", "")
        except (FileNotFoundError, ValueError, AttributeError):
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
