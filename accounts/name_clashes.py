"""Accounts from before names had to differ in more than case: they are told, and the index waits for them."""

from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import connections
from django.db.models import Count
from django.db.models.functions import Lower, Upper

log = structlog.get_logger(__name__)

INDEX = "accounts_username_any_case"
# In capitals, as `__iexact` compares, which then uses it.
MAKE_INDEX = f"CREATE UNIQUE INDEX IF NOT EXISTS {INDEX} ON auth_user (UPPER(username))"
FIND_INDEX = "SELECT 1 FROM pg_indexes WHERE schemaname = ANY (current_schemas(false)) AND indexname = %s"


def find_clashes() -> list[str]:
    """A sentence for each name, and each address, that several accounts have."""
    names = find_shared_names(Upper("username"))
    emails = find_shared_names(Lower("email"))
    return [
        f"The accounts {group} differ in capitals only. Each signs in with its name just as it is written here; "
        "rename all but one, under Users in the admin."
        for group in names
    ] + [
        f"The accounts {group} have the same e-mail address. Change it for all but one, under Users in the admin."
        for group in emails
    ]


def find_shared_names(expression: Any) -> list[str]:
    """The names of the accounts for which the expression gives the same, as `ana, ANA`; nothing for an empty value."""
    valued = User.objects.annotate(value=expression).exclude(value="")
    shared = valued.values("value").annotate(count=Count("pk")).filter(count__gt=1).values_list("value", flat=True)
    groups: dict[str, list[str]] = {}
    for value, name in valued.filter(value__in=list(shared)).order_by("pk").values_list("value", "username"):
        groups.setdefault(value, []).append(name)
    return [", ".join(names) for names in groups.values()]


def keep_names_unique(using: str, verbosity: int, stdout: Any = None, **_: Any) -> None:
    """After each migration, so at each start: make the index, where names allow it; else say which do not.

    An upgrade does not stop for them: who could not sign in before can now, and so can the administrator who is to
    rename them.
    """
    clashes = find_clashes()
    for sentence in clashes:
        log.warning("accounts.clash", advice=sentence)
        if verbosity and stdout is not None:
            stdout.write(f"{sentence}\n")
    with connections[using].cursor() as cursor:
        cursor.execute(FIND_INDEX, [INDEX])
        if cursor.fetchone() is None and not find_shared_names(Upper("username")):
            cursor.execute(MAKE_INDEX)
