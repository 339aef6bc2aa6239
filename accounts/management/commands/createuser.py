"""Make an account: `createuser NAME`, with a prompt for the password or `--password-stdin`."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from accounts.management.people import get_password
from accounts.names import check_name, normalize_name


class Command(BaseCommand):
    help = "Make an account for the web chat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--admin", action="store_true", help="with the right to the admin pages")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        name, admin = normalize_name(options["name"]), options["admin"]
        user = User(username=name, is_staff=admin, is_superuser=admin)
        try:
            check_name(name)
            user.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user.set_password(get_password(user, stdin=options["password_stdin"]))
        try:
            user.save()
        except IntegrityError:  # somebody was quicker
            raise CommandError(f"There is an account {name} already. Nothing was done.") from None
        self.stdout.write(f"The account {user.username} is made.")
