"""Sockets of a few people, before the application itself or a live server."""

import asyncio
import contextlib
import importlib
import json
import time
import uuid

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connection
from django.test import Client

from chat.ws.routing import sockets
from inference.models import LanguageModel
from jarvis.lib.database import in_database
from tests.support.workers import working

HOST = "localhost:8090"


migration = importlib.import_module("chat.migrations.0004_in_a_line")


@pytest.fixture
async def model(transactional_db):
    await in_database(LanguageModel.objects.register_served, "fake")


@pytest.fixture
async def worker(held, model, fake):
    fake.settings.answer_tokens = 16
    async with working(held) as worker:
        yield worker


def session_cookie(user):
    """The cookie of a session, as the browser would send it."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def handshake_headers(origin=f"http://{HOST}", host=HOST, **headers):
    """The headers of a handshake; None leaves one out."""
    named = {"host": host, "origin": origin} | {name.replace("_", "-"): value for name, value in headers.items()}
    return [(name.encode(), value.encode()) for name, value in named.items() if value is not None]


class Socket(WebsocketCommunicator):  # type: ignore[misc]
    """A client of the socket that speaks in frames."""

    def __init__(self, headers, path="/ws/chat/"):
        super().__init__(sockets, path, headers=headers)
        self.seen = []

    async def send_frame(self, **frame):
        await self.send_to(text_data=json.dumps(frame, default=str))

    async def receive_frame(self, *types, timeout=10):
        """The next frame of one of these types; others are passed over, and kept in `seen`."""
        async with asyncio.timeout(timeout):
            while True:
                frame = json.loads(await self.receive_from(timeout))
                self.seen.append(frame)
                if not types or frame["type"] in types:
                    return frame

    async def ask(self, text="count", **fields):
        await self.send_frame(type="ask", text=text, **({"client_key": uuid.uuid4()} | fields))
        return await self.receive_frame("accepted", "error")

    async def receive_answer(self, generation, after="0-0"):
        """Follow to the end: the text as a page would show it, and the end."""
        await self.send_frame(type="follow", generation=generation, after=after)
        text = ""
        while True:
            frame = await self.receive_frame("begin", "delta", "end", "error")
            assert frame["type"] != "error", frame
            if frame["type"] == "end":
                return text, frame
            text = "" if frame.get("clear") else text + frame.get("text", "")


@contextlib.asynccontextmanager
async def open_socket(headers):
    socket = Socket(headers)
    connected, _ = await socket.connect(timeout=5)
    assert connected
    try:
        yield socket
    finally:
        await socket.disconnect()


@pytest.fixture
async def open_as():
    """`await open_as(alice)`: a socket of a person who is signed in. All are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_as(user):
            cookie = await in_database(session_cookie, user)
            headers = handshake_headers(cookie=f"{settings.SESSION_COOKIE_NAME}={cookie}")
            return await stack.enter_async_context(open_socket(headers))

        yield open_as


def link_messages():
    """Link messages that were written in bulk, each to the one before it."""
    with connection.cursor() as cursor:
        cursor.execute(migration.LINK)
        cursor.execute(migration.END)


def session_headers(client):
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    return handshake_headers(cookie=f"{settings.SESSION_COOKIE_NAME}={cookie}")


async def wait_close(socket):
    """The code with which a socket closes, and after how many seconds."""
    began = time.monotonic()
    async with asyncio.timeout(5):
        while True:
            event = await socket.receive_output(5)
            if event["type"] == "websocket.close":
                return event["code"], time.monotonic() - began


async def handshake_refusal(headers, path="/ws/chat/"):
    """How a handshake is answered: 403, 401, or the code of a socket that is closed at once; None if it stays open."""
    socket = WebsocketCommunicator(sockets, path, headers=headers)
    socket.scope["extensions"] = {"websocket.http.response": {}}
    await socket.send_input({"type": "websocket.connect"})
    first = await socket.receive_output(5)
    if first["type"] == "websocket.http.response.start":
        return first["status"]
    if first["type"] == "websocket.close":
        return 403
    if not await socket.receive_nothing(0.2) and (second := await socket.receive_output())["type"] == "websocket.close":
        return second["code"]
    await socket.disconnect()
    return None
