"""Forms of other sites are refused, and whoever meets that by mistake is told what the matter is."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.middleware import csrf
from django.utils.translation import gettext as _

from jarvis.lib.config import config
from jarvis.lib.origins import is_own_origin, page_origin, parse_origin, request_host

BAD_ORIGIN = csrf.REASON_BAD_ORIGIN.partition("%s")[0]
BAD_REFERER = csrf.REASON_BAD_REFERER.partition("%s")[0]
STALE_TOKEN = "incorrect."  # ends the reason: the token is well formed, and of another sign-in


class CsrfMiddleware(csrf.CsrfViewMiddleware):
    """Django's, with the one rule for which pages are ours. Two of its own methods are replaced for that, which
    `tests/jarvis/test_private_names.py` watches."""

    def _origin_verified(self, request: HttpRequest) -> bool:
        return is_own_origin(request.META["HTTP_ORIGIN"], request_host(request), secure=request.is_secure())

    def _check_referer(self, request: HttpRequest) -> None:
        referer = page_origin(request.META.get("HTTP_REFERER", ""))
        if not is_own_origin(referer, request_host(request), secure=True):
            super()._check_referer(request)  # type: ignore[misc]  # raises with its reason


@dataclass(frozen=True)
class Refusal:
    """Why a form was refused, in words for who sent it."""

    title: str
    text: str
    stale: bool = False  # in order but for its token, which is from before somebody signed in or out


def explain_refusal(request: HttpRequest, reason: str) -> Refusal:
    """The words for one of Django's reasons."""
    if reason.startswith((BAD_ORIGIN, BAD_REFERER)):
        return explain_origin(request, reason)
    if reason == csrf.REASON_INSECURE_REFERER:
        return insecure_page(request)
    if reason in (csrf.REASON_NO_REFERER, csrf.REASON_MALFORMED_REFERER):
        return hidden_page()
    if reason == csrf.REASON_NO_CSRF_COOKIE:
        return no_cookie()
    if reason == csrf.REASON_CSRF_TOKEN_MISSING:
        return Refusal(_("The form came without its token"), _("Go back, load the page again and send it once more."))
    text = _(
        "Since it was opened, somebody has signed in or out in this browser, perhaps in another tab. "
        "Go back, load the page again and send it once more."
    )
    return Refusal(_("The form is too old"), text, stale=reason.endswith(STALE_TOKEN))


def explain_origin(request: HttpRequest, reason: str) -> Refusal:
    """For a form of another address than the one that Jarvis was asked for under."""
    origin = request.META.get("HTTP_ORIGIN") or page_origin(request.META.get("HTTP_REFERER", ""))
    if parse_origin(origin) is None:
        return hidden_page()
    host = request_host(request)
    if request.is_secure() and is_own_origin(origin, host, secure=False):
        return insecure_page(request)
    text = _(
        "The form is from %(page)s, but Jarvis was asked for as %(host)s. If %(page)s is where you open Jarvis, tell "
        "whoever runs it: the proxy in front has to pass the header Host on as it came, or JARVIS_TRUSTED_ORIGINS "
        "has to name %(page)s."
    )
    return Refusal(_("The form is from another address"), text % {"page": origin, "host": host or "?"})


def insecure_page(request: HttpRequest) -> Refusal:
    text = _("This Jarvis takes forms over HTTPS only. Open https://%(host)s instead.")
    return Refusal(_("The page was opened without HTTPS"), text % {"host": request_host(request)})


def hidden_page() -> Refusal:
    text = _(
        "Your browser does not say which page the form is from. A setting or an add-on for privacy may hold that back: "
        "allow it for this site, or use another browser."
    )
    return Refusal(_("The form is from nowhere"), text)


def no_cookie() -> Refusal:
    text = _(
        "Your browser sent no cookie. Allow cookies for this site, load the page again and send the form once more."
    )
    if config.secure:
        text += " " + _("This Jarvis sets them over HTTPS only: see that the address begins with https://.")
    return Refusal(_("Cookies are missing"), text)
