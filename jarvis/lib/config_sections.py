"""The variables of the configuration, by what they are about: each with its default, its range and a sentence.

`jarvis.lib.config.Config` is all of them together; `.env.example` shows them in this order.
"""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from jarvis.lib.config_values import check_postgres, find_key_fault, parse_url, split_names
from jarvis.lib.hosts import LOOPBACK_NAMES, find_host_fault, is_ipv6

BASE = Path(__file__).resolve().parents[2]

MAX_SYSTEM_PROMPT_CHARS = 20_000  # of the site's, a person's and a conversation's
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.I)


Port = Annotated[int, Field(ge=1, le=65535)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)]


class Section(BaseModel):
    """One group of variables. Only all of them together are ever made, so that no section needs a validator built."""

    model_config = ConfigDict(defer_build=True)


class StorageSection(Section):
    """Where things lie"""

    var: Path = Field(
        BASE / "var", description="Folder for everything that Jarvis writes: data, sockets, logs, models."
    )
    database_url: str = Field(
        "",
        validation_alias=AliasChoices("DATABASE_URL", "JARVIS_DATABASE_URL"),
        description="Postgres with pgvector, as postgresql://user:password@host/name. Empty: `make run` starts one.",
    )
    redis_url: str = Field(
        "",
        validation_alias=AliasChoices("REDIS_URL", "JARVIS_REDIS_URL"),
        description="Redis 6.2+, as redis://host:6379/0 or unix:///path. Empty: `make run` starts its own.",
    )

    @field_validator("database_url")
    @classmethod
    def is_postgres(cls, value: str) -> str:
        if value and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        if value:
            check_postgres(value)
        return value

    @field_validator("redis_url")
    @classmethod
    def is_redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        parts = parse_url(value)
        if value and (not value.startswith("unix:///") if parts.scheme == "unix" else not parts.hostname):
            raise ValueError("must name a host or, with unix://, a path that begins with /")
        return value


class WebSection(Section):
    """Web"""

    web_host: str = Field("127.0.0.1", description="Address that the web server listens on; 0.0.0.0 for every network.")
    web_port: Port = Field(8090, description="Port of the web server.")
    web_processes: int = Field(2, ge=1, le=64, description="Web processes behind the one port.")
    web_server: Literal["daphne", "uvicorn", "granian"] = Field("uvicorn", description="ASGI server.")
    allowed_hosts: Names = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="Host names under which the page is reached, separated by commas; any other gets 400.",
    )
    trusted_origins: Names = Field(
        (),
        description="More addresses under which people open the page, as https://jarvis.example.com or "
        "https://*.example.com, by commas: for a proxy that changes Host.",
    )
    cors_origins: Names = Field(
        (),
        description="Sites whose pages may call the API by key, as https://app.example.com, by commas; * for any.",
    )
    trusted_proxies: Names = Field(
        (),
        description="Proxies in front whose X-Forwarded-For is believed: addresses, networks, or `unix` for sockets.",
    )
    secret_key: str = Field("", description="Signs sessions, 50 or more characters. Empty: made once and kept in var/.")
    secure: bool = Field(False, description="True behind HTTPS: secure cookies, HSTS, redirects.")
    max_body_bytes: int = Field(4_000_000, ge=10_000, le=500_000_000, description="Largest request body accepted.")
    web_request_seconds: int = Field(
        30,
        ge=1,
        le=3600,
        description="Seconds in which a request's head, and then its body, must come; one more for each 64 KiB of it.",
    )

    @field_validator("web_host")
    @classmethod
    def is_listening_address(cls, value: str) -> str:
        if is_ipv6(value):
            return value
        if value.startswith(("*", ".", "[")) or find_host_fault(value):
            raise ValueError("must be one address without a port, such as 127.0.0.1; 0.0.0.0 is every network")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if fault := find_host_fault(word):
                raise ValueError(fault)
        return value

    @field_validator("cors_origins")
    @classmethod
    def are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if word != "*" and not ORIGIN.fullmatch(word):
                raise ValueError(f"{word!r} is no origin such as https://app.example.com: no path, no final slash")
        return tuple(word.lower() for word in value)

    @field_validator("trusted_origins")
    @classmethod
    def are_page_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if not ORIGIN.fullmatch(word.replace("://*.", "://", 1)):
                raise ValueError(f"{word!r} is no origin such as https://jarvis.example.com: no path, no final slash")
        return tuple(word.lower() for word in value)

    @field_validator("trusted_proxies")
    @classmethod
    def are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                if word != "unix":
                    ip_network(word, strict=False)
            except ValueError:
                raise ValueError(f"{word!r} is no address such as 10.0.0.1, no network such as 10.0.0.0/8") from None
        return value

    @field_validator("secret_key")
    @classmethod
    def is_long(cls, value: str) -> str:
        if value and len(value) < 50:
            raise ValueError("must have at least 50 characters, or be empty")
        return value


class AccountsSection(Section):
    """Accounts"""

    signup: Literal["closed", "invitation", "open"] = Field(
        "closed",
        description="Who makes accounts. closed: administrators; invitation: who has a link of theirs; open: anybody.",
    )
    email_url: str = Field(
        "",
        description="Mail server for password resets, as smtp://user:password@host:587 or smtps://… Empty: none.",
    )
    email_from: str = Field("jarvis@localhost", description="Sender of e-mails.")
    oidc_server_url: str = Field(
        "", description="Sign-in by OpenID Connect: the provider's address, such as https://id.example.com. Empty: off."
    )
    oidc_client_id: str = Field("", description="Name under which the provider knows Jarvis.", validate_default=True)
    oidc_client_secret: str = Field("", description="Secret that the provider gave for it.", validate_default=True)
    oidc_name: str = Field("Single sign-on", max_length=40, description="The provider's name, on the sign-in button.")
    oidc_signup: bool = Field(False, description="True makes an account for whoever the provider lets in.")
    oidc_match_email: bool = Field(
        False, description="True signs in to the account with the same e-mail, where the provider has verified it."
    )
    api_keys: Names = Field(
        (), description="API keys for a small set-up without accounts, 16 or more characters each, by commas."
    )
    allow_anonymous: bool = Field(False, description="True lets anyone who reaches the port use the API without a key.")

    @field_validator("email_url")
    @classmethod
    def is_smtp(cls, value: str) -> str:
        if value and not value.startswith(("smtp://", "smtps://", "smtp+plain://")):
            raise ValueError("must start with smtp://, smtps:// or smtp+plain:// (no encryption)")
        if value:
            parse_url(value)
        return value

    @field_validator("oidc_server_url")
    @classmethod
    def is_secure(cls, value: str) -> str:
        parts = parse_url(value)
        if value and parts.scheme != "https" and parts.hostname not in LOOPBACK_NAMES:
            raise ValueError("must start with https://")
        if value and not parts.hostname:
            raise ValueError("must name a host")
        return value

    @field_validator("api_keys")
    @classmethod
    def are_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            if fault := find_key_fault(key):
                raise ValueError(fault)
        return value

    @field_validator("oidc_client_id", "oidc_client_secret")
    @classmethod
    def is_there(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("oidc_server_url") and not value:
            raise ValueError("must be set where JARVIS_OIDC_SERVER_URL is")
        return value


class LimitsSection(Section):
    """Limits; those of a key, an account or a group go before the site's"""

    web_rate_limit_requests: int = Field(
        10, ge=0, description="Calls for an answer in any minute for each user, by page and API together; 0: no limit."
    )
    web_rate_limit_address: int = Field(
        120, ge=0, description="The same for each address, whoever calls from there; 0: no limit."
    )
    web_rate_limit_tokens: int = Field(
        0, ge=0, description="Tokens in any minute for each user, of questions and answers; 0: no limit."
    )
    web_rate_limit_parallel: int = Field(
        0, ge=0, description="Calls at a time for each user, waiting ones included; 0: no limit."
    )
    web_rate_limit_pages: int = Field(
        600, ge=0, description="Pages in a minute for each user, or address without one; 0: no limit."
    )
    web_rate_limit_searches: int = Field(
        120, ge=0, description="Searches in conversations in a minute for each user; 0: no limit."
    )
    web_rate_limit_files: int = Field(
        10, ge=0, description="Exports and imports of conversations in a minute for each user; 0: no limit."
    )
    monthly_tokens: int = Field(0, ge=0, description="Tokens in a calendar month (UTC) for each user; 0: no limit.")


class ChatSection(Section):
    """Chat"""

    max_message_chars: int = Field(5000, ge=1, le=1_000_000, description="Longest message, in characters.")
    system_prompt: str = Field(
        "You are Jarvis, a helpful assistant.",
        max_length=MAX_SYSTEM_PROMPT_CHARS,
        description="Site-wide prompt; empty: none.",
    )
    titles: Literal["auto", "off"] = Field(
        "auto", description="auto: the model names conversations after its first answer (the guide does not)."
    )
    import_bytes: int = Field(
        100_000_000, ge=100_000, le=2_000_000_000, description="Largest file of conversations that is imported."
    )


class QueueSection(Section):
    """Queue"""

    queue_limit: int = Field(1000, ge=1, description="Generations waiting at most; beyond that new ones get 503.")
    queue_limit_per_user: int = Field(100, ge=1, description="The same for each user; beyond that new ones get 429.")
    lease_seconds: float = Field(6.0, ge=0.5, le=600, description="A worker not heard of for so long loses its work.")
    model_wait_seconds: float = Field(
        120.0,
        ge=0,
        le=86_400,
        description="So long a model that is started again after it was ready takes calls into the queue; then 503.",
    )
    drain_seconds: float = Field(20.0, ge=0, le=3600, description="Time that a stopping worker gives running answers.")
    max_answer_tokens: int = Field(
        0, ge=0, description="Longest answer, in tokens. 0: as long as the model's context allows."
    )
    log_seconds: int = Field(600, ge=10, le=86_400, description="A finished answer's token log stays in Redis so long.")


class LedgerSection(Section):
    """Ledger"""

    currency: str = Field(
        "USD", pattern="^[A-Z]{3}$", description="Currency of the models' prices, as its three letters."
    )
    retention_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days after which the words of calls outside of conversations go; figures stay. 0: never.",
    )
    retention_conversations_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days after the last message when a conversation goes, also a pinned or shared one. 0: never.",
    )


class ModelSection(Section):
    """Model"""

    model: str = Field(
        "guide", min_length=1, description="`guide` (built in), a hub id such as Qwen/Qwen3-8B, or a folder."
    )
    hf_token: str = Field("", validation_alias=AliasChoices("HF_TOKEN", "JARVIS_HF_TOKEN"), description="Hub token.")


class EngineSection(Section):
    """Engine"""

    engine_url: str = Field("", description="OpenAI-compatible server to relay to instead of holding vLLM.")
    engine_api_key: str = Field("", description="Bearer key that the server at JARVIS_ENGINE_URL wants.")
    engine_slots: int = Field(0, ge=0, le=4096, description="Generations that run at once; 0: what the engine can.")
    engine_args: str = Field("", description="More arguments for vLLM's server, as on its command line.")
    engine_command: str = Field(
        "",
        description="Program to start in the place of vLLM's server, with its arguments: a wrapper of it, for example.",
    )
    engine_stall_seconds: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="An engine that has work and does nothing for so long is started again. 0: never.",
    )
    auto_cleanup_gpu: bool = Field(False, description="True ends engines of dead workers that cannot be used again.")
    engine_memory: float = Field(0.9, ge=0.05, le=0.99, description="Share of each GPU's memory that the engine takes.")
    engine_network: bool = Field(
        False, description="True leaves the engine the network where it would have none (CPU)."
    )
    engine_trust_remote_code: bool = Field(False, description="True runs code that comes with a model. A risk.")
    engine_telemetry: bool = Field(False, description="True lets vLLM send its usage statistics to its makers.")

    @field_validator("engine_url")
    @classmethod
    def is_http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        if value and not parse_url(value).hostname:
            raise ValueError("must name a host")
        return value.rstrip("/").removesuffix("/v1")


class LogsSection(Section):
    """Logs"""

    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: text on a terminal, else JSON lines."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is written.")


SECTIONS: tuple[type[Section], ...] = (
    StorageSection,
    WebSection,
    AccountsSection,
    LimitsSection,
    ChatSection,
    QueueSection,
    LedgerSection,
    ModelSection,
    EngineSection,
    LogsSection,
)
