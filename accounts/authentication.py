"""Who is calling: one function for every door, by API key or by session."""

import asyncio
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from msgspec import structs

from accounts.audit import record_event
from accounts.key_headers import Unauthenticated as Unauthenticated  # most raise or catch it with `authenticate`
from accounts.key_headers import explain_missing_key, explain_unknown_key, read_key
from accounts.limit_rules import Allowance, collect_allowances
from accounts.models import DEFAULT_SCOPES, ApiKey, GroupLimits, Limited, Scope, UserLimits, hash_secret
from jarvis.lib.client_address import UNIX, rate_bucket
from jarvis.lib.config import config
from jarvis.lib.database import in_database

CACHE_SECONDS = 0.8  # seconds that a look-up is trusted, so that a revoked key is refused within one
MAX_CACHED_KEYS = 10_000  # look-ups
MAX_KEY_CHARS = 256  # characters; anything longer was never a key
SERVICE_PREFIX = "jarvis:"  # begins the names of accounts that nobody can sign in to
LAST_USED_INTERVAL = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a call belongs to and what it may do; `key_id` is None for sessions, keys from the environment and anonymous
    use. `models`: the names of those that are open to it, None for all. `limits`: each is counted apart."""

    user_id: int
    username: str
    key_id: int | None = None
    scopes: frozenset[str] = frozenset(DEFAULT_SCOPES)
    models: frozenset[str] | None = None
    limits: tuple[Allowance, ...] = ()
    priority: int = 0
    address: str = ""
    addresses: frozenset[str] | None = None  # where its key is known to come from; None: nobody looks

    def has_scope(self, scope: str) -> bool:
        return scope in self.scopes

    def can_use_model(self, model: str) -> bool:
        return self.models is None or model in self.models

    def with_address(self, address: str) -> "Caller":
        """The same, calling from an address, which has a limit of its own."""
        if not address:
            return self
        limits, most = self.limits, config.web_rate_limit_address
        if most and address != UNIX:
            limits += (Allowance(subject=f"address:{rate_bucket(address)}", requests=most),)
        return replace(self, address=address, limits=limits)

    def with_subject(self, subject: str) -> "Caller":
        """The same, with what is counted for its account counted for a part of it; but an account has one budget."""
        whole = f"user:{self.user_id}"
        limits = [limit for limit in self.limits if limit.subject != whole]
        for limit in self.limits:
            if limit.subject == whole:
                parts = (
                    structs.replace(limit, subject=subject, budget=0),
                    Allowance(subject=whole, budget=limit.budget),
                )
                limits += [part for part in parts if part.is_limited]
        return replace(self, limits=tuple(limits))


# Look-ups, done or under way: calls that come while one is under way wait for it.
_cache: dict[tuple[asyncio.AbstractEventLoop, str], tuple[float, asyncio.Task[Caller | None]]] = {}


async def authenticate(headers: Mapping[str, str], address: str = "") -> Caller:
    """Who calls with these headers (names in lower case). Raises Unauthenticated; database errors pass through."""
    key = check_key(headers)
    if key is None:
        caller = await cached_caller("anonymous", service_caller, "anonymous")
        return restrict_anonymous(caller, address)
    found = hash_secret(key)
    caller = await cached_caller(found, caller_for_key, found, address)
    if caller is None:
        raise Unauthenticated(explain_unknown_key(headers))
    if address and caller.addresses is not None and address not in caller.addresses:
        where = rate_bucket(address)  # the same for an IPv4 address, so the line above settles it for those
        if where not in caller.addresses:
            await cached_caller(f"{found}@{where}", note_address, caller.key_id, address)
    return caller.with_address(address)


def authenticate_sync(headers: Mapping[str, str], address: str = "") -> Caller:
    """The same for sync code: who calls with these headers. Raises Unauthenticated."""
    key = check_key(headers)
    if key is None:
        return restrict_anonymous(service_caller("anonymous"), address)
    caller = caller_for_key(hash_secret(key), address)
    if caller is None:
        raise Unauthenticated(explain_unknown_key(headers))
    return caller.with_address(address)


def check_key(headers: Mapping[str, str]) -> str | None:
    """The key to look up; None for anonymous use. Raises Unauthenticated where neither can be."""
    key = read_key(headers)
    if key is None and not config.allow_anonymous:
        raise Unauthenticated(explain_missing_key(headers))
    if key is not None and len(key) > MAX_KEY_CHARS:
        raise Unauthenticated(explain_unknown_key(headers))
    return key


def require_caller(caller: Caller | None) -> Caller:
    if caller is None:
        raise Unauthenticated("This API key is not known, has expired or was revoked.")
    return caller


def restrict_anonymous(caller: Caller | None, address: str) -> Caller:
    """Everybody without a key is one account, counted by address, and without the history that all would share."""
    scopes = frozenset(DEFAULT_SCOPES) - {Scope.HISTORY}
    return replace(
        require_caller(caller).with_subject(f"anonymous:{rate_bucket(address)}"), scopes=scopes, address=address
    )


async def cached_caller(name: str, work: Callable[..., Caller | None], *args: Any) -> Caller | None:
    """The result of a look-up that began at most CACHE_SECONDS ago and has not failed."""
    now, place = time.monotonic(), (asyncio.get_running_loop(), name)
    until, task = _cache.get(place, (0.0, None))
    if task is None or now > until or (task.done() and (task.cancelled() or task.exception())):
        if len(_cache) >= MAX_CACHED_KEYS:
            _cache.clear()
        task = asyncio.create_task(in_database(work, *args))
        _cache[place] = (now + CACHE_SECONDS, task)
    return await asyncio.shield(task)


def caller_for_key(found: str, address: str = "") -> Caller | None:
    """The caller behind a key's digest, and a note in the row that the key was used, once in a while."""
    if sum(hmac.compare_digest(found, hash_secret(key)) for key in config.api_keys):  # all are compared, in equal time
        caller = service_caller("environment")
        return caller.with_subject(f"environment:{found[:16]}") if caller is not None else None
    key = ApiKey.objects.for_digest(found).select_related("owner__limits").first()
    if key is None:
        return None
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - LAST_USED_INTERVAL:
        stale = Q(last_used_at=None) | Q(
            last_used_at__lt=now - LAST_USED_INTERVAL
        )  # another process may have been quicker
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now, last_used_from=address)
    if address and rate_bucket(address) not in key.addresses and not key.is_roaming:
        note_address(key.pk, address)
        key.addresses[rate_bucket(address)] = 0
    caller = build_caller(key.owner, key)
    return replace(caller, addresses=None if key.is_roaming else frozenset(key.addresses))


@transaction.atomic
def note_address(key_id: int, address: str) -> None:
    """Tell the audit log where a key comes from for the first time; of calls that come together one does."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("owner").get(pk=key_id)
    if key.remember_address(rate_bucket(address)):
        record_event("key.new_address", actor=key.owner, obj=key, address=address, owner=key.owner.get_username())


def build_caller(user: User, key: ApiKey | None = None) -> Caller:
    """A user, with a key or signed in, with all rights and limits that hold for the two."""
    groups = list(GroupLimits.objects.filter(group__user=user))
    personal: UserLimits | None = getattr(user, "limits", None)
    own = ([personal] if personal else []) + [group for group in groups if not group.shared]
    shared = [(group.pk, group) for group in groups if group.shared]
    site = (config.web_rate_limit_requests, config.web_rate_limit_tokens, config.web_rate_limit_parallel)
    scopes = set(DEFAULT_SCOPES) | {Scope.ADMIN_READ} if key is None else set(key.scopes)
    return Caller(
        user.pk,
        user.get_username(),
        key.pk if key else None,
        frozenset(map(str, scopes if user.is_staff else scopes - {Scope.ADMIN_READ})),
        intersect_models([*([personal] if personal else []), *groups, *([key] if key else [])]),
        collect_allowances(user.pk, own, shared, (key.pk, key) if key else None, (*site, config.monthly_tokens)),
        max((group.priority for group in groups), default=0),
    )


def intersect_models(rows: Iterable[Limited]) -> frozenset[str] | None:
    """The models that every row which names any names; None where no row does."""
    named = [frozenset(row.allowed_models) for row in rows if row.allowed_models]
    return frozenset.intersection(*named) if named else None


def service_caller(name: str) -> Caller | None:
    """The caller that stands for keys from the environment, or for anonymous use: an account nobody can sign in to.
    None where an administrator has deactivated it, which closes all that it stands for without a restart."""
    user, made = User.objects.select_related("limits").get_or_create(username=f"{SERVICE_PREFIX}{name}")
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return build_caller(user) if user.is_active else None


def user_caller(user_id: int) -> Caller | None:
    """Somebody who is signed in, as things are now; None where the account is not active any more."""
    user = User.objects.select_related("limits").filter(pk=user_id, is_active=True).first()
    return build_caller(user) if user else None


def session_user(session_key: str | None) -> User | None:
    """The active user of a session, or None. Sync: call it through `in_database`."""
    if not session_key:
        return None
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    request = HttpRequest()
    request.session = store(session_key)
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None


async def session_caller(cookies: Mapping[str, str], address: str = "") -> Caller:
    """Who is signed in with these cookies. Raises Unauthenticated."""

    def caller() -> Caller | None:
        user = session_user(cookies.get(settings.SESSION_COOKIE_NAME))
        return build_caller(user) if user else None

    found = await in_database(caller)
    if found is None:
        raise Unauthenticated("Nobody is signed in.")
    return found.with_address(address)
