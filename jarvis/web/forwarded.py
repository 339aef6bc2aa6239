"""Behind HTTPS (`JARVIS_SECURE`): whether a request came with TLS, which a proxy ended and tells in a header."""

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import Any

import structlog

log = structlog.get_logger(__name__)

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
USUAL_PORTS = (b":80", b":443")  # some proxies append their own to Host, and a redirect would lead there


class Forwarded:
    """An ASGI application that finds in `scope["scheme"]` how the client came, not how the proxy did.

    A proxy that says nothing is taken at the word of `JARVIS_SECURE`: pages are redirected only where it says that the
    client came without TLS. Without the header a redirect would lead to the same address again, for ever.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        scheme = client_scheme(scope["headers"])
        if not scheme and not scope["path"].startswith("/health"):
            warn_once()
        scheme = scheme or "https"
        if scope["type"] == "websocket":
            scheme = scheme.replace("http", "ws")
        headers = [(name, drop_usual_port(value) if name == b"host" else value) for name, value in scope["headers"]]
        await self.app({**scope, "scheme": scheme, "headers": headers}, receive, send)


def client_scheme(headers: Headers) -> str:
    """`https` or `http`, as the first proxy says in `X-Forwarded-Proto` or `Forwarded`; empty where none does."""
    named = {name.lower(): value.decode("latin1").lower() for name, value in headers}
    first = named.get(b"x-forwarded-proto", "").partition(",")[0].strip()
    if not first:
        pairs = named.get(b"forwarded", "").partition(",")[0].split(";")
        first = dict(pair.strip().partition("=")[::2] for pair in pairs).get("proto", "").strip('"')
    return SCHEMES.get(first, "")


def drop_usual_port(host: bytes) -> bytes:
    for port in USUAL_PORTS:
        host = host.removesuffix(port)
    return host


@cache
def warn_once() -> None:
    log.warning("proxy.scheme_missing", header="X-Forwarded-Proto", variable="JARVIS_SECURE")
