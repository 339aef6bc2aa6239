from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import (
            sessions,  # noqa: F401  its receiver keeps the list of sessions
            watch,
        )

        watch.connect()
