"""What every interface over HTTP shares: JSON answers, errors as answers, and who sent a request."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.origins import is_own_origin

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
UNSTORABLE = "A value cannot be stored, such as a text with a NUL character or a number that is too large. Correct it."


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")


def error_response(error: ApiError) -> HttpResponse:
    return json_response(error.body(), error.status, error.headers)


def choose_view(request: HttpRequest, methods: Mapping[str, View]) -> View:
    """The view for the request's method, of those by the names of methods in small letters; where there is one for GET,
    it is that for HEAD as well (RFC 9110, 9.1). Raises ApiError 405 with the header `allow`."""
    method = (request.method or "").lower()
    view = methods.get("get" if method == "head" else method)
    if view is None:
        allowed = ", ".join(name.upper() for name in [*methods, *(["head"] if "get" in methods else [])])
        raise api_errors.method_not_allowed(request.method or "", allowed).with_headers({"allow": allowed})
    return view


def open_route(**methods: View) -> View:
    """A route that asks nobody who they are: a view for each method."""

    async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return await choose_view(request, methods)(request, *args, **kwargs)

    return view


def wants_page(request: HttpRequest) -> bool:
    """Whether an answer is for a person's eyes: browsers name HTML among what they accept, programs do not."""
    return "text/html" in request.headers.get("accept", "").lower()


def is_same_origin(request: HttpRequest) -> bool:
    """Whether a browser says that one of our own pages sends this."""
    return is_own_origin(request.headers.get("origin", ""), request.get_host(), secure=request.is_secure())
