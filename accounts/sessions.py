"""The sessions that a person sees and ends: who signed in from where, and when each was last in use."""

import time
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from jarvis.lib.client_address import UNIX, client_address

NOTE_INTERVAL_SECONDS = 60.0  # seconds
MAX_NOTED_SESSIONS = 10_000  # sessions remembered at most

_noted: dict[str, float] = {}


@receiver(user_logged_in)
def record_session(request: HttpRequest, user: User, **_: Any) -> None:
    """Put a new session on its owner's list, whichever way they signed in."""
    if not request.session.session_key:
        request.session.save()
    key = str(request.session.session_key)
    where = {"ip": session_address(request), "user_agent": request.META.get("HTTP_USER_AGENT", "")[:200]}
    UserSession.objects.update_or_create(session_key=key, defaults={"user": user, **where})
    _noted[key] = time.monotonic()


def session_address(request: HttpRequest) -> str:
    """As the database keeps it. A unix socket has none; whoever uses it is on this machine."""
    address = client_address(request)
    return "127.0.0.1" if address == UNIX else address


def note_use(session_keys: Collection[str]) -> None:
    """Note that these are in use: at most once a minute in each process, one query for all."""
    now = time.monotonic()
    due = {key for key in session_keys if now - _noted.get(key, -NOTE_INTERVAL_SECONDS) >= NOTE_INTERVAL_SECONDS}
    if not due:
        return
    if len(_noted) + len(due) > MAX_NOTED_SESSIONS:
        _noted.clear()
    _noted.update(dict.fromkeys(due, now))
    moment = timezone.now()
    stale = UserSession.objects.filter(
        session_key__in=due, last_seen_at__lt=moment - timedelta(seconds=NOTE_INTERVAL_SECONDS)
    )
    stale.update(last_seen_at=moment)
