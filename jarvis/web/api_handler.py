"""Django's ASGI handler on a short stack, for the API: no sessions, no forms, no thread per request.

Django runs most of its own middleware, its start and finish signals and `response.close` in threads that it makes for
each request, which costs more than all that Jarvis does with one. API views are async to the bottom and reach the
database through `jarvis.lib.database`, so none of that is needed here.
"""

import asyncio
import io
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestAborted, SuspiciousOperation
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve, set_script_prefix

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.http import View, error_response
from jarvis.lib.private_names import close_resources
from jarvis.lib.request_id import request_context

log = structlog.get_logger(__name__)


class BodyTooLarge(Exception):
    """The body is larger than `JARVIS_MAX_BODY_BYTES`."""


class ApiHandler(ASGIHandler):
    """Answers everything under PREFIXES; every error there has the OpenAI shape."""

    PREFIXES = ("/v1", "/api/", "/health")

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._middleware_chain = request_context(call_view)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        set_script_prefix(get_script_prefix(scope))
        try:
            body = await read_body(scope, receive)
            request = ASGIRequest(scope, io.BytesIO(body))
        except RequestAborted:
            return
        except BodyTooLarge:
            await self.refuse(scope, send, api_errors.request_too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
            return
        work = asyncio.create_task(self.respond(request, send))
        gone = asyncio.ensure_future(receive())  # after the body, the only message is that the client has left
        await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not work.done():
            work.cancel()
        await asyncio.wait([work])
        if not work.cancelled() and (error := work.exception()):
            log.error("request.broke", path=request.path, exc_info=error)

    async def refuse(self, scope: dict[str, Any], send: Any, error: ApiError) -> None:
        """Answer without having looked any further."""

        async def refusal(_: HttpRequest) -> HttpResponseBase:
            return error_response(error)

        await self.send_response(await request_context(refusal)(ASGIRequest(scope, io.BytesIO())), send)

    async def respond(self, request: HttpRequest, send: Any) -> None:
        response = await self._middleware_chain(request)
        try:
            await self.send_response(response, send)
        finally:
            close_resources(response)


async def read_body(scope: dict[str, Any], receive: Any) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is, RequestAborted where the client leaves."""
    limit, parts, size = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge
        if not message.get("more_body"):
            return b"".join(parts)


async def call_view(request: HttpRequest) -> HttpResponseBase:
    """Find the view and call it; whatever it raises becomes an answer."""
    try:
        request.get_host()
        match = resolve(request.path_info)
        request.resolver_match = match
        view: View = match.func
        return await view(request, *match.args, **match.kwargs)
    except ApiError as error:
        return error_response(error)
    except Resolver404:
        return error_response(api_errors.not_found(request.path))
    except DisallowedHost:
        return error_response(
            api_errors.invalid_request("This host name is not served here. See JARVIS_ALLOWED_HOSTS.")
        )
    except SuspiciousOperation as error:  # such as more fields in the query than anybody needs
        return error_response(api_errors.invalid_request(f"{error} Send an ordinary request."))
    except Exception as error:
        log.error("request.failed", path=request.path, exc_info=error)
        return error_response(api_errors.internal_error())
