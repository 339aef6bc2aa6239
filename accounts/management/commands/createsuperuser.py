"""Django's command, for who knows it; names differ in more than case here too. Ours is `createuser NAME --admin`."""

from typing import Any

from django.contrib.auth.management.commands.createsuperuser import Command as DjangoCommand
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import IntegrityError

from accounts.names import check_name


class Command(DjangoCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_name(options.get("username") or "")
            super().handle(*args, **options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except IntegrityError:  # a name that was typed in answer to the question
            raise CommandError("Another account has this name already. Capitals make no difference.") from None
