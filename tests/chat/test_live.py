"""Sockets through a real web server."""

import asyncio
import json
import uuid
from datetime import timedelta

import pytest
import websockets
from django.conf import settings
from django.utils import timezone

from accounts.models import ApiKey
from chat.ws.consumer import ChatConsumer
from inference.log.follow import LogReader
from inference.models import Generation
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.live import list_tasks, serve
from tests.support.sockets import session_cookie
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def address():
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    async with serve() as url:
        yield url


@pytest.fixture
async def key(alice):
    return (await in_database(ApiKey.create_with_secret, alice.pk, "test"))[1]


def connect(address, **options):
    return websockets.connect(address.replace("http", "ws") + "/ws/chat/", **options)


async def receive_frame(socket, *types):
    async with asyncio.timeout(10):
        while True:
            frame = json.loads(await socket.recv())
            if frame["type"] in types:
                return frame


async def ask(socket):
    await socket.send(json.dumps({"type": "ask", "text": "count", "client_key": str(uuid.uuid4())}))
    return (await receive_frame(socket, "accepted"))["generation"]


async def follow_to_end(socket, generation, after="0-0"):
    """Follow to the end: the text, and the cursor of each delta."""
    await socket.send(json.dumps({"type": "follow", "generation": generation, "after": after}))
    text, cursors = "", []
    while (news := await receive_frame(socket, "begin", "delta", "end"))["type"] != "end":
        text += news.get("text", "")
        cursors += [news["cursor"]] if "cursor" in news else []
    return text, cursors


async def test_a_foreign_page_gets_403_and_our_own_is_let_in(address, alice):
    cookie = {"cookie": f"{settings.SESSION_COOKIE_NAME}={await in_database(session_cookie, alice)}"}
    with pytest.raises(websockets.InvalidStatus) as refused:
        await connect(address, origin="http://evil.example", additional_headers=cookie)
    assert refused.value.response.status_code == 403
    async with connect(address, origin=address, additional_headers=cookie) as socket:
        assert await receive_frame(socket, "state")


async def test_a_program_without_a_good_key_gets_401(address, transactional_db):
    for headers in ({}, {"x-api-key": "jv_wrong"}):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await connect(address, additional_headers=headers)
        assert refused.value.response.status_code == 401


async def test_a_page_that_is_not_signed_in_is_closed_with_4401(address, transactional_db):
    async with connect(address, origin=address) as socket:
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 4401


async def test_an_answer_goes_on_while_nobody_reads_and_is_whole_for_who_comes_back(address, key, worker, fake):
    fake.settings.rate = 40
    headers = {"x-api-key": key}
    async with connect(address, additional_headers=headers) as socket:
        generation = await ask(socket)
        await socket.send(json.dumps({"type": "follow", "generation": generation}))
        first = await receive_frame(socket, "delta")
    async with (
        connect(address, additional_headers=headers) as socket,
        connect(address, additional_headers=headers) as late,
    ):
        rest, whole = await asyncio.gather(
            follow_to_end(socket, generation, first["cursor"]), follow_to_end(late, generation)
        )
    assert first["text"] + rest[0] == whole[0] == numbered(16)
    assert first["cursor"] not in rest[1]


async def test_a_hundred_readers_of_one_answer_each_get_it_whole(address, key, worker, fake):
    fake.settings.rate, fake.settings.answer_tokens = 50, 50
    headers = {"x-api-key": key}

    async def read(generation):
        async with connect(address, additional_headers=headers, open_timeout=30) as socket:
            return (await follow_to_end(socket, generation))[0]

    async with connect(address, additional_headers=headers) as socket:
        generation = await ask(socket)
        texts = await asyncio.gather(*(read(generation) for _ in range(100)))
    assert texts == [numbered(50)] * 100
    assert not LogReader.for_this_loop().followers


async def test_a_client_that_does_not_read_stops_the_telling_and_not_the_others(address, key, alice):
    """The answers are more than the buffers of kernel and server hold: the rest waits where it is stored."""
    text = "x" * 2_000_000
    done = {"owner": alice, "model": "fake", "door": "chat", "request_id": "test", "status": "done", "text": text}
    long_ago = timezone.now() - timedelta(hours=1)
    rows = [Generation(**done, finished_at=long_ago) for _ in range(20)]
    await in_database(Generation.objects.bulk_create, rows)
    reader, writer = await asyncio.open_connection(*address.removeprefix("http://").split(":"), limit=2**16)
    raw = RawSocket(reader, writer)
    await raw.open(address, key)
    for row in rows:
        await raw.send({"type": "follow", "generation": str(row.id)})
    await asyncio.sleep(3)
    # They wait for the reader; else all of it would lie in this process.
    assert len(list_tasks(ChatConsumer.stream_answer)) > 10
    async with connect(address, additional_headers={"x-api-key": key}, max_size=None) as other:
        assert (await follow_to_end(other, str(rows[0].id)))[0] == text
    writer.transport.abort()
    await until(lambda: not list_tasks(ChatConsumer.stream_answer))


class RawSocket:
    """A client that opens a websocket by hand, sends, and never reads."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def open(self, address, key):
        lines = [
            "GET /ws/chat/ HTTP/1.1",
            f"host: {address.removeprefix('http://')}",
            "upgrade: websocket",
            "connection: Upgrade",
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-version: 13",
            f"x-api-key: {key}",
        ]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert b" 101 " in await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, receive_frame):
        body = json.dumps(receive_frame).encode()
        assert len(body) < 126
        self.writer.write(bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body)
        await self.writer.drain()
