"""Guessing is slowed, by address and by account, and nobody is locked out by a fault."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory

from accounts import throttling
from accounts.throttling import SIGN_IN, Limit, count_attempt
from tests.support.accounts import code_of, sign_in

pytestmark = pytest.mark.django_db


def test_the_eleventh_attempt_on_an_account_is_429_with_the_time_to_wait_also_with_the_right_password(alice, bob):
    for number in range(10):
        assert sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "alice", "wrong").status_code == 200
    response = sign_in(Client(REMOTE_ADDR="192.0.2.99"), " ALICE ")
    assert response.status_code == 429
    assert 0 < int(response["retry-after"]) <= 300
    assert "Too many attempts" in response.content.decode()
    assert sign_in(Client(REMOTE_ADDR="192.0.2.99"), "bob").status_code == 302  # nobody else is touched


def test_one_address_may_not_try_all_accounts(monkeypatch, alice):
    monkeypatch.setitem(throttling.LIMITS_BY_URL_NAME, "login", Limit("few", "3/h", "10/h", throttling.read_username))
    for name in ("a", "b", "c"):
        assert sign_in(Client(REMOTE_ADDR="2001:db8::1"), name, "wrong").status_code == 200
    assert sign_in(Client(REMOTE_ADDR="2001:db8::2"), "alice").status_code == 429  # the same network of 64 bits
    assert sign_in(Client(REMOTE_ADDR="2001:db8:0:1::2"), "alice").status_code == 302


def test_a_forwarded_address_counts_only_from_a_trusted_proxy(monkeypatch, configure, alice):
    monkeypatch.setitem(throttling.LIMITS_BY_URL_NAME, "login", Limit("few", "1/h"))
    assert sign_in(Client(headers={"x-forwarded-for": "198.51.100.1"}), "x").status_code == 200
    assert sign_in(Client(headers={"x-forwarded-for": "198.51.100.2"}), "x").status_code == 429
    configure(trusted_proxies=("127.0.0.1",))
    assert sign_in(Client(headers={"x-forwarded-for": "198.51.100.3"}), "x").status_code == 200
    assert sign_in(Client(headers={"x-forwarded-for": "9.9.9.9, 198.51.100.3"}), "x").status_code == 429


def test_of_fifty_at_once_exactly_the_limit_goes_through():
    request = RequestFactory().post("/sign-in/", {"login": "alice"})
    limit = Limit("at once", "1000/h", "10/h", throttling.read_username)
    with ThreadPoolExecutor(50) as threads:
        waits = list(threads.map(lambda _: count_attempt(request, limit), range(50)))
    assert waits.count(0) == 10


def test_codes_of_the_second_factor_are_counted_by_account_whoever_has_the_password(alice):
    TOTP.activate(alice, generate_totp_secret())
    for number in range(6):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}")
        assert sign_in(client, "alice")["location"] == "/sign-in/two-factor/"
        response = client.post("/sign-in/two-factor/", {"code": "000000"})
        assert response.status_code == (200 if number < 5 else 429)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/sign-up/", "post"),
        ("/join/x/", "post"),
        ("/setup/x/", "post"),
        ("/reset/", "post"),
        ("/reset/1-x/", "post"),
        ("/sign-in/passkey/", "get"),
        ("/sign-in/passkey/", "post"),
        ("/oidc/sso/login/", "post"),
        ("/oidc/sso/login/callback/", "get"),
        ("/sign-in/two-factor/", "post"),
    ],
)
def test_every_door_is_counted(monkeypatch, path, method):
    for name, limit in throttling.LIMITS_BY_URL_NAME.items():
        monkeypatch.setitem(throttling.LIMITS_BY_URL_NAME, name, Limit(f"none {name}", "0/m", methods=limit.methods))
    assert getattr(Client(), method)(path).status_code == 429


@pytest.mark.parametrize("path", ["/sign-in/again/", "/settings/password/", "/settings/email/"])
def test_guessing_from_within_a_session_is_counted_by_account(monkeypatch, alice, path):
    for name, limit in throttling.LIMITS_BY_URL_NAME.items():
        monkeypatch.setitem(throttling.LIMITS_BY_URL_NAME, name, Limit(f"one {name}", "100/h", "1/h", limit.account))
    for expected in (False, True):
        client = Client(REMOTE_ADDR=f"192.0.2.{expected:d}")
        client.force_login(alice)
        assert (client.post(path, {"password": "wrong"}).status_code == 429) is expected


@pytest.fixture
def redis_away(settings):
    """The cache at a socket where nobody listens."""
    away = {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"}
    settings.CACHES = {"default": away}


def test_without_redis_a_sign_in_is_503_with_a_sentence_and_who_is_in_stays_in(alice, client, redis_away):
    client.force_login(alice)
    response = sign_in(Client(), "alice")
    assert (response.status_code, response["retry-after"]) == (503, "5")
    assert "cannot reach Redis" in response.content.decode()
    assert Client().get("/sign-in/").status_code == 200
    for page in ("/settings/", "/settings/security/", "/settings/keys/", "/"):
        assert client.get(page).status_code == 200


def test_redis_that_goes_away_in_the_middle_of_a_view_is_503_too(alice, monkeypatch, redis_away):
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    monkeypatch.setattr(throttling, "LIMITS_BY_URL_NAME", {})  # so that the view itself is what meets the lost Redis
    client = Client()
    sign_in(client, "alice")
    assert client.post("/sign-in/two-factor/", {"code": code_of(secret)}).status_code == 503


def test_counting_costs_no_query_and_leaves_keys_that_expire():
    request = RequestFactory().post("/sign-in/", {"login": "alice"})
    with connection.execute_wrapper(lambda *_: pytest.fail("a query")):
        count_attempt(request, SIGN_IN)
    redis = cache._cache.get_client()
    keys = list(redis.scan_iter("jarvis-cache:*"))
    assert len(keys) == 2
    assert all(0 < redis.ttl(key) <= 310 for key in keys)
    assert not any(b"alice" in key for key in keys)  # nor names


@pytest.fixture
def three_pages(monkeypatch, configure):
    configure(web_rate_limit_pages=3)
    monkeypatch.setattr(throttling, "format_rate", lambda a_minute: f"{a_minute}/h")  # whose end a test hardly meets


def test_pages_are_counted_by_account_and_for_strangers_by_address(three_pages, alice, bob):
    for person, client_address in ((alice, "192.0.2.1"), (bob, "192.0.2.1"), (None, "192.0.2.1"), (None, "192.0.2.2")):
        client = Client(REMOTE_ADDR=client_address)
        if person:
            client.force_login(person)
        page = "/settings/" if person else "/s/no-such-link/"
        opened = [client.get(page) for _ in range(4)]
        assert [response.status_code for response in opened] == [200 if person else 404] * 3 + [429]
        assert int(opened[-1]["retry-after"]) > 0
        assert "guess" not in opened[-1].content.decode()


def test_pages_open_uncounted_where_redis_cannot_be_reached(three_pages, alice, client, redis_away):
    client.force_login(alice)
    assert [client.get("/settings/").status_code for _ in range(4)] == [200] * 4


def test_guesses_are_counted_for_themselves(three_pages, alice):
    assert [sign_in(Client(), "alice", "wrong").status_code for _ in range(4)] == [200] * 4
