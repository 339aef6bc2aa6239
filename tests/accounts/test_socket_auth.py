"""Sockets end with the session that opened them: within a second, whoever ends it and wherever."""

import asyncio

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client

from accounts import sessions
from chat.ws.connections import CLOSE_UNAUTHENTICATED
from jarvis.lib.database import in_database
from tests.support.accounts import PASSWORD
from tests.support.sockets import handshake_headers, open_socket, session_headers, wait_close  # noqa: F401
from tests.support.workers import clean_redis  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(transactional_db):
    return User.objects.create_user("alice", password=PASSWORD)


def came_in(name):
    client = Client()
    response = client.post("/sign-in/", {"login": name, "password": PASSWORD})
    assert response.status_code == 302
    return client


def end_from_the_list(client, other):
    ended = UserSession.objects.get(session_key=other.session.session_key)
    client.post(f"/settings/sessions/{ended.pk}/end/")


def end_all_others(client, other):
    client.post("/settings/sessions/end-others/")


def sign_out(client, other):
    other.post("/sign-out/")


def change_the_password(client, other):
    new = {"password1": "another long word", "password2": "another long word"}
    client.post("/settings/password/", {"oldpassword": PASSWORD} | new)


def deactivate(client, other):
    User.objects.update(is_active=False)


@pytest.mark.alone
@pytest.mark.parametrize("how", [end_from_the_list, end_all_others, sign_out, change_the_password, deactivate])
async def test_a_session_that_ends_closes_its_sockets_within_a_second(alice, clean_redis, how):  # noqa: F811
    here, there = await in_database(came_in, "alice"), await in_database(came_in, "alice")
    async with open_socket(session_headers(here)) as mine, open_socket(session_headers(there)) as other:
        await other.receive_frame("state")
        await in_database(how, here, there)
        code, seconds = await wait_close(other)
        assert code == CLOSE_UNAUTHENTICATED
        assert seconds < 1.2  # a second, and what the closing itself takes
        if how in (end_from_the_list, end_all_others, sign_out):
            await mine.send_frame(type="ping")
            await mine.receive_frame("pong")  # this one stays


async def test_a_socket_keeps_its_session_on_the_list_as_seen(alice, clean_redis):  # noqa: F811
    client = await in_database(came_in, "alice")
    await in_database(lambda: UserSession.objects.update(last_seen_at="2020-01-01T00:00:00Z"))
    sessions._noted.clear()
    async with open_socket(session_headers(client)) as socket, asyncio.timeout(5):
        await socket.receive_frame("state")
        while (await in_database(UserSession.objects.get)).last_seen_at.year == 2020:
            await asyncio.sleep(0.05)
