"""The mail server that `JARVIS_EMAIL_URL` names."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

Tls = Literal["from the start", "upgraded", "none"]

SCHEMES: dict[str, tuple[int, Tls]] = {
    "smtp": (587, "upgraded"),
    "smtps": (465, "from the start"),
    "smtp+plain": (25, "none"),
}


@dataclass(frozen=True)
class MailServer:
    host: str
    port: int
    user: str
    password: str
    tls: Tls


def parse_mail_url(url: str) -> MailServer:
    """`smtp://` begins in the clear and has to become TLS, `smtps://` is TLS, `smtp+plain://` is neither."""
    parts = urlsplit(url)
    port, tls = SCHEMES[parts.scheme]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.hostname or "localhost", parts.port or port, user, password, tls)
