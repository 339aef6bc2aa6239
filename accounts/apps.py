from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Keys and audit")

    def ready(self) -> None:
        from accounts import (
            sessions,  # noqa: F401  its receiver keeps the list of sessions
            watch,
        )

        watch.connect()
