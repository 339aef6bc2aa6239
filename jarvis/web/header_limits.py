"""How much a request may carry in its headers. Beyond that it is answered with 431, whatever the web server takes."""

from collections.abc import Mapping
from typing import Any

MAX_HEADER_BYTES = 32 * 1024  # bytes of all headers: eight kilobytes of cookies are usual, and a key has 256 at most
MAX_HEADERS = 200  # headers


def are_too_large(scope: Mapping[str, Any]) -> bool:
    headers = scope["headers"]
    return len(headers) > MAX_HEADERS or sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEADER_BYTES
