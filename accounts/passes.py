"""What opened a socket, and whether it would still open one."""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.authentication import Caller, Unauthenticated, caller_of, session_user
from accounts.models import ApiKey
from accounts.sessions import seen
from jarvis.database import in_database


@dataclass(frozen=True, slots=True)
class Pass:
    """A caller with what proved who it is: a session, or a key (both None for keys from the environment)."""

    caller: Caller
    session_key: str | None = None
    password: str = ""  # the stored hash at sign-in: a session ends when the password changes


async def key_pass(headers: dict[str, str]) -> Pass:
    """By API key. Raises Unauthenticated."""
    return Pass(await caller_of(headers))


async def session_pass(session_key: str | None) -> Pass:
    """By the session of the page. Raises Unauthenticated."""
    user = await in_database(session_user, session_key)
    if user is None:
        raise Unauthenticated("Nobody is signed in.")
    return Pass(Caller(user.pk, user.get_username()), session_key, user.password)


def void(passes: Collection[Pass]) -> set[Pass]:
    """Those that open nothing any more, by three queries for all of them: the account is not active or has another
    password, the session is over, the key was revoked or has expired."""
    passwords = dict(
        User.objects.filter(id__in={p.caller.user_id for p in passes}, is_active=True).values_list("id", "password")
    )
    session_keys = {p.session_key for p in passes if p.session_key}
    sessions = Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now())
    live_sessions = set(sessions.values_list("session_key", flat=True)) if session_keys else set()
    seen(live_sessions)
    key_ids = {p.caller.key_id for p in passes if p.caller.key_id}
    live_keys = set(ApiKey.objects.usable().filter(id__in=key_ids).values_list("id", flat=True)) if key_ids else set()

    def holds(p: Pass) -> bool:
        if p.caller.user_id not in passwords:
            return False
        if p.session_key:
            return p.session_key in live_sessions and passwords[p.caller.user_id] == p.password
        return p.caller.key_id is None or p.caller.key_id in live_keys

    return {p for p in passes if not holds(p)}
