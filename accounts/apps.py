from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


def keep_names_unique(**migrated: Any) -> None:
    """Have the index of names made, or what is in its way told."""
    from accounts import name_clashes

    name_clashes.keep_names_unique(**migrated)


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Keys and audit")

    def ready(self) -> None:
        from accounts import audit_signals, names, sessions  # noqa: F401  sessions: its receiver keeps their list

        audit_signals.connect_signals()
        post_migrate.connect(keep_names_unique, sender=self)
