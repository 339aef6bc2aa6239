"""For who has lost the phone and the recovery codes: `twofactor off NAME`."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandParser

from accounts.management.people import require_account


class Command(BaseCommand):
    help = "Remove two-factor sign-in and passkeys of an account. Its password alone then signs in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["off"])
        parser.add_argument("name", help="the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = require_account(options["name"])
        count, _ = Authenticator.objects.filter(user=user).delete()
        self.stdout.write(f"{user} signs in with the password alone." if count else f"{user} had none.")
