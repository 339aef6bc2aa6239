"""More connections than a process can hold: the surplus is refused in words, and what is under way comes whole."""

import asyncio
import contextlib
import json
import resource
import socket

import pytest
import uvicorn

from jarvis.launch.uvicorn_protocol import BoundedHeadProtocol
from jarvis.lib import open_files

REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = (
    b"GET /ws/chat/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PARTS = 20


async def count_slowly(scope, receive, send):
    """An answer that takes its time."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(PARTS):
        await send({"type": "http.response.body", "body": b"%d " % number, "more_body": True})
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def port(monkeypatch):
    monkeypatch.setattr(BoundedHeadProtocol, "max_connections", 3)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(count_slowly, http=BoundedHeadProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    yield listener.getsockname()[1]
    server.should_exit = True
    await asyncio.wait_for(task, 10)


async def ask(port, request=REQUEST):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await (reader.readexactly(int(length[0].split()[1])) if length else reader.readuntil(b"0\r\n\r\n"))
        writer.close()
        return int(head.split()[1]), head.lower(), body
    return 0, b"", b""


@pytest.mark.parametrize("request_bytes", [REQUEST, UPGRADE])
async def test_one_too_many_is_refused_in_words_and_the_others_come_whole(port, request_bytes):
    under_way = [asyncio.create_task(ask(port)) for _ in range(3)]
    await asyncio.sleep(0.05)
    status, head, body = await ask(port, request_bytes)
    assert status == 503
    assert b"retry-after: 5\r\n" in head
    assert b"connection: close\r\n" in head
    assert json.loads(body)["error"]["code"] == "overloaded"
    for status, _, body in await asyncio.gather(*under_way):
        assert status == 200
        assert body.count(b" ") == PARTS
    assert (await ask(port))[0] == 200  # there is room again


async def test_those_who_ask_nothing_are_refused_before_files_run_out(port):
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 + 1)]
    await asyncio.sleep(0.05)
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        told = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert told.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert not any(reader.at_eof() for reader, _ in idle)
    for _, writer in idle:
        writer.close()


@pytest.mark.parametrize(("files", "connections"), [(64, 32), (256, 128), (1024, 832), (65_536, 65_344)])
def test_files_are_kept_for_what_serves_the_connections(monkeypatch, files, connections):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert open_files.max_connections() == connections
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert open_files.max_connections() > 10**9
