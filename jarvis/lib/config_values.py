"""How values of the configuration are read, and what is wrong with those that cannot be."""

from typing import Any
from urllib.parse import SplitResult, urlsplit

MIN_KEY_CHARS, MAX_KEY_CHARS = 16, 256  # characters of a key in the environment
ENCODED = "in a password, / ? # @ are written %2F %3F %23 %40"


def split_names(value: Any) -> Any:
    """Words that are separated by commas, as a tuple."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def parse_url(value: str) -> SplitResult:
    """The parts of an address. Raises ValueError with what is wrong with it; its words may be secret, and stay out."""
    if any(sign.isspace() for sign in value):
        raise ValueError("must not have a blank in it")
    parts = urlsplit(value)
    if parts.fragment:
        raise ValueError(f"has a # in it; {ENCODED}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"has no port up to 65535; {ENCODED}") from None
    return parts


def check_postgres(value: str) -> None:
    """Raises ValueError for an address that Postgres's own library would not read as it was meant."""
    from psycopg import ProgrammingError  # loaded only where there is such an address
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = conninfo_to_dict(value)
    except ProgrammingError:
        raise ValueError(f"cannot be read; {ENCODED}") from None
    ports = str(found.get("port") or "").split(",")
    ambiguous = value.partition("?")[0].count("@") > 1  # a password with @ and / in it: its end would be the host
    if ambiguous or "@" in str(found.get("host")) or not all(port.isdigit() for port in ports if port):
        raise ValueError(f"cannot be read; {ENCODED}")


def find_key_fault(key: str) -> str:
    """What is wrong with an API key that somebody thought of; empty where nothing is."""
    if not MIN_KEY_CHARS <= len(key) <= MAX_KEY_CHARS:
        return f"each must have {MIN_KEY_CHARS} to {MAX_KEY_CHARS} characters, so that nobody guesses it"
    return "" if all("!" <= sign <= "~" for sign in key) else "each must be of plain letters, digits and signs"
