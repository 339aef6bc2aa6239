"""Around every request: an id that follows it through all logs, and a log line at its end.

Written for async stacks, so that no thread is taken for it.
"""

import re
import secrets
import time
from collections.abc import Awaitable, Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

log = structlog.get_logger(__name__)

SECRET_ARGUMENTS = ("token", "key", "uidb36")  # parameters of addresses that open something to whoever has them
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

Handler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def choose_request_id(given: str | None) -> str:
    """The caller's own id where it is a harmless word, else a new one."""
    return given if given and VALID_REQUEST_ID.fullmatch(given) else secrets.token_hex(12)


def loggable_path(request: HttpRequest) -> str:
    """The path as a log may show it: for a link that is a secret, only the pattern of its route."""
    match = getattr(request, "resolver_match", None)  # channels' scopes and requests that came to nothing have none
    if match is not None and any(name in SECRET_ARGUMENTS for name in match.kwargs):
        return f"/{match.route}"
    return request.path


def request_context(get_response: Handler) -> Handler:
    """Middleware: `request.request_id`, the header `x-request-id`, and the log line `request`."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        id = choose_request_id(request.headers.get("x-request-id"))
        request.request_id = id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=id):
            response = await get_response(request)
            took = round((time.perf_counter() - began) * 1000, 1)
            log.info(
                "request", method=request.method, path=loggable_path(request), status=response.status_code, ms=took
            )
        response.headers["x-request-id"] = id
        response.headers.setdefault("openai-processing-ms", str(round(took)))
        return response

    return middleware


request_context.async_capable = True  # type: ignore[attr-defined]
request_context.sync_capable = False  # type: ignore[attr-defined]
