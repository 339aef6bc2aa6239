"""Keys: every header at every door, gone within a second at all of them, and nothing to be learnt from the time.

CVE-2026-45339 (another header passed), 32717 and 44553 (a key or a socket that outlived its owner), CVE-2025-59425.
"""

import ast
import asyncio
import inspect

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from accounts import authentication
from accounts.models import ApiKey
from jarvis.lib.database import in_database
from tests.support.routes import routes
from tests.support.sockets import handshake_headers, handshake_refusal

pytestmark = pytest.mark.django_db(transaction=True)

ODD = [
    *("' OR '1'='1", '"; DROP TABLE accounts_apikey; --', "%00", "\x7f", "jv_" + "é" * 40, "%s%(a)s{}", "jv_", "*"),
    *("x" * 20_000, "jv_x jv_y", "Bearer jv_x", "null", "None", "undefined", "0" * 64, "\u00a0", "\t"),
]
DOORS = [
    ("GET", "/v1/models"),
    ("GET", "/api/status"),
    ("GET", "/api/history"),
    ("GET", "/api/schema/"),
    ("GET", "/api/usage"),
    ("POST", "/api/chat"),
    ("POST", "/api/chat/stream"),
    ("POST", "/v1/chat/completions"),
]
HEADERS = {
    "x-api-key": "{}",
    "X-API-KEY": "{}",
    "authorization": "Bearer {}",
    "Authorization": "bearer {}",
}


async def status(http, door, headers):
    verb, path = door
    response = await http.request(verb, path, headers=headers, content=b"{" if verb == "POST" else None)
    return response.status_code


async def socket(secret):
    """How a handshake with a key is answered; None: the socket stays open."""
    return await handshake_refusal(handshake_headers(origin=None, x_api_key=secret))


def test_every_door_for_keys_is_tried():
    """A new address of the API that no test here knows is added to DOORS, or takes no key."""
    known = {path.strip("/") for _, path in DOORS}
    api = {
        route.path.strip("/") for route in routes() if route.path.startswith(("api/", "v1/")) and not route.parameters
    }
    resources = {path for path in api if path.startswith("api/v1")}  # one authentication class for all, by settings
    assert api - resources - known == {"api/docs"}


async def test_every_header_opens_every_door_and_no_odd_one_does(http, cast):
    _, secret = await in_database(ApiKey.create_with_secret, cast.alice.pk, "test")
    for door in DOORS:
        for name, form in HEADERS.items():
            assert await status(http, door, {name: form.format(secret)}) in (200, 400), (door, name)
            for odd in (f"{secret}x", secret[:-1], secret.swapcase(), f"{secret},{secret}"):
                assert await status(http, door, {name: form.format(odd)}) == 401, (door, name, odd)
        for headers in (
            {"api-key": secret},
            {"x-api-token": secret},
            {"authorization": f"Basic {secret}"},
            {"authorization": secret},
            {"cookie": f"{settings.SESSION_COOKIE_NAME}={secret}; x-api-key={secret}"},
            {"x-api-key": secret, "authorization": "Bearer jv_other"},
            {"x-api-key": "jv_other", "authorization": f"Bearer {secret}"},
        ):
            assert await status(http, door, headers) == 401, (door, headers)
        verb, path = door
        response = await http.request(verb, f"{path}?api_key={secret}&x-api-key={secret}&key={secret}")
        assert response.status_code == 401  # never in an address, which ends up in logs


async def test_odd_keys_are_wrong_keys_at_every_door(http, cast):
    """CVE-2026-42208: SQL injection in the error path of the key look-up. Nothing is a 500, and nothing is gone."""
    row, _ = await in_database(ApiKey.create_with_secret, cast.alice.pk, "test")
    for door in DOORS:
        for odd in ODD:
            for name, form in (("x-api-key", "{}"), ("authorization", "Bearer {}")):
                value = form.format(odd).encode("latin-1", "ignore")
                assert await status(http, door, {name: value}) == 401, (door, odd)
    await in_database(row.refresh_from_db)


def revoke(user, row):
    row.revoke()


def deactivate(user, row):
    User.objects.filter(pk=user.pk).update(is_active=False)


def remove(user, row):
    User.objects.filter(pk=user.pk).delete()


@pytest.mark.alone
@pytest.mark.parametrize("happens", [revoke, deactivate, remove])
async def test_within_a_second_no_door_opens_any_more(http, cast, happens):
    row, secret = await in_database(ApiKey.create_with_secret, cast.alice.pk, "test")
    headers = {"authorization": f"Bearer {secret}"}
    for door in DOORS:  # each remembers the key now
        assert await status(http, door, headers) in (200, 400), door
    assert await socket(secret) is None
    await in_database(happens, cast.alice, row)
    await asyncio.sleep(1)
    for door in DOORS:
        assert await status(http, door, headers) == 401, door
    assert await socket(secret) == 401


def test_secrets_are_compared_in_constant_time_and_looked_up_by_hash():
    """CVE-2025-59425. No `==` on a secret: keys of the environment by compare_digest, the others by the index of a hash
    of 256 random bits, from which timing tells nothing."""
    tree = ast.parse(inspect.getsource(authentication))
    compared = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert not [text for text in compared if "==" in text and ("digest" in text or "secret" in text)]
    assert "compare_digest" in inspect.getsource(authentication)
