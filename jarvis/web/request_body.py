"""Bodies of requests: read within their limit, and unpacked where a client has compressed them.

Around both stacks, so that neither needs to know of it.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestAborted

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError

Receive = Callable[[], Awaitable[Any]]

GZIP, ZLIB, BARE = 31, 15, -15  # the formats, as zlib numbers them
TAKEN = "gzip, deflate"  # what `Accept-Encoding` says in answers to others
MAX_CODINGS = 2  # codings, one around the other
MAX_MEMBERS = 16  # gzip files one behind the other in one body: each costs a copy of the rest
MIN_THREAD_BYTES = 64 * 1024  # bytes from which on unpacking would hold up everybody's tokens


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises ApiError 413 as soon as it is too large, RequestAborted where the client leaves."""
    limit, parts, size = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise api_errors.request_too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)


def list_codings(scope: dict[str, Any]) -> list[str]:
    """What `Content-Encoding` says was done to the body, first to last; empty where nothing was."""
    found = []
    for name, value in scope["headers"]:
        if name == b"content-encoding":
            found += [coding.strip() for coding in value.decode("latin1").lower().split(",")]
    return [coding for coding in found if coding not in ("", "identity")] if found else found


async def unpack_request(scope: dict[str, Any], receive: Receive, codings: list[str]) -> tuple[dict[str, Any], Receive]:
    """The same request as if its body had come unpacked. Raises ApiError 400, 413 or 415."""
    body = await read_body(receive)
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if len(body) < MIN_THREAD_BYTES:
        body = unpack(body, codings, limit)
    else:
        body = await asyncio.to_thread(unpack, body, codings, limit)
    gone = (b"content-encoding", b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in scope["headers"] if name not in gone]
    whole: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_unpacked() -> Any:
        return whole.pop() if whole else await receive()

    return {**scope, "headers": [*headers, (b"content-length", b"%d" % len(body))]}, receive_unpacked


def unpack(body: bytes, codings: list[str], limit: int) -> bytes:
    """The body without its codings, the last of which was put on last. Raises ApiError."""
    if not body:
        return body
    if len(codings) > MAX_CODINGS:
        raise refuse_coding(", ".join(codings))
    for coding in reversed(codings):
        try:
            if coding in ("gzip", "x-gzip"):
                body = inflate(body, GZIP, limit)
            elif coding == "deflate":  # some clients leave out the frame that the standard wants around it
                body = inflate(body, ZLIB if body[:1] and body[0] & 15 == 8 else BARE, limit)
            else:
                raise refuse_coding(coding)
        except zlib.error:
            advice = "Compress it again, or send it as it is and leave the header out."
            raise api_errors.invalid_request(
                f"The body is not what `Content-Encoding: {coding}` says. {advice}", "Content-Encoding"
            ) from None
    return body


def inflate(body: bytes, kind: int, limit: int) -> bytes:
    """What was compressed. Raises zlib.error where it is broken or cut short, ApiError 413 beyond the limit."""
    parts, size = [], 0
    for _ in range(MAX_MEMBERS):
        unpacker = zlib.decompressobj(kind)
        parts.append(unpacker.decompress(body, limit + 1 - size))
        size += len(parts[-1])
        if size > limit:
            raise api_errors.request_too_large(limit)
        if not unpacker.eof:
            raise zlib.error("cut short")
        body = unpacker.unused_data if kind == GZIP else b""
        if not body:
            return b"".join(parts)
    raise zlib.error("too many members")


def refuse_coding(coding: str) -> ApiError:
    """415, which names what is taken (RFC 9110, 15.5.16)."""
    message = f"Bodies in the coding {coding[:50]!r} are not read. Send it in {TAKEN}, or as it is."
    error = api_errors.make_error(415, "unsupported_content_encoding", message, param="Content-Encoding")
    return error.with_headers({"accept-encoding": TAKEN})
