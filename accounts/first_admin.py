"""The link that makes the first administrator: it works until there is one."""

from django.contrib.auth.models import User
from django.core import signing
from django.db import connection, transaction
from django.urls import reverse

SALT = "jarvis.first-administrator"
MAX_LINK_AGE_SECONDS = 24 * 3600
SETUP_LOCK_ID = 0x6A617276  # any number that no other lock uses


def needs_first_admin() -> bool:
    return not User.objects.filter(is_superuser=True).exists()


def first_admin_link() -> str | None:
    """The path of the link, good for a day; None once an administrator exists."""
    return reverse("setup", args=[signing.dumps("administrator", salt=SALT)]) if needs_first_admin() else None


def is_valid_token(token: str) -> bool:
    try:
        return (
            bool(signing.loads(token, salt=SALT, max_age=MAX_LINK_AGE_SECONDS) == "administrator")
            and needs_first_admin()
        )
    except signing.BadSignature:
        return False


def make_first_admin(username: str, password: str) -> User | None:
    """The first administrator; None where somebody was quicker."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SETUP_LOCK_ID])
        return User.objects.create_superuser(username=username, password=password) if needs_first_admin() else None
