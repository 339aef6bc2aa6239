"""The one typed place for configuration: `.env` and the environment, prefix `JARVIS_`.

`from jarvis.lib.config import config` gives the frozen object. A wrong value stops the start
with one line that names the variable, what is wrong with it and what is allowed.
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import AliasChoices, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from jarvis.lib.config_sections import (
    BASE,
    MAX_SYSTEM_PROMPT_CHARS,
    AccountsSection,
    ChatSection,
    EngineSection,
    LedgerSection,
    LimitsSection,
    LogsSection,
    ModelSection,
    QueueSection,
    StorageSection,
    WebSection,
)
from jarvis.lib.env_file import read_env_file
from jarvis.lib.users import user_name

__all__ = ["BASE", "MAX_SYSTEM_PROMPT_CHARS", "Config", "config", "load_config", "variable_name"]

ENV_FILE = BASE / ".env"
MAX_SOCKET_PATH_BYTES = 107  # bytes; sun_path of a unix socket on Linux

SECRET_FIELDS = (  # never shown
    "database_url",
    "redis_url",
    "secret_key",
    "api_keys",
    "email_url",
    "oidc_client_secret",
    "engine_api_key",
    "hf_token",
)


class Config(
    LogsSection,
    EngineSection,
    ModelSection,
    LedgerSection,
    QueueSection,
    ChatSection,
    LimitsSection,
    AccountsSection,
    WebSection,
    StorageSection,
    BaseSettings,
):
    """All sections in one object: `config.web_port`, `config.queue_limit`."""

    model_config = SettingsConfigDict(
        env_prefix="JARVIS_",
        env_file=os.environ.get("JARVIS_ENV_FILE") or ENV_FILE,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,  # compose writes JARVIS_WEB_PORT= where ${X:-} has no value
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        defer_build=False,
    )

    @cached_property
    def run_dir(self) -> Path:
        """Folder of sockets and pid files, mode 0700; apart from var/ where its path is too long for a socket."""
        folder = self.var.resolve() / "run"
        if len(bytes(folder)) > MAX_SOCKET_PATH_BYTES - len("/engine/") - 36:
            base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
            folder = Path(base) / f"jarvis-{os.getuid()}-{sha256(bytes(folder)).hexdigest()[:12]}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = folder.stat().st_uid
        except OSError as error:
            sys.exit(f"{error.filename or folder}: {error.strerror}. Mend that, or set JARVIS_VAR to another folder.")
        if owner != os.getuid():
            name = user_name(owner)
            sys.exit(
                f"{folder} belongs to {name}, and you are {user_name(os.getuid())}. "
                f"Do this as {name} (sudo -u {name} …), or set JARVIS_VAR to a folder of your own."
            )
        folder.chmod(0o700)
        return folder

    @property
    def model_name(self) -> str:
        """What people and scripts call the model: a hub id as it is, of a folder its name."""
        return self.model.rstrip("/").rpartition("/")[2] if self.model.startswith(("/", ".", "~")) else self.model

    @property
    def postgres(self) -> str:
        """Address of Postgres: the given one, or the embedded server's socket."""
        return self.database_url or f"postgresql://jarvis@/jarvis?host={quote(str(self.run_dir))}/postgres"

    @property
    def redis(self) -> str:
        """Address of Redis: the given one, or the embedded server's socket."""
        return self.redis_url or f"unix://{quote(str(self.run_dir))}/redis.sock"


def variable_name(field: str) -> str:
    """The environment variable that sets a field."""
    alias = Config.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"JARVIS_{field.upper()}"


def explain_errors(error: ValidationError) -> list[str]:
    """A line for each: the variable, its fault, what is allowed."""
    return [explain_error(fault) for fault in error.errors()]


def explain_error(fault: ErrorDetails) -> str:
    field = str(fault["loc"][0])
    name = next((variable_name(f) for f in Config.model_fields if field in (f, variable_name(f))), field)
    known = next((Config.model_fields[f] for f in Config.model_fields if variable_name(f) == name), None)
    hidden = known is None or name in {variable_name(f) for f in SECRET_FIELDS}
    shown = "" if hidden else f" is {fault['input']!r}"
    message = fault["msg"].removeprefix("Value error, ")
    about = f" {known.description}" if known is not None else ""
    return f"{name}{shown}: {message[0].lower()}{message[1:]}.{about}"


def load_config() -> Config:
    """Read the configuration, or end the process with a line for each thing that is to be changed.

    What `.env` holds for others (the engine, the hub's client) goes into the environment, where they look for it.
    """
    chosen = os.environ.get("JARVIS_ENV_FILE")
    path = Path(chosen or ENV_FILE)
    file = read_env_file(path, TEXT_NAMES, required=bool(chosen))
    faults = [*file.faults, *find_unknown_names(file.places)]
    found = None
    try:
        prompt = os.environ.get("JARVIS_SYSTEM_PROMPT", file.values.get("JARVIS_SYSTEM_PROMPT"))
        fixed: dict[str, Any] = (
            {"system_prompt": ""} if prompt == "" else {}
        )  # for every other name, empty means the default
        found = Config(_env_file=path, **fixed)
    except ValidationError as error:
        faults += explain_errors(error)
    except (OSError, UnicodeError):  # of the file, which is told already
        pass
    if found is None or faults:
        sys.exit("Jarvis cannot start. " + "\n".join(faults))
    for name, value in file.values.items():
        if not is_own_name(name):
            os.environ.setdefault(name, value)
    return found


def is_own_name(name: str) -> bool:
    return name.upper().startswith("JARVIS_") or name.upper() in NAMES


def find_unknown_names(places: Mapping[str, str]) -> list[str]:
    """A sentence for each name of the file that looks like one of ours, and is none."""
    unknown = {name: place for name, place in places.items() if is_own_name(name) and name.upper() not in NAMES}
    return [f"{name} ({place}) {describe_unknown(name)}" for name, place in unknown.items()]


def find_warnings() -> list[str]:
    """A sentence for each variable of the environment that looks like one of ours, and does nothing."""
    strange = [name for name in os.environ if name.startswith("JARVIS_") and name not in NAMES | INTERNAL_NAMES]
    return [f"{name} {describe_unknown(name)}" for name in sorted(strange) if not SERVICE_LINK.match(name)]


def describe_unknown(name: str) -> str:
    close = get_close_matches(name.upper(), NAMES, n=1, cutoff=0.75)
    return f"is no setting. {f'Is {close[0]} meant?' if close else '.env.example lists all of them.'}"


NAMES = frozenset(
    name.upper()
    for field, info in Config.model_fields.items()
    for name in (
        info.validation_alias.choices if isinstance(info.validation_alias, AliasChoices) else [f"JARVIS_{field}"]
    )
    if isinstance(name, str)
)
FREE_TEXTS = ("system_prompt", "oidc_name", "email_from", "engine_args", "engine_command")
TEXT_NAMES = frozenset(variable_name(name) for name in (*FREE_TEXTS, *SECRET_FIELDS))  # a # in them may be meant
INTERNAL_NAMES = frozenset({"JARVIS_ENV_FILE", "JARVIS_ENGINE_HOME", "JARVIS_ENGINE_TOKEN"})
SERVICE_LINK = re.compile(r"JARVIS_(SERVICE_|PORT(_\d|$))")  # what Kubernetes tells of a service named jarvis

config = load_config()
