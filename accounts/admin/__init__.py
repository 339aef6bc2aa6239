"""The admin of accounts. Django looks for it here."""

from accounts.admin import audit, keys, users  # noqa: F401  they register themselves
