"""The access matrix: what each address with an object in it does for the object's owner, verb by verb.

An address that takes an object and is not in here fails `test_every_address_that_takes_an_object_is_in_the_matrix`.
Whoever adds one writes down how to make its object and what its owner gets; all others get 404.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User

from tests.security import world

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


@dataclass(frozen=True)
class Open:
    """An address whose parameter is no object of anyone's; where it is tried instead."""

    why: str


PAGE = {"GET": 200, "HEAD": 200}

MATRIX: dict[str, Owned | Open] = {
    "c/<uuid:id>/": Owned(world.conversation, PAGE),
    "v1/models/<path:model>": Open("models are the site's; tests/openai/test_views.py"),
    "setup/<str:token>/": Open("the link itself is the right; tests/accounts/test_views.py"),
}

# Frames: for each field that names an object, the frame and the code of the error that others get (None: no answer).
FRAMES: dict[tuple[str, str], tuple[dict[str, Any], str | None]] = {
    ("Ask", "conversation"): ({"text": "hello"}, "conversation_not_found"),
    ("Follow", "generation"): ({}, "not_found"),
    ("Unfollow", "generation"): ({}, None),
    ("Stop", "generation"): ({}, "not_found"),
}
FRAME_OBJECTS: dict[str, Callable[[User], Any]] = {
    "conversation": world.conversation,
    "generation": world.generation,
    "message": world.question,
}

# What an address without an object takes, so that what makes something is tried with a body that it accepts.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("sign-in/", "POST"): {"username": "alice", "password": "x"},
}

# Addresses that answer to anybody.
PUBLIC = {
    "health": "it says that it is alive",
    "health/ready": "it says whether it is ready",
    "api/v1/": "404, whatever the address",
    "favicon.ico": "a picture",
    "sign-in/": "where one comes in",
    "sign-out/": "it leads to where one comes in",
    "admin/login/": "where one comes in",
    "admin/logout/": "it leads to where one comes in",
    "admin/jsi18n/": "words of Django's",
}
