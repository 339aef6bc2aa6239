"""Clients that send their request drop by drop: 408 in time and the connection closed, at each stack and web server."""

import asyncio
import contextlib
import json
import socket
import time

import pytest

from jarvis.web.body_timeout import BYTES_PER_EXTRA_SECOND, BodyTooSlow, limit_body_time
from tests.support.live import static_files
from tests.support.servers import start_server, wait_server

SECONDS = 1


@pytest.fixture
async def place(request, transactional_db):
    static_files()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        child = start_server(request.param, listener, JARVIS_WEB_REQUEST_SECONDS=str(SECONDS))
        try:
            await wait_server(port, child)
            yield port
        finally:
            child.terminate()
            child.wait(20)


async def read_to_end(reader):
    """All that came, also where a drop that the closed connection still got is answered with a reset behind it."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            data += piece
    return data


async def drip(port, head, drop, every=0.2, most=30):
    """Send a head, then drop by drop: the status, the error's code, and the seconds until the connection closed."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(read_to_end(reader))
    with contextlib.suppress(ConnectionError):
        writer.write(head)
        for _ in range(most if drop else 0):
            await writer.drain()
            await asyncio.sleep(every)
            if answer.done():
                break
            writer.write(drop)
    head, _, body = (await asyncio.wait_for(answer, 10)).partition(b"\r\n\r\n")
    took = time.monotonic() - began
    writer.close()
    text = body[body.find(b"{") :].decode()  # it may come in chunks
    found = json.JSONDecoder().raw_decode(text)[0] if text.startswith("{") else {}
    code = found.get("error", {}).get("code")
    return int(head.split()[1]) if head else None, code, took


def post(path, *headers):
    return b"\r\n".join([b"POST " + path + b" HTTP/1.1", b"host: 127.0.0.1", *headers, b"", b""])


LONG, CHUNKS = b"content-length: 1000", b"transfer-encoding: chunked"


@pytest.mark.alone
@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["uvicorn", "granian"], indirect=True)
async def test_a_body_that_does_not_come_in_time_is_answered_with_408_and_the_connection_closes(place):
    """At the API's short stack and at Django's, whether anything comes or nothing, with a length and in chunks."""
    key = b"x-api-key: jv_wrong"
    found = await asyncio.gather(
        drip(place, post(b"/v1/chat/completions", LONG, key), b"{"),
        drip(place, post(b"/v1/chat/completions", LONG), b""),
        drip(place, post(b"/api/chat", CHUNKS, key), b"1\r\nx\r\n"),
        drip(place, post(b"/api/v1/keys/", LONG, key), b"x"),
        drip(place, post(b"/sign-in/", LONG), b"x"),
        drip(place, post(b"/admin/", CHUNKS), b"1\r\nx\r\n"),
    )
    for status, code, took in found:
        assert (status, code) == (408, "request_timeout")
        assert SECONDS * 0.9 < took < SECONDS + 2, took
    whole = await drip(place, post(b"/v1/chat/completions", b"content-length: 4", b"connection: close"), b"{", 0.1)
    assert whole[:2] == (401, "invalid_api_key")  # slowly, but in time


@pytest.mark.alone
@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["uvicorn"], indirect=True)
async def test_a_head_that_does_not_come_in_time_is_answered_with_408(place):
    line = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    slow, first, silent, later = await asyncio.gather(
        drip(place, line, b"x-a: b\r\n"),
        drip(place, b"GET /he", b""),
        drip(place, b"", b""),  # it is closed without a word
        drip(place, line + b"\r\n" + line, b"x-a: b\r\n"),  # the second request of a connection
    )
    assert slow[:2] == first[:2] == (408, "request_timeout")
    assert silent[0] is None
    assert later[0] == 200  # of the first
    for *_, took in (slow, first, silent, later):
        assert SECONDS * 0.9 < took < SECONDS + 2, took


def coming(*pauses_and_messages):
    """A client that sends these messages after these pauses."""
    left = list(pauses_and_messages)

    async def receive():
        pause, message = left.pop(0)
        await asyncio.sleep(pause)
        return message

    return receive


def part(size, more=True):
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


async def test_a_body_that_comes_fast_enough_may_take_long():
    """One second more for each 64 KiB: here a tenth of each, five times, with a tenth of a second to begin with."""
    tenth = BYTES_PER_EXTRA_SECOND // 10
    receive = limit_body_time(coming((0, part(tenth)), *((0.08, part(tenth)),) * 5, (0.08, part(0, more=False))), 0.1)
    for _ in range(7):
        await receive()
    small = limit_body_time(coming((0, part(1)), (0.08, part(1)), (0.08, part(1))), 0.1)
    await small()
    await small()
    with pytest.raises(BodyTooSlow):
        await small()


async def test_after_the_body_nothing_is_timed():
    receive = limit_body_time(coming((0, part(1, more=False)), (0.2, {"type": "http.disconnect"})), 0.05)
    await receive()
    assert (await receive())["type"] == "http.disconnect"
