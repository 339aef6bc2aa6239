from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Keys and audit")

    def ready(self) -> None:
        from accounts import audit_signals, names, sessions  # noqa: F401  sessions: its receiver keeps their list

        audit_signals.connect_signals()
        post_migrate.connect(names.keep_names_unique, sender=self)
