"""For who has lost the phone and the recovery codes: `twofactor off NAME`."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Remove two-factor sign-in and passkeys of an account. Its password alone then signs in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["off"])
        parser.add_argument("name", help="the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['name']!r}.")
        count, _ = Authenticator.objects.filter(user=user).delete()
        self.stdout.write(f"{user} signs in with the password alone." if count else f"{user} had none.")
