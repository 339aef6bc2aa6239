"""Who is calling: one function for every door, by API key or by session."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AbstractUser, User
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import ApiKey, digest
from jarvis.config import config
from jarvis.database import in_database

REMEMBER = 0.8  # seconds that a look-up is trusted, so that a revoked key is refused within one
REMEMBERED = 10_000  # look-ups kept at most
LONGEST_KEY = 256  # characters; anything longer was never a key
USED_EVERY = timedelta(minutes=1)


class Unauthenticated(Exception):
    """No key, or one that opens nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a call belongs to; `key_id` is None for sessions, keys from the environment and anonymous use."""

    user_id: int
    username: str
    key_id: int | None = None


# Look-ups by digest, done or under way: calls that come while one is under way wait for it.
_cache: dict[tuple[asyncio.AbstractEventLoop, str], tuple[float, asyncio.Task[Caller | None]]] = {}


def key_of(headers: Mapping[str, str]) -> str | None:
    """The key that a call presents, from `X-API-Key` or `Authorization: Bearer`; None where it presents none.

    Raises Unauthenticated where both are there and differ, since only one of them could be checked.
    """
    scheme, _, bearer = (headers.get("authorization") or "").partition(" ")
    found = {key for key in (headers.get("x-api-key"), bearer.strip() if scheme.lower() == "bearer" else None) if key}
    if len(found) > 1:
        raise Unauthenticated("Two different keys were given.")
    return found.pop() if found else None


async def caller_of(headers: Mapping[str, str]) -> Caller:
    """Who calls with these headers (names in lower case). Raises Unauthenticated; database errors pass through."""
    key = key_of(headers)
    if key is None:
        if config.allow_anonymous:
            return await in_database(service_caller, "anonymous")
        raise Unauthenticated("No API key was given.")
    if len(key) > LONGEST_KEY:
        raise Unauthenticated("This API key is not known.")
    caller = await asyncio.shield(looked_up(digest(key)))
    if caller is None:
        raise Unauthenticated("This API key is not known, has expired or was revoked.")
    return caller


def caller_now(headers: Mapping[str, str]) -> Caller:
    """The same for sync code: who calls with these headers. Raises Unauthenticated."""
    key = key_of(headers)
    if key is None:
        if config.allow_anonymous:
            return service_caller("anonymous")
        raise Unauthenticated("No API key was given.")
    caller = look_up(digest(key)) if len(key) <= LONGEST_KEY else None
    if caller is None:
        raise Unauthenticated("This API key is not known, has expired or was revoked.")
    return caller


def looked_up(found: str) -> asyncio.Task[Caller | None]:
    """The look-up of a digest that began at most REMEMBER seconds ago and has not failed."""
    now, place = time.monotonic(), (asyncio.get_running_loop(), found)
    until, task = _cache.get(place, (0.0, None))
    if task is None or now > until or (task.done() and (task.cancelled() or task.exception())):
        if len(_cache) >= REMEMBERED:
            _cache.clear()
        task = asyncio.create_task(in_database(look_up, found))
        _cache[place] = (now + REMEMBER, task)
    return task


def look_up(found: str) -> Caller | None:
    """The caller behind a key's digest, and a note in the row that the key was used."""
    if any(hmac.compare_digest(found, digest(key)) for key in config.api_keys):
        return service_caller("environment")
    key = ApiKey.objects.usable().filter(digest=found).select_related("owner").first()
    if key is None:
        return None
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return Caller(key.owner_id, key.owner.get_username(), key.pk)


def service_caller(name: str) -> Caller:
    """The caller that stands for keys from the environment, or for anonymous use: an account nobody can sign in to."""
    user, made = User.objects.get_or_create(username=f"jarvis:{name}")
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return Caller(user.pk, user.username)


def session_user(session_key: str | None) -> AbstractUser | None:
    """The active user of a session, or None. Sync: call it through `in_database`."""
    if not session_key:
        return None
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    request = HttpRequest()
    request.session = store(session_key)
    user = get_user(request)
    return user if isinstance(user, AbstractUser) and user.is_active else None


async def session_caller(cookies: Mapping[str, str]) -> Caller:
    """Who is signed in with these cookies. Raises Unauthenticated."""
    user = await in_database(session_user, cookies.get(settings.SESSION_COOKIE_NAME))
    if user is None:
        raise Unauthenticated("Nobody is signed in.")
    return Caller(user.pk, user.get_username())
