"""Receivers of signals that write the audit log: sign-ins, the admin, and all that is saved of keys and accounts."""

from functools import partial
from typing import Any

from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import AbstractBaseUser, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save
from django.http import HttpRequest

from accounts.audit import record_event
from accounts.models import ApiKey, GroupLimits, Invitation, UserLimits
from accounts.names import find_account
from jarvis.lib.client_address import client_address

# What is watched: the name of its events, and fields that change by themselves all the time.
AUDITED_MODELS: dict[type[Model], tuple[str, frozenset[str]]] = {
    ApiKey: ("key", frozenset({"last_used_at", "last_used_from", "addresses"})),
    Invitation: ("invitation", frozenset({"uses"})),
    User: ("user", frozenset({"last_login"})),
    UserLimits: ("limits", frozenset()),
    GroupLimits: ("limits", frozenset()),
}
ADMIN_EVENTS = {ADDITION: "admin.added", CHANGE: "admin.changed", DELETION: "admin.deleted"}


def connect_signals() -> None:
    """Called once, when the app is ready."""
    user_logged_in.connect(record_sign_in, dispatch_uid="audit")
    user_logged_out.connect(record_sign_out, dispatch_uid="audit")
    user_login_failed.connect(record_failed_sign_in, dispatch_uid="audit")
    for signal, event in (
        (authenticator_added, "added"),
        (authenticator_removed, "removed"),
        (authenticator_reset, "reset"),
    ):
        signal.connect(partial(record_second_factor, f"second_factor.{event}"), weak=False, dispatch_uid="audit")
    post_save.connect(record_admin_log, sender=LogEntry, dispatch_uid="audit")
    for model in AUDITED_MODELS:
        pre_save.connect(remember_old_values, sender=model, dispatch_uid="audit")
        post_save.connect(record_save, sender=model, dispatch_uid="audit")
        post_delete.connect(record_delete, sender=model, dispatch_uid="audit")


def record_sign_in(user: AbstractBaseUser, request: HttpRequest | None = None, **_: Any) -> None:
    record_event("sign_in", actor=user, address=client_address(request) if request is not None else "")


def record_sign_out(user: AbstractBaseUser | None, request: HttpRequest | None = None, **_: Any) -> None:
    if user is not None:
        record_event("sign_out", actor=user, address=client_address(request) if request is not None else "")


def record_failed_sign_in(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """The name is kept only where an account has it: people sometimes type their password into the wrong field."""
    user = find_account(str(credentials.get("username") or "")[:150])
    record_event(
        "sign_in.failed", obj=user, address=client_address(request) if request is not None else "", known=bool(user)
    )


def record_second_factor(event: str, user: AbstractBaseUser, authenticator: Any, **_: Any) -> None:
    record_event(event, obj=user, kind=authenticator.type)


def record_admin_log(instance: LogEntry, created: bool, **_: Any) -> None:
    if not created:
        return
    kind = instance.content_type
    label = f"{kind.app_label}.{kind.model}" if kind is not None else ""
    about = (label, str(instance.object_id or ""), instance.object_repr)
    record_event(
        ADMIN_EVENTS[instance.action_flag], actor=instance.user, obj=about, change=instance.get_change_message()
    )


def remember_old_values(sender: type[Model], instance: Model, update_fields: Any = None, **_: Any) -> None:
    """Keep the stored values of the row, for `record_save` to compare."""
    quiet = AUDITED_MODELS[sender][1]
    instance._stored = None  # type: ignore[attr-defined]
    if instance.pk is not None and not (update_fields and set(update_fields) <= quiet):
        instance._stored = sender._base_manager.filter(pk=instance.pk).values().first()  # type: ignore[attr-defined]


def record_save(sender: type[Model], instance: Model, created: bool, **_: Any) -> None:
    name, quiet = AUDITED_MODELS[sender]
    stored: dict[str, Any] | None = instance.__dict__.pop("_stored", None)
    if created:
        record_event(f"{name}.made", obj=instance, **owner_details(instance))
    elif stored is not None:
        now = {field.attname: getattr(instance, field.attname) for field in instance._meta.concrete_fields}
        changed = {field for field, value in now.items() if stored.get(field) != value} - quiet
        if changed:
            record_event(
                f"{name}.{choose_verb(changed, now)}", obj=instance, **owner_details(instance), fields=sorted(changed)
            )


def record_delete(sender: type[Model], instance: Model, **_: Any) -> None:
    record_event(f"{AUDITED_MODELS[sender][0]}.deleted", obj=instance, **owner_details(instance))


def owner_details(instance: Model) -> dict[str, Any]:
    """The name of the account or group that it belongs to."""
    match instance:
        case ApiKey():
            return {"owner": instance.owner.get_username()}
        case UserLimits():
            return {"user": instance.user.get_username()}
        case GroupLimits():
            return {"group": instance.group.name}
    return {}


def choose_verb(changed: set[str], now: dict[str, Any]) -> str:
    """The most telling word for what was changed."""
    if "revoked_at" in changed and now["revoked_at"] is not None:
        return "revoked"
    if "digest" in changed:
        return "rotated"
    if "password" in changed:
        return "password_changed"
    if "is_active" in changed:
        return "activated" if now["is_active"] else "deactivated"
    if changed & {"is_staff", "is_superuser"}:
        return "rights_changed"
    return "changed"
