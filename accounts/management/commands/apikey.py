"""API keys from a terminal: `apikey create --user NAME --name LABEL`, `apikey list`, `apikey revoke PREFIX`."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.management.people import MANAGE, require_account
from accounts.models import ApiKey


class Command(BaseCommand):
    help = "Make, list and revoke API keys. A new key is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a key and print it")
        create.add_argument("--user", required=True, help="the account that the key belongs to")
        create.add_argument("--name", required=True, help="a label, to know the key by")
        create.add_argument("--days", type=int, help="the key expires after so many days; without it, never")
        listing = verbs.add_parser("list", help="list keys")
        listing.add_argument("--user", help="of this account alone")
        revoke = verbs.add_parser("revoke", help="close a key for good")
        revoke.add_argument("prefix", help="the key's first characters, as `apikey list` shows them")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["verb"])(**options)

    def create(self, *, user: str, name: str, days: int | None, **_: Any) -> None:
        owner = require_account(user)
        if not owner.is_active:
            raise CommandError(f"The account {owner} is not active. Activate it first, under Users in the admin.")
        if days is not None and days < 1:
            raise CommandError("--days must be 1 or more.")
        expires = None if days is None else timezone.now() + timedelta(days=days)
        _key, secret = ApiKey.create_with_secret(owner.pk, name[:100], expires)
        self.stdout.write(secret)

    def list(self, *, user: str | None, **_: Any) -> None:
        keys = ApiKey.objects.select_related("owner")
        for key in keys.filter(owner=require_account(user)) if user else keys:
            state = "revoked" if key.revoked_at else "usable" if ApiKey.objects.usable().filter(pk=key.pk) else "closed"
            self.stdout.write(f"{key.prefix}…  {state:8} {key.owner.get_username():20} {key.label}")

    def revoke(self, *, prefix: str, **_: Any) -> None:
        keys = list(ApiKey.objects.filter(prefix=prefix.rstrip("…"), revoked_at=None))
        if len(keys) != 1:
            raise CommandError(f"{len(keys)} open keys begin with {prefix!r}. See: {MANAGE} apikey list")
        keys[0].revoke()
        self.stdout.write(f"{keys[0]} is revoked.")
