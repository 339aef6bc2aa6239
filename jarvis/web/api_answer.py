"""The last step of an answer of the API: headers that all have, the length of the body, and gzip where it helps.

Streams pass untouched: an event has to leave when it is made, and a compressor would hold it back.
"""

import asyncio
import zlib
from typing import Any

from django.http import HttpRequest, HttpResponse

MIN_COMPRESSED_BYTES = 500  # bytes; below, the headers weigh more than what is saved
MIN_THOROUGH_BYTES = 16 * 1024  # bytes from which on a better compression pays for its 60 µs of setting up
MIN_THREAD_BYTES = 64 * 1024  # bytes from which on it would hold up everybody's tokens
GZIP = 31  # zlib's way to say gzip with the largest window

# What the API says is for one caller alone, and is what its content type says that it is.
PRIVATE_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_private = tuple((name.encode(), value.encode()) for name, value in PRIVATE_HEADERS.items())


async def send_whole(request: HttpRequest, response: HttpResponse, send: Any) -> None:
    """Send a response that is no stream, compressed where the client takes that; for HEAD all but its body."""
    body = response.content
    headers = [(name.lower().encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    headers += _private
    if len(body) >= MIN_COMPRESSED_BYTES:
        headers.append((b"vary", b"accept-encoding"))
        if accepts_gzip(request.META.get("HTTP_ACCEPT_ENCODING", "")):
            body = compress(body) if len(body) < MIN_THREAD_BYTES else await asyncio.to_thread(compress, body)
            headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})


def compress(body: bytes) -> bytes:
    """gzip; a small body with small tables, since filling larger ones would take longer than all else."""
    level, memory = (1, 5) if len(body) < MIN_THOROUGH_BYTES else (5, 8)
    packer = zlib.compressobj(level, zlib.DEFLATED, GZIP, memory)
    return packer.compress(body) + packer.flush()


def accepts_gzip(header: str) -> bool:
    """Whether `Accept-Encoding` names gzip, or everything, with a weight above 0 (RFC 9110, 12.5.3)."""
    weights = {}
    for item in header.lower().split(","):
        name, _, weight = item.replace(" ", "").replace("\t", "").partition(";q=")
        weights[name] = weight.strip("0.") != "" if weight else True
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))
