"""What is closed through one web process is closed at another within a second: keys, accounts, JARVIS_API_KEYS."""

import asyncio
import contextlib
import json
import socket
import time

import aiohttp
import pytest
import websockets
from django.conf import settings
from django.contrib.auth.models import User

from accounts.models import ApiKey
from jarvis.lib.database import in_database
from tests.support.callers import CSRF
from tests.support.live import static_files
from tests.support.servers import start_server, wait_server
from tests.support.sockets import session_cookie

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

OF_ENVIRONMENT = "a-key-of-the-environment-that-is-long"
WITHIN = 1.0  # seconds


@pytest.fixture
async def processes(transactional_db):
    """Two web processes, each on a port of its own, with the test's database and Redis in common."""
    static_files()
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        children = [start_server("uvicorn", listener, JARVIS_API_KEYS=OF_ENVIRONMENT) for listener in listeners]
        try:
            ports = [listener.getsockname()[1] for listener in listeners]
            await asyncio.gather(*map(wait_server, ports, children))
            yield [f"127.0.0.1:{port}" for port in ports]
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait(20)


def person(user, place):
    """What the browser of somebody who is signed in sends to a process."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={session_cookie(user)}; {settings.CSRF_COOKIE_NAME}={CSRF}"
    return {"cookie": cookie, "x-csrftoken": CSRF, "origin": f"http://{place}"}


async def status(client, path, headers):
    async with client.get(path, headers=headers, allow_redirects=False) as response:
        return response.status


async def until_closed(client, path, headers):
    """How long it takes until a door is closed, which was open. It stays so."""
    began = time.monotonic()
    while (found := await status(client, path, headers)) == 200:
        assert time.monotonic() - began < 5, "It is never closed."
        await asyncio.sleep(0.02)
    took = time.monotonic() - began
    assert found in (401, 302), found
    await asyncio.sleep(0.1)
    assert await status(client, path, headers) == found
    return took


async def until_dropped(open_socket):
    began = time.monotonic()
    await asyncio.wait_for(open_socket.wait_closed(), 5)
    assert open_socket.close_code == 4401
    return time.monotonic() - began


async def deactivate(client, headers, user):
    """As an administrator does it: the form of the account, with a tick less."""
    moment = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", "last_login_0": "", "last_login_1": ""}
    data = {"username": user.username, "first_name": "", "last_name": "", "email": "", **moment}
    address = f"/admin/auth/user/{user.pk}/change/"
    async with client.post(address, data=data, headers=headers, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
    assert not await in_database(lambda: User.objects.get(pk=user.pk).is_active)


@pytest.mark.alone
async def test_what_is_closed_through_one_process_is_closed_at_the_other_within_a_second(processes, cast):
    here, there = processes
    alice, bob, carol = cast.alice, cast.bob, cast.carol
    row, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    _, bobs = await in_database(ApiKey.create_with_secret, bob.pk, "test")
    admin = await in_database(person, carol, here)
    mine = await in_database(person, alice, here)
    bobs_page = await in_database(person, bob, there)
    took = {}
    async with (
        aiohttp.ClientSession(f"http://{here}") as one,
        aiohttp.ClientSession(f"http://{there}") as other,
        websockets.connect(f"ws://{there}/ws/chat/", additional_headers={"x-api-key": secret}) as alices_socket,
        websockets.connect(f"ws://{there}/ws/chat/", additional_headers={"x-api-key": bobs}) as bobs_socket,
        websockets.connect(f"ws://{there}/ws/chat/", additional_headers={"x-api-key": OF_ENVIRONMENT}) as programs,
    ):
        for opened in (alices_socket, bobs_socket, programs):
            assert json.loads(await opened.recv())["type"] == "state"

        # A key, revoked by its owner.
        key = {"authorization": f"Bearer {secret}"}
        assert await status(other, "/v1/models", key) == 200
        async with one.post(f"/api/v1/keys/{row.pk}/revoke/", headers=mine) as response:
            assert response.status == 200, await response.text()
        took["key"], took["key's socket"] = await asyncio.gather(
            until_closed(other, "/v1/models", key), until_dropped(alices_socket)
        )

        # A person, deactivated by an administrator: key, socket and page.
        key = {"x-api-key": bobs}
        for path, headers in (("/api/history", key), ("/", bobs_page), ("/api/usage", bobs_page)):
            assert await status(other, path, headers) == 200, path
        await deactivate(one, admin, bob)
        took["person's key"], took["page"], took["session at the API"], took["person's socket"] = await asyncio.gather(
            until_closed(other, "/api/history", key),
            until_closed(other, "/", bobs_page),
            until_closed(other, "/api/usage", bobs_page),
            until_dropped(bobs_socket),
        )

        # The account that stands for the keys of the environment.
        key = {"x-api-key": OF_ENVIRONMENT}
        for path in ("/v1/models", "/api/usage"):
            assert await status(other, path, key) == 200
        account = await in_database(lambda: User.objects.get(username="jarvis:environment"))
        await deactivate(one, admin, account)
        took["environment's key"], took["at a resource"], took["its socket"] = await asyncio.gather(
            until_closed(other, "/v1/models", key), until_closed(other, "/api/usage", key), until_dropped(programs)
        )
        assert await status(one, "/health", {}) == 200
        await in_database(lambda: User.objects.filter(pk=account.pk).update(is_active=True))
        await asyncio.sleep(WITHIN)
        assert await status(other, "/v1/models", key) == 200
    assert not {what: seconds for what, seconds in took.items() if seconds > WITHIN}, took
