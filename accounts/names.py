"""Names and e-mail addresses of accounts: the same whatever their case and their form in Unicode, at every way in.

Names keep the case in which they were chosen, and no other account may have one that differs in case alone: forms and
commands say so, and an index of the database holds it. Addresses are kept in lower case. Whoever saves an account, a
shell included, saves it in this form.
"""

import unicodedata
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Count, QuerySet
from django.db.models.functions import Lower, Upper
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils.translation import gettext as _

log = structlog.get_logger(__name__)

INDEX = "accounts_username_any_case"
# In capitals, as `__iexact` compares, which then uses it.
MAKE_INDEX = f"CREATE UNIQUE INDEX IF NOT EXISTS {INDEX} ON auth_user (UPPER(username))"
FIND_INDEX = "SELECT 1 FROM pg_indexes WHERE schemaname = ANY (current_schemas(false)) AND indexname = %s"


def normalize_name(name: str) -> str:
    """As it is kept and looked for; its case stays."""
    return unicodedata.normalize("NFKC", name).strip()


def normalize_email(email: str) -> str:
    return unicodedata.normalize("NFC", email).strip().lower()


def select_by_name(name: str) -> QuerySet[User]:
    """The accounts of this name in any case: one at most, but for names from before this was so."""
    return User.objects.filter(username__iexact=normalize_name(name))


def find_account(name: str) -> User | None:
    """The account that is meant: the one of just this name, else the only one whose name differs in case alone."""
    found = list(select_by_name(name))
    exact = [user for user in found if user.username == normalize_name(name)]
    return exact[0] if exact else found[0] if len(found) == 1 else None


def check_name(name: str, of: User | None = None) -> None:
    """Raises ValidationError where another account has the name."""
    if exclude_account(select_by_name(name), of).exists():
        raise ValidationError(_("Another account has this name already. Capitals make no difference."))


def check_email(email: str, of: User | None = None) -> None:
    """Raises ValidationError where another account has the address."""
    if email and exclude_account(User.objects.filter(email__iexact=normalize_email(email)), of).exists():
        raise ValidationError(_("Another account has this address. Give another one, or none."))


def exclude_account(accounts: QuerySet[User], user: User | None) -> QuerySet[User]:
    return accounts if user is None or user.pk is None else accounts.exclude(pk=user.pk)


@receiver(pre_save, sender=User)
def normalize_account(instance: User, **_: Any) -> None:
    instance.username, instance.email = normalize_name(instance.username), normalize_email(instance.email)


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
