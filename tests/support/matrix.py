"""The access matrix: what each address with an object in it does for the object's owner, verb by verb.

An address that takes an object and is not in here fails `test_every_address_that_takes_an_object_is_in_the_matrix`.
Whoever adds one writes down how to make its object and what its owner gets; all others get 404.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User

from tests.support import world

VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
NOWHERE = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Owned:
    """An address of somebody's own object."""

    make: Callable[[User], Any]
    verbs: dict[str, int]  # what the owner gets; any other verb is a 405 for everybody
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: Callable[[Any], dict[str, Any]] = lambda made: {"id": made.pk}  # of the address's parameters
    nowhere: dict[str, Any] = field(default_factory=lambda: {"id": NOWHERE})
    keys: bool = False  # whether it opens to API keys, too
    staff: frozenset[str] = frozenset()  # verbs by which an administrator may read or do this to anybody's
    locked: frozenset[str] = frozenset()  # verbs for which one has to be signed in: a key gets 403


@dataclass(frozen=True)
class Open:
    """An address whose parameter is no object of anyone's; where it is tried instead."""

    why: str


UNSAFE = frozenset(("POST", "PUT", "PATCH", "DELETE"))
PAGE = {"GET": 200, "HEAD": 200}
REST = {"GET": 200, "HEAD": 200, "OPTIONS": 200}
PK = {"pk": NOWHERE}


def by_pk(made: Any) -> dict[str, Any]:
    return {"pk": made.pk}


def conversation_of(message: Any) -> dict[str, Any]:
    return {"id": message.conversation_id, "message": message.pk}


MATRIX: dict[str, Owned | Open] = {
    # Pages
    "c/<uuid:id>/": Owned(world.conversation, PAGE),
    "c/<uuid:id>/messages/": Owned(world.conversation, PAGE),
    "c/<uuid:id>/messages/<int:message>/source/": Owned(
        world.message, PAGE, values=conversation_of, nowhere={"id": NOWHERE, "message": 2**40}
    ),
    "settings/sessions/<int:id>/end/": Owned(world.session, {"POST": 302}, nowhere={"id": 2**40}),
    "settings/keys/<int:id>/revoke/": Owned(world.key, PAGE | {"POST": 302}, nowhere={"id": 2**40}),
    # Resources
    "api/v1/conversations/<pk>/": Owned(
        *(world.conversation, REST | {"PATCH": 200, "DELETE": 204}, {"PATCH": {"title": "mine"}}),
        *(by_pk, PK),
        keys=True,
    ),
    "api/v1/conversations/<pk>/export/": Owned(world.conversation, REST, {}, by_pk, PK, keys=True),
    "api/v1/conversations/<pk>/messages/": Owned(world.conversation, REST, {}, by_pk, PK, keys=True),
    "api/v1/conversations/<pk>/restore/": Owned(
        world.deleted, {"OPTIONS": 200, "POST": 200}, {"POST": {}}, by_pk, PK, keys=True
    ),
    "api/v1/shares/<pk>/": Owned(world.share, {"OPTIONS": 200, "DELETE": 204}, {}, by_pk, {"pk": 2**40}, keys=True),
    "api/v1/keys/<pk>/": Owned(
        world.key, REST, {}, by_pk, {"pk": 2**40}, keys=True, staff=frozenset(("GET", "HEAD")), locked=UNSAFE
    ),
    "api/v1/keys/<pk>/revoke/": Owned(
        *(world.key, {"OPTIONS": 200, "POST": 200}, {}, by_pk, {"pk": 2**40}),
        keys=True,
        locked=UNSAFE,
    ),
    "api/v1/generations/<pk>/": Owned(
        world.generation, REST, {}, by_pk, PK, keys=True, staff=frozenset(("GET", "HEAD"))
    ),
    "api/v1/generations/<pk>/cancel/": Owned(
        world.generation, {"OPTIONS": 200, "POST": 200}, {}, by_pk, PK, keys=True, staff=frozenset(("POST",))
    ),
    "api/v1/models/<pk>/": Open("models are the site's; tests/jarvis/test_rest_resources.py"),
    "api/v1/workers/<pk>/": Open("workers are the site's; tests/jarvis/test_rest_resources.py"),
    "api/v1/workers/<pk>/pause/": Open("workers are the site's; tests/jarvis/test_rest_resources.py"),
    "api/v1/workers/<pk>/resume/": Open("workers are the site's; tests/jarvis/test_rest_resources.py"),
    # Behind the password: allauth asks for it once more before it looks at the address
    "settings/passkeys/<int:pk>/": Open("allauth's own; tests/accounts/test_settings.py"),
    "settings/passkeys/<int:pk>/remove/": Open("allauth's own; tests/accounts/test_settings.py"),
    # Not of anyone
    "join/<str:token>/": Open("the link itself is the right; tests/accounts/test_invitations.py"),
    "reset/<uidb36>-<key>/": Open("the link itself is the right; tests/accounts/test_reset.py"),
    "confirm-email/<key>/": Open("the link itself is the right; allauth's own"),
    "oidc/<str:provider_id>/login/": Open("providers are the site's; tests/accounts/test_oidc.py"),
    "oidc/<str:provider_id>/login/callback/": Open("providers are the site's; tests/accounts/test_oidc.py"),
    "v1/models/<path:model>": Open("models are the site's; tests/openai/test_views.py"),
    "setup/<str:token>/": Open("the link itself is the right; tests/accounts/test_views.py"),
    "s/<str:token>/": Open("the link itself is the right; tests/chat/test_conversations.py"),
}

# Frames: for each field that names an object, the frame and the code of the error that others get (None: no answer).
FRAMES: dict[tuple[str, str], tuple[dict[str, Any], str | None]] = {
    ("Ask", "conversation"): ({"text": "hello"}, "conversation_not_found"),
    ("Follow", "generation"): ({}, "not_found"),
    ("Unfollow", "generation"): ({}, None),
    ("Stop", "generation"): ({}, "not_found"),
    ("Edit", "message"): ({"text": "hello"}, "not_found"),
    ("Regenerate", "message"): ({}, "not_found"),
    ("Continue", "message"): ({}, "not_found"),
    ("Show", "message"): ({}, "not_found"),
    ("Configure", "conversation"): ({"temperature": 1}, "conversation_not_found"),
    ("Details", "generation"): ({}, "not_found"),
}
FRAME_OBJECTS: dict[str, Callable[[User], Any]] = {
    "conversation": world.conversation,
    "generation": world.generation,
    "message": world.question,
    "Regenerate": world.message,  # a frame that takes another kind of message than a question
    "Continue": world.stopped,
}

# What an address without an object takes, so that what makes something is tried with a body that it accepts.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("api/v1/keys/", "POST"): {"label": "mine"},
    ("api/v1/shares/", "POST"): {"conversation": NOWHERE},
    ("sign-in/", "POST"): {"login": "alice", "password": "x"},
    ("settings/", "POST"): {"username": "alice", "first_name": "Alice"},
    ("settings/keys/", "POST"): {"label": "mine"},
    ("settings/appearance/", "POST"): {"theme": "dark", "language": "en"},
    ("settings/chat/", "POST"): {"system_prompt": "Be brief."},
}

STEPS = ("two-factor", "passkey", "again", "again/code", "again/passkey", "inactive", "cancelled", "failed", "name")

# Addresses that answer to anybody.
PUBLIC = {
    "health": "it says that it is alive",
    "health/ready": "it says whether it is ready",
    "api/v1/": "404, whatever the address",
    "favicon.ico": "a picture",
    "sign-in/": "where one comes in",
    "sign-up/": "where one comes in, if that is open",
    **dict.fromkeys((f"sign-in/{step}/" for step in STEPS), "a step of coming in"),
    **dict.fromkeys(("reset/", "reset/sent/", "reset/done/"), "for a password that is lost"),
    "settings/email/sent/": "tells that a mail was sent",
    "manifest.webmanifest": "the site's name and icons",
    "sign-out/": "it leads to where one comes in",
    "admin/login/": "where one comes in",
    "admin/logout/": "it leads to where one comes in",
    "admin/jsi18n/": "words of Django's",
}
