"""The Content-Security-Policy of every page: nothing inline, nothing from elsewhere."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ]
)
POLICY_OF_DEBUG_PAGES = POLICY.replace("script-src", "script-src 'unsafe-inline'").replace(
    "style-src", "style-src 'unsafe-inline'"
)


@sync_and_async_middleware
def content_security_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware: the policy on whatever does not bring its own."""
    if iscoroutinefunction(get_response):

        async def in_async(request: HttpRequest) -> HttpResponseBase:
            answer: Awaitable[HttpResponseBase] = get_response(request)
            return with_policy(await answer)

        return in_async

    def in_sync(request: HttpRequest) -> HttpResponseBase:
        return with_policy(get_response(request))

    return in_sync


def relax_policy_of_errors(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], Any]:
    """Middleware of `make dev` alone: Django's debug pages carry their style and script in themselves."""

    def relax(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code >= 400:
            response.headers["Content-Security-Policy"] = POLICY_OF_DEBUG_PAGES
        return response

    return relax


def with_policy(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response
