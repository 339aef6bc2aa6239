"""Caps on what comes in, as each web server keeps them; and names under which the site is not served."""

import asyncio
import json

import pytest

from accounts.models import ApiKey
from jarvis.lib.database import in_database
from jarvis.web.header_limits import MAX_HEADER_BYTES, MAX_HEADERS
from tests.support.servers import server

__all__ = ["server"]

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


async def exchange(server, *parts):
    """Send bytes until the server has enough of them; the status line and the body of its answer."""
    host, port = server.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = asyncio.create_task(reader.read())
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass  # it has closed; what it said before that counts
    try:
        head, _, body = (await asyncio.wait_for(answer, 10)).partition(b"\r\n\r\n")
    except ConnectionError:
        return None, b""
    finally:
        writer.close()
    return int(head.split()[1]) if head else None, body


def get(path, *headers, host=b"127.0.0.1"):
    lines = [b"GET " + path + b" HTTP/1.1", b"host: " + host, b"connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def test_headers_bodies_and_hosts_beyond_the_caps(server, alice):
    """CVE-2025-48956 (huge headers), CVE-2026-48710 (a Host that is not ours); large bodies."""
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    key = b"x-api-key: " + secret.encode()
    for path in (b"/v1/models", b"/health", b"/sign-in/", b"/static/nothing"):
        large = b"x-a: " + b"a" * MAX_HEADER_BYTES
        many = [b"x-%d: a" % number for number in range(MAX_HEADERS + 1)]
        for headers in ([key, large], [key, *many]):
            status, body = await exchange(server, get(path, *headers))
            assert status in (431, None), (path, status)  # daphne closes without a word beyond a cap of its own
            if body.startswith(b"{"):
                assert json.loads(body)["error"]["code"] == "headers_too_large"
        assert (await exchange(server, get(path, key, host=b"evil.example")))[0] == 400

    endless = [b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: ", *[b"a" * 65536] * 1000]
    status, _ = await exchange(server, *endless)
    assert status in (431, None)

    large = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n%b\r\n" % key
    large += b"content-length: 5000000\r\n\r\n"
    status, body = await exchange(server, large, *[b"a" * 65536] * 77)
    assert status in (413, None), body  # None: it closed while we were still sending
    assert (await exchange(server, get(b"/v1/models", key)))[0] == 200
