"""Who may open a socket, and for how long."""

import asyncio
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import ApiKey
from inference.redis.client import shared_client
from inference.redis.keys import WORKERS
from jarvis.lib.database import in_database
from tests.support.sockets import handshake_headers, handshake_refusal, open_socket, session_cookie

pytestmark = pytest.mark.django_db(transaction=True)


def cookie(value):
    return f"{settings.SESSION_COOKIE_NAME}={value}"


FOREIGN = [
    "http://evil.example",
    "http://evil.example:8090",
    "http://localhost",
    "http://localhost:3000",
    "http://localhost:8090.evil.example",
    "http://evil.example/localhost:8090",
    "http://localhost:8090@evil.example",
    "ftp://localhost:8090",
    "file://",
    "null",
    "",
    "http://[",
]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_page_of_another_site_is_refused_though_the_session_is_good(alice, origin):
    session = await in_database(session_cookie, alice)
    assert await handshake_refusal(handshake_headers(cookie=cookie(session))) is None
    assert await handshake_refusal(handshake_headers(origin=origin, cookie=cookie(session))) == 403


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_page_of_another_site_is_refused_with_a_key_as_well(alice, origin):
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    assert await handshake_refusal(handshake_headers(origin=origin, x_api_key=secret)) == 403


@pytest.mark.parametrize(
    ("origin", "host"),
    [("http://localhost", "localhost:80"), ("https://localhost", "localhost:443"), ("https://localhost", "localhost")],
)
async def test_a_page_is_ours_whether_the_proxy_names_the_usual_port_or_not(alice, origin, host):
    session = await in_database(session_cookie, alice)
    assert await handshake_refusal(handshake_headers(origin=origin, host=host, cookie=cookie(session))) is None


async def test_a_page_at_a_trusted_address_is_ours_whatever_host_the_proxy_names(alice, configure):
    session = await in_database(session_cookie, alice)
    headers = handshake_headers(origin="https://jarvis.example.com", cookie=cookie(session))
    assert await handshake_refusal(headers) == 403
    configure(trusted_origins=("https://jarvis.example.com",))
    assert await handshake_refusal(headers) is None


async def test_a_host_name_that_is_not_served_is_refused(alice):
    session = await in_database(session_cookie, alice)
    headers = handshake_headers(origin="http://evil.example", host="evil.example", cookie=cookie(session))
    assert await handshake_refusal(headers) == 403


@pytest.mark.alone
async def test_a_program_needs_a_key_and_no_origin(alice):
    row, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    assert await handshake_refusal(handshake_headers(origin=None, x_api_key=secret)) is None
    assert await handshake_refusal(handshake_headers(origin=None, authorization=f"Bearer {secret}")) is None
    assert await handshake_refusal(handshake_headers(origin=None)) == 401
    assert await handshake_refusal(handshake_headers(origin=None, x_api_key="jv_wrong")) == 401
    assert (
        await handshake_refusal(handshake_headers(origin=None, x_api_key=secret, authorization="Bearer other")) == 401
    )
    await in_database(row.revoke)
    await asyncio.sleep(1)
    assert await handshake_refusal(handshake_headers(origin=None, x_api_key=secret)) == 401


async def test_a_browser_behind_a_proxy_with_a_password_opens_its_socket(alice):
    """It sends the password of the proxy along, in the header in which keys come."""
    session = cookie(await in_database(session_cookie, alice))
    assert await handshake_refusal(handshake_headers(cookie=session, authorization="Basic YTpi")) is None
    assert await handshake_refusal(handshake_headers(cookie=session, authorization="Bearer YTpi")) == 4401
    assert await handshake_refusal(handshake_headers(cookie=session, origin=None, authorization="Basic YTpi")) == 401


async def test_a_program_cannot_use_a_session(alice):
    session = await in_database(session_cookie, alice)
    assert await handshake_refusal(handshake_headers(origin=None, cookie=cookie(session))) == 401


@pytest.mark.parametrize("value", ["", "wrong", "'; DROP TABLE django_session; --", "x" * 10_000, "\x7f"])
async def test_a_browser_without_a_session_is_told_by_the_close_code(transactional_db, value):
    assert await handshake_refusal(handshake_headers(cookie=cookie(value))) == 4401


async def test_an_address_without_a_socket_is_refused(transactional_db):
    for path in ("/ws/", "/ws/chat", "/ws/chat/more", "/"):
        assert await handshake_refusal(handshake_headers(), path) == 403


async def wait_close(socket):
    """The code with which a socket closes, and after how many seconds."""
    began = time.monotonic()
    while True:
        message = await socket.receive_output(5)
        if message["type"] == "websocket.close":
            return message["code"], time.monotonic() - began


def deactivate(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user):
    user.set_password("another long word")
    user.save()


def sign_out(user):
    Session.objects.all().delete()


def expire_sessions(user):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def remove(user):
    User.objects.filter(pk=user.pk).delete()


@pytest.mark.parametrize("happens", [deactivate, change_password, sign_out, expire_sessions, remove])
async def test_a_socket_closes_within_a_second_when_its_sign_in_is_over(open_as, alice, bob, happens):
    socket = await open_as(alice)
    await socket.receive_frame("state")
    await asyncio.sleep(0.4)
    await in_database(happens, alice)
    code, seconds = await wait_close(socket)
    assert code == 4401
    assert seconds < 1


def revoke(row):
    row.revoke()


def expire(row):
    ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now())


@pytest.mark.parametrize("happens", [revoke, expire])
async def test_a_socket_closes_within_a_second_when_its_key_is_void(alice, happens):
    row, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    async with open_socket(handshake_headers(origin=None, x_api_key=secret)) as socket:
        await socket.receive_frame("state")
        await in_database(happens, row)
        code, seconds = await wait_close(socket)
        assert code == 4401
        assert seconds < 1


async def test_the_sockets_of_others_stay_open(open_as, alice, bob):
    here, there = await open_as(alice), await open_as(bob)
    await in_database(deactivate, alice)
    await wait_close(here)
    await there.send_frame(type="ping")
    assert await there.receive_frame("pong")


async def test_what_a_closed_socket_still_sends_is_not_done(open_as, alice, model):
    socket = await open_as(alice)
    await in_database(deactivate, alice)
    await wait_close(socket)
    await socket.send_frame(type="ping")
    assert await socket.receive_nothing(0.3)


async def test_when_what_watches_over_sockets_fails_they_close_and_can_be_opened_again(open_as, alice):
    socket = await open_as(alice)
    await socket.receive_frame("state")
    await shared_client().set("jarvis:worker:odd", "not what a worker tells", ex=60)
    await shared_client().sadd(WORKERS, "odd")
    code, _ = await wait_close(socket)
    assert code == 1011
    await shared_client().delete("jarvis:worker:odd")
    again = await open_as(alice)
    assert await again.receive_frame("state")
    await in_database(deactivate, alice)
    assert (await wait_close(again))[0] == 4401
