"""The one typed place for configuration: `.env` and the environment, prefix `JARVIS_`.

`from jarvis.lib.config import config` gives the frozen object. A wrong value stops the start
with one line that names the variable, what is wrong with it and what is allowed.
"""

import os
import sys
import tempfile
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from pydantic import AliasChoices, ValidationError
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

__all__ = ["BASE", "MAX_SYSTEM_PROMPT_CHARS", "Config", "config", "load_config", "variable_name"]

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
        env_file=os.environ.get("JARVIS_ENV_FILE", BASE / ".env"),
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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user; remove it or set JARVIS_VAR to a shorter path.")
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


def explain_error(error: ValidationError) -> str:
    """One line: the variable, its fault, what is allowed."""
    first = error.errors()[0]
    field = str(first["loc"][0])
    name = next((variable_name(f) for f in Config.model_fields if field in (f, variable_name(f))), field)
    known = next((Config.model_fields[f] for f in Config.model_fields if variable_name(f) == name), None)
    hidden = known is None or name in {variable_name(f) for f in SECRET_FIELDS}
    shown = "" if hidden else f" is {first['input']!r}"
    message = first["msg"].removeprefix("Value error, ")
    about = f" {known.description}" if known is not None else ""
    return f"{name}{shown}: {message[0].lower()}{message[1:]}.{about}"


def load_config() -> Config:
    """Read the configuration, or end the process with the one line that says what to change."""
    try:
        return Config()
    except ValidationError as error:
        sys.exit(f"Jarvis cannot start. {explain_error(error)}")


config = load_config()
