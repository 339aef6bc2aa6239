"""What every interface over HTTP shares: JSON answers, errors as answers, and who sent a request."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from jarvis.lib.api_errors import ApiError

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
UNSTORABLE = "A value cannot be stored, such as a text with a NUL character or a number that is too large. Correct it."


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")


def error_response(error: ApiError) -> HttpResponse:
    return json_response(error.body(), error.status, error.headers)


def is_same_origin(request: HttpRequest) -> bool:
    """Whether a browser says that one of our own pages sends this."""
    return request.headers.get("origin") == f"{request.scheme}://{request.get_host()}"
