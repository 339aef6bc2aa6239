"""One function says who calls, whatever the door."""

import asyncio
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import authentication
from accounts.audit import AuditEvent
from accounts.authentication import Unauthenticated, authenticate, authenticate_sync, caller_for_key
from accounts.key_headers import presents_key, read_key
from accounts.models import MAX_KNOWN_ADDRESSES, ApiKey, hash_secret
from jarvis.lib.database import in_database

ODD = ["' OR 1=1 --", "\x00", "x" * 1_000_000, "jv_" + "é" * 50, "\ud800", "%s", "jv_';--"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(transactional_db):
    return User.objects.create_user("alice")


@pytest.fixture
def key(alice):
    return ApiKey.create_with_secret(alice.pk, "laptop")


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}


async def refused(headers):
    with pytest.raises(Unauthenticated):
        await authenticate(headers)


async def test_a_key_opens_from_either_header(key, alice):
    row, secret = key
    for headers in (bearer(secret), {"x-api-key": secret}, bearer(secret) | {"x-api-key": secret}):
        caller = await authenticate(headers)
        assert (caller.user_id, caller.key_id, caller.username) == (alice.pk, row.pk, "alice")


async def test_without_a_key_nobody_comes_in(alice):
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": ""}, {"x-api-key": ""}):
        await refused(headers)


async def test_two_different_keys_are_refused_whichever_is_right(key):
    await refused(bearer(key[1]) | {"x-api-key": "jv_other"})
    await refused(bearer("jv_other") | {"x-api-key": key[1]})


@pytest.mark.parametrize("closed", ["revoked", "expired", "inactive"])
async def test_a_closed_key_opens_nothing(key, alice, closed):
    row, secret = key
    now = timezone.now()
    if closed == "inactive":
        await in_database(User.objects.update, is_active=False)
    else:
        change = {"revoked_at": now} if closed == "revoked" else {"expires_at": now - timedelta(seconds=1)}
        await in_database(lambda: ApiKey.objects.filter(pk=row.pk).update(**change))
    await refused(bearer(secret))


async def test_calls_that_come_together_share_one_look_up(key):
    _row, secret = key
    callers = await asyncio.gather(*(authenticate(bearer(secret)) for _ in range(50)))
    assert len({id(caller) for caller in callers}) == 1


async def test_a_look_up_that_failed_is_not_remembered(key, monkeypatch):
    row, secret = key
    monkeypatch.setattr(authentication, "MAX_KEY_CHARS", 256)
    place = (asyncio.get_running_loop(), hash_secret(secret))
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(OSError("away"))
    failed.exception()
    authentication._cache[place] = (float("inf"), failed)
    assert (await authenticate(bearer(secret))).key_id == row.pk


def test_use_is_noted_at_most_once_a_minute(key):
    row, secret = key
    caller_for_key(hash_secret(secret), "192.0.2.7")
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    caller_for_key(hash_secret(secret), "192.0.2.8")
    row.refresh_from_db()
    assert (row.last_used_at, row.last_used_from) == (first, "192.0.2.7")
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    caller_for_key(hash_secret(secret))
    row.refresh_from_db()
    assert row.last_used_at > first


def test_a_look_up_costs_two_queries_and_a_third_once_a_minute(key):
    for cost in (3, 2):
        with CaptureQueriesContext(connection) as queries:
            caller_for_key(hash_secret(key[1]))
        assert len(queries) == cost


async def test_keys_from_the_environment_belong_to_an_account_nobody_can_sign_in_to(alice, configure):
    configure(api_keys=("one", "two"))
    caller = await authenticate(bearer("two"))
    assert (caller.username, caller.key_id) == ("jarvis:environment", None)
    assert not (await in_database(User.objects.get, pk=caller.user_id)).has_usable_password()
    await refused(bearer("three"))


async def test_anonymous_use_has_to_be_switched_on_by_name(alice, configure):
    await refused({})
    configure(allow_anonymous=True)
    assert (await authenticate({})).username == "jarvis:anonymous"
    await refused(bearer("jv_wrong"))  # a wrong key is still wrong


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=400) | st.sampled_from(ODD))
def test_no_header_is_anything_but_a_wrong_key(alice, text):
    with pytest.raises(Unauthenticated):
        asyncio.run(authenticate({"authorization": f"Bearer {text}" if text.strip() else "Bearer x"}))


def test_the_scheme_is_read_as_the_standard_says():
    assert read_key({"authorization": "bearer  abc "}) == "abc"
    assert read_key({"authorization": "BEARER abc"}) == "abc"
    assert read_key({"authorization": "abc"}) is None
    assert read_key({"authorization": " \tBearer abc\t "}) == read_key({"x-api-key": "\tabc "}) == "abc"
    assert read_key({"authorization": "Bearer abc", "x-api-key": "abc "}) == "abc"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "No API key was given."),
        ({"authorization": "SECRET"}, "`Authorization` does not begin with the word Bearer"),
        ({"authorization": "jv_SECRET more"}, "`Authorization` does not begin with the word Bearer"),
        ({"authorization": "Bearer"}, "`Authorization` is there, but holds no key"),
        ({"authorization": " "}, "`Authorization` is there, but holds no key"),
        ({"authorization": "Basic U0VDUkVU"}, "of the scheme Basic"),
        ({"authorization": "Token SECRET"}, "of the scheme Token"),
        ({"x-api-key": "  "}, "`X-API-Key` is there, but holds no key"),
        ({"api-key": "SECRET"}, "The header `api-key` is not read."),
        ({"x-goog-api-key": "SECRET"}, "The header `x-goog-api-key` is not read."),
        ({"x-auth-token": "SECRET", "authorization": "Bearer "}, "`Authorization`"),
    ],
)
async def test_what_is_said_where_no_key_was_read_names_the_header_and_not_its_value(alice, headers, words):
    with pytest.raises(Unauthenticated) as found:
        await authenticate(headers)
    assert words in str(found.value)
    assert "SECRET" not in str(found.value)
    assert "U0V" not in str(found.value)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x-api-key": "SECRET"}, "The API key in `X-API-Key` is not known, has expired or was revoked."),
        ({"authorization": "Bearer SECRET"}, "The API key in `Authorization` is not known"),
        ({"authorization": "Bearer Bearer SECRET"}, "begins with the word Bearer a second time"),
        ({"authorization": 'Bearer "SECRET"'}, "is in quotation marks"),
        ({"authorization": "Bearer a", "x-api-key": "b"}, "in `Authorization` and in `X-API-Key`"),
        ({"x-api-key": "SECRET" * 100}, "The API key in `X-API-Key`"),
    ],
)
async def test_what_is_said_of_a_wrong_key_names_the_header_and_not_the_key(alice, headers, words):
    for call in (lambda: authenticate(headers), lambda: in_database(authenticate_sync, headers)):
        with pytest.raises(Unauthenticated) as found:
            await call()
        assert words in str(found.value)
        assert "SECRET" not in str(found.value)


def test_a_password_of_a_proxy_is_no_key():
    assert not presents_key({"authorization": "Basic abc", "cookie": "sessionid=x"})
    assert presents_key({"authorization": "bearer abc"})
    assert presents_key({"x-api-key": ""})


def new_addresses(row):
    events = AuditEvent.objects.filter(event="key.new_address", object_id=str(row.pk)).order_by("id")
    return list(events.values_list("address", flat=True))


async def test_a_new_address_is_told_once_also_while_the_look_up_is_remembered(key):
    row, secret = key
    for address in ("192.0.2.7", "192.0.2.8", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.9"):
        assert (await authenticate(bearer(secret), address)).key_id == row.pk
    assert await in_database(new_addresses, row) == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]


async def test_of_calls_that_come_together_from_a_new_address_one_is_told(key):
    row, secret = key
    await asyncio.gather(*(authenticate(bearer(secret), f"192.0.2.{number % 3}") for number in range(60)))
    assert sorted(await in_database(new_addresses, row)) == ["192.0.2.0", "192.0.2.1", "192.0.2.2"]


async def test_a_known_address_costs_nothing(key, monkeypatch):
    """No query, no task and no thread: the call is answered from what is remembered."""
    _row, secret = key
    for address in ("192.0.2.7", "2001:db8::1"):
        await authenticate(bearer(secret), address)
    authentication._cache.clear()
    for address in ("192.0.2.7", "2001:db8::1"):
        await authenticate(bearer(secret), address)
    before = len(authentication._cache)

    def nothing(*_):
        raise AssertionError("That went to the database.")

    monkeypatch.setattr(authentication, "in_database", nothing)
    for address in ("192.0.2.7", "2001:db8::1", "2001:db8::77"):
        await authenticate(bearer(secret), address)
    assert len(authentication._cache) == before == 1


def test_what_is_remembered_of_addresses_is_bounded_and_so_is_what_is_told_in_a_day(key):
    row, secret = key
    for number in range(MAX_KNOWN_ADDRESSES + 20):
        caller = caller_for_key(hash_secret(secret), f"10.0.0.{number}")
    row.refresh_from_db()
    assert len(row.addresses) == len(new_addresses(row)) == MAX_KNOWN_ADDRESSES
    assert caller.addresses is None  # it roams: nobody looks for the time being
    row.addresses |= {"10.0.0.5": 1}
    row.save(update_fields=["addresses"])
    caller_for_key(hash_secret(secret), "10.9.9.9")  # the one known for longest makes room
    row.refresh_from_db()
    assert len(row.addresses) == MAX_KNOWN_ADDRESSES
    assert "10.9.9.9" in row.addresses
    assert "10.0.0.5" not in row.addresses
    assert AuditEvent.objects.filter(event="key.changed").count() == 0
