"""Pages of other sites that may call the API: those of the origins in `JARVIS_CORS_ORIGINS`, by key, never by cookie.

Around the API's short stack and Django's alike. Answers never have `Access-Control-Allow-Credentials`: a page elsewhere
uses a key of its own, and whoever is signed in here cannot be acted for.
"""

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

OPEN_PREFIXES = ("/v1/", "/api/", "/health")  # pages and the admin are nobody else's business
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
WORD = re.compile(rb"[A-Za-z0-9-]{1,100}")
MAX_REQUESTED_HEADERS = 60  # the official SDK sends about ten of its own
PREFLIGHT_SECONDS = 600  # for which a browser need not ask again
EXPOSED_HEADERS = ", ".join(
    [
        "x-request-id",
        *(f"x-ratelimit-{what}-{of}" for of in ("requests", "tokens") for what in ("limit", "remaining", "reset")),
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "openai-processing-ms",
    ]
).encode()


class Cors:
    """An ASGI application of HTTP, opened to pages of some origins; `*` is any."""

    def __init__(self, app: App, origins: Collection[str]) -> None:
        self.app = app
        self.origins = {origin.encode() for origin in origins}
        self.any = "*" in origins

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not self.origins or not scope["path"].startswith(OPEN_PREFIXES):
            await self.app(scope, receive, send)
            return
        asked = dict(scope["headers"])  # names are in lower case
        origin = asked.get(b"origin", b"")
        welcome = self.any or origin in self.origins
        headers = [(b"vary", b"origin")]  # also for strangers, so that no cache hands one's answer to another
        if welcome and origin:
            headers.append((b"access-control-allow-origin", b"*" if self.any else origin))
        if origin and scope["method"] == "OPTIONS" and b"access-control-request-method" in asked:
            if welcome:
                headers += preflight_headers(asked.get(b"access-control-request-headers", b""))
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body"})
            return
        if welcome and origin:
            headers.append((b"access-control-expose-headers", EXPOSED_HEADERS))

        async def send_with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


def preflight_headers(asked: bytes) -> list[tuple[bytes, bytes]]:
    """What a browser may send after it has asked: any method, and the headers that it asked for."""
    words = [word.strip() for word in asked.split(b",")][:MAX_REQUESTED_HEADERS]
    allowed = b", ".join(word for word in words if WORD.fullmatch(word))
    headers = [(b"access-control-allow-methods", METHODS), (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS)]
    return [*headers, (b"access-control-allow-headers", allowed)] if allowed else headers
