"""How often a person may search, and give and take files: work that costs more than it looks.

Counted in Redis by the account, so that its keys and sessions share what it may. Unlike guessing at a password, this
goes on uncounted where Redis cannot be reached: who is signed in can read and take what is theirs all the same.
"""

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from accounts.limits import Limit, seconds_to_wait, too_many
from inference.openai import errors
from jarvis.config import config

log = structlog.get_logger(__name__)


def searches() -> Limit:
    return Limit("searches", by_account=rate(config.web_rate_limit_searches))


def files() -> Limit:
    """Exports and imports together."""
    return Limit("files", by_account=rate(config.web_rate_limit_files))


def rate(a_minute: int) -> str:
    """As django-ratelimit writes it; empty for no limit."""
    return f"{a_minute}/m" if a_minute else ""


def refusal(request: HttpRequest, limit: Limit) -> HttpResponse | None:
    """Count this; the page to answer with where it was one too many."""
    wait = wait_for(request, limit)
    return too_many(request, wait) if wait else None


def hold(request: HttpRequest, limit: Limit) -> None:
    """The same for scripts. Raises ApiError 429."""
    if wait := wait_for(request, limit):
        words = _("Too many at once. Try again in {seconds} s.").format(seconds=wait)
        raise errors.make(429, "rate_limit_exceeded", words, "rate_limit_error", retry_after=wait)


def wait_for(request: HttpRequest, limit: Limit) -> int:
    try:
        return seconds_to_wait(request, limit)
    except RedisError as error:
        log.warning("redis.away", error=str(error), limit=limit.group)
        return 0
