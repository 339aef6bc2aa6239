"""Middleware: answers of pages and REST resources are for whoever they were made for, unless a view says otherwise.

A proxy that many people share must not keep what one of them got; nor may it keep a form with a stranger's token. What
programs read is not to be kept at all. Static files, which anybody may keep, say so themselves.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def keep_private(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    if iscoroutinefunction(get_response):

        async def in_async(request: HttpRequest) -> HttpResponseBase:
            answer: Awaitable[HttpResponseBase] = get_response(request)
            return mark_private(request, await answer)

        return in_async

    def in_sync(request: HttpRequest) -> HttpResponseBase:
        return mark_private(request, get_response(request))

    return in_sync


def mark_private(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    rule = "no-store" if request.path_info.startswith("/api/") else "private, no-cache"
    response.headers.setdefault("Cache-Control", rule)
    return response
