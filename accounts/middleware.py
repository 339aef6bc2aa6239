"""What a page has to know of its reader: what they prefer, their language, their time zone."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from accounts.models import Preferences
from accounts.sessions import note_use

ZONE_COOKIE = "jarvis_zone"  # set by static/accounts/page.js
LANGUAGES = [code for code, _name in settings.LANGUAGES]


def apply_preferences(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: `request.preferences`; pages in the language that the reader chose and the zone their browser has."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        preferences = Preferences.for_user(request.user)
        request.preferences = preferences  # type: ignore[attr-defined]
        if preferences.language in LANGUAGES:
            translation.activate(preferences.language)
            request.LANGUAGE_CODE = preferences.language
        if request.user.is_authenticated and request.session.session_key:
            note_use([request.session.session_key])
        with timezone.override(parse_zone(request.COOKIES.get(ZONE_COOKIE, ""))):
            return get_response(request)

    return middleware


def parse_zone(name: str) -> ZoneInfo | None:
    """The zone of that name; None, which is UTC, where there is none. The name is whatever a client sent."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
