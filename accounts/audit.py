"""Who did what, when and from where: an append-only log of everything that concerns access.

`record` writes one event. `accounts.audit_signals` calls it for sign-ins, the admin, keys and accounts, so that other
code rarely has to. The acting person and their address come from the request under way, see `remember_request`.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext_lazy as _

from jarvis.lib.client_address import client_address

SECRET_WORDS = ("secret", "password", "digest", "token", "session", "cookie", "authorization")  # never in the details
MAX_VALUE_CHARS = 500  # characters of one value in the details

_request: ContextVar[HttpRequest | None] = ContextVar("request_under_way", default=None)


class AuditEvent(models.Model):
    """One event. Neither Django nor SQL changes or deletes it: a trigger in the database refuses both."""

    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    event = models.CharField(_("event"), max_length=40, db_index=True, help_text=_("What was done, as key.revoked."))
    # Without a constraint, since the account may be deleted and the event may not be changed.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("who"),
    )
    actor_name = models.CharField(_("who, by name"), max_length=150, blank=True, help_text=_("As it was then."))
    object_type = models.CharField(_("kind of object"), max_length=60, blank=True)
    object_id = models.CharField(_("object's id"), max_length=64, blank=True)
    object_name = models.CharField(_("object"), max_length=200, blank=True, help_text=_("As it was then."))
    address = models.CharField(_("address"), max_length=64, blank=True)
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.event} {self.object_name}".strip()


About = tuple[str, str, str]  # kind, id and name of the object


def record_event(
    event: str,
    *,
    actor: AbstractBaseUser | None = None,
    obj: models.Model | About | None = None,
    address: str = "",
    **details: Any,
) -> AuditEvent:
    """Write an event, in the transaction under way. Where no actor or address is given, the request's are taken.

    Details that may hold a secret, by their name, are left out, and long values cut.
    """
    request = _request.get()
    if actor is None and request is not None:
        user = getattr(request, "user", None)
        actor = user if isinstance(user, AbstractBaseUser) and user.pk is not None else None
    kind, id, name = describe_object(obj) if isinstance(obj, models.Model) else obj or ("", "", "")
    return AuditEvent.objects.create(
        event=event,
        actor_id=actor.pk if actor is not None else None,
        actor_name=actor.get_username() if actor is not None else "",
        object_type=kind[:60],
        object_id=id[:64],
        object_name=name[:200],
        address=address or (client_address(request) if request is not None else ""),
        details={name: to_json_value(value) for name, value in details.items() if not is_secret_name(name)},
    )


def describe_object(obj: models.Model) -> About:
    return obj._meta.label_lower, "" if obj.pk is None else str(obj.pk), str(obj)


def is_secret_name(name: str) -> bool:
    return any(word in name.lower() for word in SECRET_WORDS)


def to_json_value(value: Any) -> Any:
    """A value as JSON holds it, of bounded size."""
    if isinstance(value, dict):
        return {str(name): to_json_value(inner) for name, inner in value.items() if not is_secret_name(str(name))}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json_value(inner) for inner in list(value)[:100]]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:MAX_VALUE_CHARS]


@sync_and_async_middleware
def remember_request(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware, after the authentication's: lets `record` know who acts and from where."""
    if iscoroutinefunction(get_response):

        async def in_async(request: HttpRequest) -> Any:
            mark = _request.set(request)
            try:
                return await get_response(request)
            finally:
                _request.reset(mark)

        return in_async

    def in_sync(request: HttpRequest) -> Any:
        mark = _request.set(request)
        try:
            return get_response(request)
        finally:
            _request.reset(mark)

    return in_sync
