"""The admin of accounts. Django looks for it here."""

from accounts.admin import moments  # noqa: F401, I001  before the pages, which copy the defaults that it sets
from accounts.admin import audit, keys, limits, users  # noqa: F401  they register themselves
