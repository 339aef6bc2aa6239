"""Each web server that can be configured serves pages, static files and sockets alike."""

import asyncio
import json
import re

import aiohttp
import pytest
import websockets
from django.conf import settings
from websockets.typing import Origin

from accounts.models import ApiKey
from jarvis.lib.database import in_database
from tests.support.servers import server
from tests.support.sockets import session_cookie

__all__ = ["server"]

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


async def test_the_api(server, alice):
    _row, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    async with aiohttp.ClientSession(f"http://{server}") as client:
        async with client.get("/health") as response:
            assert (response.status, (await response.json())["status"]) == (200, "ok")
        async with client.get("/api/history", headers={"x-api-key": secret}) as response:
            assert (response.status, (await response.json())["total"]) == (200, 0)
        async with client.post("/api/chat", data=b"{") as response:
            assert response.status == 401
        async with client.post("/api/chat", data=b"{", headers={"x-api-key": secret}) as response:
            assert response.status == 400


async def test_http_1_0_and_blanks_behind_values(server, alice):
    """What a small device sends, and a key that was pasted with a blank."""
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    host, port = server.split(":")
    for path in ("/v1/models", "/api/v1/keys/", "/health"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.0\r\nhost: {server}\r\nx-api-key: {secret} \r\n\r\n".encode())
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
        writer.close()
        assert (head.split()[1], b"transfer-encoding" in head.lower()) == (b"200", False), path
        assert isinstance(json.loads(body), dict)


async def test_pages_and_static_files(server, alice):
    cookies = {settings.SESSION_COOKIE_NAME: await in_database(session_cookie, alice)}
    async with aiohttp.ClientSession(f"http://{server}", cookies=cookies) as client:
        async with client.get("/", headers={"accept-encoding": "gzip"}) as response:
            page = await response.text()
            assert response.status == 200
            assert response.headers["content-encoding"] == "gzip"
            assert "script-src 'self'" in response.headers["content-security-policy"]
            assert response.headers["x-request-id"]
        (script,) = re.findall(r'src="(/static/chat/page[^"]+)"[^>]*></script>', page)
        async with client.get(script) as response:
            assert "immutable" in response.headers["cache-control"]
            assert "import" in await response.text()
        async with client.get("/nowhere", headers={"accept": "text/html"}) as response:
            assert response.status == 404
            assert "There is nothing here" in await response.text()
        for path in ("/api/v1/keys/", "/health", "/"):
            async with client.head(path) as response:
                assert (response.status, await response.read()) == (200, b""), path


async def test_sockets_and_who_may_open_them(server, alice):
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    cookie = {"cookie": f"{settings.SESSION_COOKIE_NAME}={await in_database(session_cookie, alice)}"}
    address = f"ws://{server}/ws/chat/"
    for opened in (
        websockets.connect(address, additional_headers={"x-api-key": secret}),
        websockets.connect(address, origin=Origin(f"http://{server}"), additional_headers=cookie),
    ):
        async with opened as client:
            assert json.loads(await client.recv())["type"] == "state"
            await client.send("{")
            assert json.loads(await client.recv())["code"] == "invalid_frame"
    for refused in (
        websockets.connect(address, origin=Origin("http://evil.example"), additional_headers=cookie),
        websockets.connect(address, additional_headers=cookie),
        websockets.connect(address, additional_headers={"x-api-key": "jv_wrong"}),
        websockets.connect(f"ws://{server}/ws/other/", additional_headers={"x-api-key": secret}),
    ):
        with pytest.raises(websockets.InvalidStatus) as error:
            await refused
        assert error.value.response.status_code in (401, 403)
