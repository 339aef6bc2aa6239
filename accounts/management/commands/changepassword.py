"""Set a new password: `changepassword NAME`, with a prompt or `--password-stdin`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.people import get_password, require_account


class Command(BaseCommand):
    help = "Set a new password for an account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the account")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        user = require_account(options["name"])
        user.set_password(get_password(user, stdin=options["password_stdin"]))
        user.save()
        self.stdout.write(f"The account {user.username} has a new password.")
