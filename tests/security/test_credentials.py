"""Every way to show a key x every state of it x every endpoint of /v1 and /api x a model that is open or forbidden.

CVE-2026-45339, 44563: a restriction was passed by sending the key in another header, or the model list was not checked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import ApiKey
from inference.models import LanguageModel
from inference.queue import rate_limits
from jarvis.lib.database import in_database
from tests.support.gateway import until_ready
from tests.support.matrix import MATRIX, Owned
from tests.support.routes import routes
from tests.support.sockets import handshake_headers, handshake_refusal, worker

__all__ = ["worker"]

pytestmark = pytest.mark.django_db(transaction=True)

CHAT, MODELS, HISTORY = "chat", "models", "history"
ASK = {"model": "fake", "messages": [{"role": "user", "content": "count"}], "max_tokens": 4}
OK, REFUSED = (200, None), (401, "invalid_api_key")
NO_SCOPE = SIGNED_IN_ONLY = STAFF_ONLY = (403, "permission_denied")
HIDDEN = (404, "model_not_found")


@dataclass(frozen=True)
class Door:
    """An endpoint, the scope that it wants, what a fit key gets, and what one gets to which the model is forbidden."""

    verb: str
    path: str
    scope: str | None
    fit: tuple[int, str | None] = OK
    body: Any = None
    forbidden: tuple[int, str | None] | None = None  # None: it names no model


# verb, path as in the URL configuration, scope, a fit key's answer, body, and the answer where the model is forbidden
DOORS = [
    Door("POST", "v1/chat/completions", CHAT, body=ASK, forbidden=HIDDEN),
    Door("POST", "v1/chat/completions", CHAT, body=ASK | {"stream": True}, forbidden=HIDDEN),
    Door("GET", "v1/models", MODELS),
    Door("GET", "v1/models/<path:model>", MODELS, forbidden=HIDDEN),
    Door("GET", "api/status", MODELS),
    Door("POST", "api/chat", CHAT, body={"message": "count", "model": "fake"}, forbidden=HIDDEN),
    Door("POST", "api/chat/stream", CHAT, body={"message": "count", "model": "fake"}, forbidden=HIDDEN),
    Door("GET", "api/history", HISTORY),
    Door("DELETE", "api/history", HISTORY),
    Door("GET", "api/usage", HISTORY),
    Door("GET", "api/schema/", None),
    Door("GET", "api/docs/", None),
    Door("GET", "api/v1/conversations/", HISTORY),
    Door("GET", "api/v1/conversations/export/", HISTORY),
    Door("GET", "api/v1/conversations/search/", HISTORY),
    Door("POST", "api/v1/conversations/import/", HISTORY, fit=(400, "invalid_request_error"), body={}),
    Door("GET", "api/v1/shares/", HISTORY),
    Door("POST", "api/v1/shares/", HISTORY, fit=(400, "invalid_request_error"), body={}),
    Door("GET", "api/v1/keys/", None),
    Door("POST", "api/v1/keys/", None, fit=SIGNED_IN_ONLY, body={"label": "another"}),
    Door("GET", "api/v1/models/", MODELS),
    Door("GET", "api/v1/models/<pk>/", MODELS, forbidden=(404, "not_found")),
    Door("PATCH", "api/v1/models/<pk>/", MODELS, fit=SIGNED_IN_ONLY, body={"enabled": False}),
    Door("GET", "api/v1/usage/", HISTORY),
    Door("GET", "api/v1/workers/", None, fit=STAFF_ONLY),
    Door("GET", "api/v1/workers/<pk>/", None, fit=STAFF_ONLY),
    Door("POST", "api/v1/workers/<pk>/pause/", None, fit=STAFF_ONLY),
    Door("POST", "api/v1/workers/<pk>/resume/", None, fit=STAFF_ONLY),
    Door("GET", "api/v1/generations/", HISTORY),
]
SCOPES = {"api/v1/conversations/": HISTORY, "api/v1/shares/": HISTORY, "api/v1/generations/": HISTORY}
DOORS += [  # objects of one's own, as the access matrix has them
    Door(
        verb,
        path,
        next((scope for start, scope in SCOPES.items() if path.startswith(start)), None),
        SIGNED_IN_ONLY if verb in row.locked else (status, None),
        row.bodies.get(verb),
    )
    for path, row in MATRIX.items()
    if isinstance(row, Owned) and row.keys
    for verb, status in row.verbs.items()
    if verb not in ("HEAD", "OPTIONS")
]


def made(**fields: Any) -> Callable[[User], dict[str, str]]:
    """A key of alice's with these fields."""

    def make(alice: User) -> dict[str, str]:
        given = {name: value() if callable(value) else value for name, value in fields.items()}
        key, secret = ApiKey.create_with_secret(alice.pk, "test", **given)
        return {"secret": secret, "pk": str(key.pk)}

    return make


def revoked(alice):
    found = made()(alice)
    ApiKey.objects.get(pk=found["pk"]).revoke()
    return found


def rotated(hours):
    def make(alice):
        found = made()(alice)
        ApiKey.objects.get(pk=found["pk"]).rotate(timezone.now() + timedelta(hours=hours))
        return found

    return make


def of_nobody_active(alice):
    found = made()(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    return found


def nothing(alice):
    return {"secret": ""}


def wrong(alice):
    return {"secret": made()(alice)["secret"][:-1] + "~"}


@dataclass(frozen=True)
class Credential:
    """A key in some state: whether it opens anything, what it lacks, what is forbidden to it."""

    make: Callable[[User], dict[str, str]]
    opens: bool = True
    scopes: tuple[str, ...] = (CHAT, "embeddings", MODELS, HISTORY)
    allowed: bool = True  # the model


CREDENTIALS = {
    "a fit key": Credential(made()),
    "a key that names the model": Credential(made(allowed_models=["fake", "other"])),
    "a key to which the model is forbidden": Credential(made(allowed_models=["other"]), allowed=False),
    "a key without chat": Credential(made(scopes=[MODELS, HISTORY]), scopes=(MODELS, HISTORY)),
    "a key without models": Credential(made(scopes=[CHAT, HISTORY]), scopes=(CHAT, HISTORY)),
    "a key without history": Credential(made(scopes=[CHAT, MODELS]), scopes=(CHAT, MODELS)),
    "a key with no scope of use here": Credential(made(scopes=["embeddings"]), scopes=("embeddings",)),
    "a key with a right that its owner lacks": Credential(made(scopes=["admin-read"]), scopes=()),
    "a former secret that still works": Credential(rotated(1)),
    "a former secret": Credential(rotated(-1), opens=False),
    "no key": Credential(nothing, opens=False),
    "a wrong key": Credential(wrong, opens=False),
    "an expired key": Credential(made(expires_at=lambda: timezone.now() - timedelta(seconds=1)), opens=False),
    "a revoked key": Credential(revoked, opens=False),
    "a key of a deactivated account": Credential(of_nobody_active, opens=False),
}

# How a key may be shown. Two different ones are refused whichever of them is right.
FORMS: dict[str, tuple[Callable[[str], dict[str, str]], bool]] = {
    "x-api-key": (lambda key: {"x-api-key": key}, True),
    "bearer": (lambda key: {"authorization": f"Bearer {key}"}, True),
    "bearer in lower case": (lambda key: {"authorization": f"bearer {key}"}, True),
    "both": (lambda key: {"x-api-key": key, "authorization": f"Bearer {key}"}, True),
    "two that differ": (lambda key: {"x-api-key": key, "authorization": "Bearer jv_other"}, False),
    "two that differ the other way": (lambda key: {"x-api-key": "jv_other", "authorization": f"Bearer {key}"}, False),
    "another scheme": (lambda key: {"authorization": f"Basic {key}"}, False),
    "another header": (lambda key: {"api-key": key, "x-auth-token": key}, False),
    "a cookie": (
        lambda key: {"cookie": f"x-api-key={key}; authorization={key}; {settings.SESSION_COOKIE_NAME}={key}"},
        False,
    ),
}


def expected(door: Door, credential: Credential, form_opens: bool) -> tuple[int, str | None]:
    if not (credential.opens and form_opens):
        return REFUSED
    if door.scope is not None and door.scope not in credential.scopes:
        return NO_SCOPE
    if not credential.allowed and door.forbidden is not None:
        return door.forbidden
    return door.fit


def test_every_endpoint_is_in_the_table():
    """`api/v1/` alone is the 404 of addresses that are none."""
    there = {route.path for route in routes() if route.path.startswith(("api/", "v1/"))} - {"api/v1/"}
    assert {door.path for door in DOORS} == there


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_what_a_key_opens_does_not_depend_on_how_it_is_shown(http, cast, worker, name):
    await until_ready()
    rate_limits._refused.clear()
    credential, alice = CREDENTIALS[name], cast.alice
    found = await in_database(credential.make, alice)
    fixed = {"model": "fake", "pk": await in_database(lambda: LanguageModel.objects.get(name="fake").pk)}
    for door in DOORS:
        row = MATRIX.get(door.path)
        url, route = "", next(route for route in routes() if route.path == door.path)
        for form, (headers_of, opens) in FORMS.items():
            if not opens and name != "a fit key":
                continue  # what the fit key does not open in this way, no other does
            wanted = expected(door, credential, opens)
            if not url or door.verb not in ("GET", "HEAD"):  # what was changed before is made anew
                owned = row.values(await in_database(row.make, alice)) if isinstance(row, Owned) else fixed
                url = route.url({**owned, **({"pk": "0" * 16} if "workers" in door.path else {})})
            headers = headers_of(found["secret"]) if found["secret"] else {}
            response = await http.request(door.verb, url, headers=headers, json=door.body)
            code = response.json()["error"]["code"] if response.status_code >= 400 else None
            assert (response.status_code, code) == wanted, (door, form, response.text[:300])


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_the_socket_takes_the_same_keys(cast, model, name):
    credential = CREDENTIALS[name]
    found = await in_database(credential.make, cast.alice)
    door = Door("GET", "ws/chat/", CHAT)
    for form in ("x-api-key", "bearer", "two that differ", "another header"):
        headers_of, opens = FORMS[form]
        headers = headers_of(found["secret"]) if found["secret"] else {}
        status, _ = expected(door, credential, opens)
        named = {header.replace("-", "_"): value for header, value in headers.items()}
        assert await handshake_refusal(handshake_headers(origin=None, **named)) == (
            None if status == 200 else status
        ), form
