"""What opened a socket, and whether it would still open one."""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.authentication import (
    Caller,
    authenticate,
    build_caller,
    cached_caller,
    caller_for_key,
    require_caller,
    session_user,
    user_caller,
)
from accounts.key_headers import Unauthenticated, read_key
from accounts.models import ApiKey, Scope, hash_secret
from accounts.sessions import note_use
from jarvis.lib.database import in_database


@dataclass(frozen=True, slots=True)
class Pass:
    """A caller with what proved who it is: a session, or a key (both None for keys from the environment)."""

    caller: Caller
    session_key: str | None = None
    password: str = ""  # the stored hash at sign-in: a session ends when the password changes
    digest: str = ""  # of the key; one that was rotated away opens nothing any more

    async def refresh(self) -> Caller:
        """The caller with the rights and limits of this moment. Raises Unauthenticated."""
        user, address = self.caller.user_id, self.caller.address
        if self.digest:
            return require_caller(await cached_caller(self.digest, caller_for_key, self.digest, address)).with_address(
                address
            )
        if self.session_key:
            return require_caller(await cached_caller(f"user:{user}", user_caller, user)).with_address(address)
        return self.caller  # anonymous


async def key_pass(headers: dict[str, str], address: str) -> Pass:
    """By API key. Raises Unauthenticated."""
    key = read_key(headers)
    return Pass(await authenticate(headers, address), digest=hash_secret(key) if key else "")


async def session_pass(session_key: str | None, address: str) -> Pass:
    """By the session of the page. Raises Unauthenticated."""

    def open_pass() -> Pass | None:
        user = session_user(session_key)
        return Pass(build_caller(user).with_address(address), session_key, user.password) if user else None

    found = await in_database(open_pass)
    if found is None:
        raise Unauthenticated("Nobody is signed in.")
    return found


def find_void_passes(passes: Collection[Pass]) -> set[Pass]:
    """Those that open nothing any more, by three queries for all of them: the account is not active or has another
    password, the session is over, the key was revoked, rotated away, has expired or may not chat any more."""
    passwords = dict(
        User.objects.filter(id__in={p.caller.user_id for p in passes}, is_active=True).values_list("id", "password")
    )
    session_keys = {p.session_key for p in passes if p.session_key}
    sessions = Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now())
    live_sessions = set(sessions.values_list("session_key", flat=True)) if session_keys else set()
    note_use(live_sessions)
    key_ids = {p.caller.key_id for p in passes if p.caller.key_id}
    keys = ApiKey.objects.usable().filter(id__in=key_ids, scopes__contains=[Scope.CHAT])
    live_digests = {digest for key in keys for digest in key.digests} if key_ids else set()

    def is_valid(p: Pass) -> bool:
        if p.caller.user_id not in passwords:
            return False
        if p.session_key:
            return p.session_key in live_sessions and passwords[p.caller.user_id] == p.password
        return p.caller.key_id is None or p.digest in live_digests

    return {p for p in passes if not is_valid(p)}
