"""Names and e-mail addresses of accounts: the same whatever their case and their form in Unicode, at every way in.

Names keep the case in which they were chosen, and no other account may have one that differs in case alone: forms and
commands say so, and an index of the database holds it (`accounts.name_clashes`). Addresses are kept in lower case.
Whoever saves an account, a shell included, saves it in this form.
"""

import unicodedata
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils.translation import gettext as _


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
