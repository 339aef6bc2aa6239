"""Sockets while Redis or Postgres is away: nothing hangs, nothing closes that need not, and all is well afterwards."""

import asyncio

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings

from chat.ws.routing import sockets
from jarvis.lib.database import in_database
from tests.support.away import postgres_away, redis_away
from tests.support.fake_engine import numbered
from tests.support.sockets import handshake_headers, session_cookie
from tests.support.waiting import until

__all__ = ["postgres_away"]

pytestmark = pytest.mark.django_db(transaction=True)


async def wait_phase(socket, wanted):
    while (await socket.receive_frame("state", timeout=20))["phase"] != wanted:
        pass


async def ask_until_announced(here, there):
    """Ask in one window until the other hears of it: a question that is asked too early is not announced."""
    while True:
        accepted = await here.ask()
        try:
            return accepted, await there.receive_frame("conversation", timeout=0.5)
        except TimeoutError:
            continue


async def test_without_redis_no_question_passes_unlimited_and_it_is_accepted_when_redis_is_back(open_as, alice, worker):
    socket = await open_as(alice)
    await wait_phase(socket, "ready")
    async with redis_away():
        await wait_phase(socket, "unknown")
        async with asyncio.timeout(5):
            refused = await socket.ask()
        assert (refused["code"], refused["retry_after"]) == ("overloaded", 2.0)  # the page sends it again by itself
        late = await open_as(alice)  # and a socket can be opened
        await wait_phase(late, "unknown")
    await wait_phase(socket, "ready")
    accepted = await socket.ask()
    for one in (socket, late):
        text, end = await one.receive_answer(accepted["generation"])
        assert (text, end["status"]) == (numbered(16), "done")


async def test_windows_hear_of_each_other_again_after_redis_was_away(open_as, alice, model):
    here, there = await open_as(alice), await open_as(alice)
    await wait_phase(there, "absent")
    async with redis_away():
        await wait_phase(there, "unknown")
    await wait_phase(there, "absent")
    async with asyncio.timeout(20):
        accepted, told = await ask_until_announced(here, there)
    assert accepted["type"] == "accepted"
    assert told["text"] == "count"


async def test_without_postgres_a_question_is_refused_and_the_socket_lives(open_as, alice, worker, postgres_away):
    socket = await open_as(alice)
    await wait_phase(socket, "ready")
    with postgres_away():
        async with asyncio.timeout(20):
            error = await socket.ask()
        assert (error["type"], error["code"]) == ("error", "unavailable")
        await asyncio.sleep(1)  # the check of who may stay cannot be made, and closes nobody
        await socket.send_frame(type="ping")
        assert await socket.receive_frame("pong")
    await until(lambda: is_answered(socket), 30)


async def is_answered(socket):
    accepted = await socket.ask()
    return accepted["type"] == "accepted" and (await socket.receive_answer(accepted["generation"]))[0] == numbered(16)


async def test_without_postgres_a_new_socket_is_told_to_come_later(alice, postgres_away):
    cookie = f"{settings.SESSION_COOKIE_NAME}={await in_database(session_cookie, alice)}"
    with postgres_away():
        socket = WebsocketCommunicator(sockets, "/ws/chat/", headers=handshake_headers(cookie=cookie))
        connected, _ = await socket.connect(timeout=20)
        assert connected
        assert await socket.receive_output(5) == {"type": "websocket.close", "code": 1013}
        await socket.disconnect()
