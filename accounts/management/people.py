"""What commands about accounts share: whom a name means, and a new password."""

import sys
from getpass import getpass

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from accounts.names import find_account, select_by_name

MANAGE = ".venv/bin/python manage.py"


def require_account(name: str) -> User:
    """The account of that name, whatever its case. Raises CommandError."""
    user = find_account(name)
    if user is not None:
        return user
    several = ", ".join(select_by_name(name).order_by("pk").values_list("username", flat=True))
    if several:
        raise CommandError(f"Write the name just as it is, for these differ in capitals only: {several}.")
    raise CommandError(f"There is no account {name!r}. Make it with: {MANAGE} createuser {name}")


def get_password(user: User, *, stdin: bool) -> str:
    """A new password for an account, checked; from standard input, else asked for twice. Raises CommandError."""
    password = read_password() if stdin else ask_password()
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password


def read_password() -> str:
    """The first line of standard input. What ends a line, or begins a file, on other systems is no part of it."""
    try:
        return sys.stdin.readline().removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError:
        raise CommandError("The password is not in UTF-8. Save it in that encoding.") from None


def ask_password() -> str:
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask for the password. Add --password-stdin, and pipe it in.")
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise CommandError("The two passwords differ. Nothing was done; try again.")
    return password
