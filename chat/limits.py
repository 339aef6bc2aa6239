"""How often a person may search, and give and take files: work that costs more than it looks.

Counted in Redis by the account, so that its keys and sessions share what it may. Unlike guessing at a password, this
goes on uncounted where Redis cannot be reached: who is signed in can read and take what is theirs all the same.
"""

from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.throttling import Limit, check_limit, count_request, format_rate
from jarvis.lib import api_errors
from jarvis.lib.config import config

__all__ = ["check_limit", "count_call", "file_limit", "search_limit"]


def search_limit() -> Limit:
    return Limit("searches", by_account=format_rate(config.web_rate_limit_searches))


def file_limit() -> Limit:
    """Exports and imports together."""
    return Limit("files", by_account=format_rate(config.web_rate_limit_files))


def count_call(request: HttpRequest, limit: Limit) -> None:
    """Count this for a script. Raises ApiError 429 where it was one too many."""
    if wait := count_request(request, limit):
        words = _("Too many at once. Try again in {seconds} s.").format(seconds=wait)
        raise api_errors.make_error(429, "rate_limit_exceeded", words, "rate_limit_error", retry_after=wait)
