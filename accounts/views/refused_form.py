"""The page for a form that was refused (403), and the way on for who has signed in meanwhile."""

from urllib.parse import urlsplit

from allauth.account.utils import get_next_redirect_url
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.csrf import explain_refusal
from jarvis.lib.origins import is_own_origin, page_origin, request_host

# Pages that lead in. Who is in already, through another tab, is where these would have led.
ENTRY_PAGES = {"login", "account_login", "account_signup", "join", "setup", "mfa_authenticate", "socialaccount_signup"}


def refuse_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What Django calls with its reason."""
    refusal = explain_refusal(request, reason)
    match = request.resolver_match
    if refusal.stale and match is not None and match.url_name in ENTRY_PAGES and request.user.is_authenticated:
        return redirect(get_next_redirect_url(request) or "home")
    return render(request, "403_csrf.html", {"refusal": refusal, "back": former_page(request)}, status=403)


def former_page(request: HttpRequest) -> str:
    """The path of the page that holds the form, where that is one of ours."""
    referer = request.META.get("HTTP_REFERER", "")
    ours = is_own_origin(page_origin(referer), request_host(request), secure=request.is_secure())
    path = urlsplit(referer).path if ours else ""
    return path if path.startswith("/") and not path.startswith("//") else "/"
