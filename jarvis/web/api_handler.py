"""Django's ASGI handler on a short stack, for the API: no sessions, no forms, no thread per request.

Django runs most of its own middleware, its start and finish signals and `response.close` in threads that it makes for
each request, which costs more than all that Jarvis does with one. API views are async to the bottom and reach the
database through `jarvis.lib.database`, so none of that is needed here.
"""

import asyncio
import io
from typing import Any

import structlog
from django.core.exceptions import DisallowedHost, RequestAborted, SuspiciousOperation
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve, set_script_prefix

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.http import View, error_response
from jarvis.lib.json_text import to_utf8
from jarvis.lib.private_names import close_resources
from jarvis.lib.request_id import request_context
from jarvis.web.api_answer import PRIVATE_HEADERS, send_whole
from jarvis.web.bad_requests import answer_wrong_address
from jarvis.web.request_body import read_body

log = structlog.get_logger(__name__)


class ApiHandler(ASGIHandler):
    """Answers everything under PREFIXES; every error there has the OpenAI shape."""

    PREFIXES = ("/v1", "/api/", "/health")

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._middleware_chain = request_context(call_view)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        set_script_prefix(get_script_prefix(scope))
        try:
            body = await read_body(receive)
            request = ASGIRequest(scope, io.BytesIO(plain_json(scope, body)))
        except RequestAborted:
            return
        except ApiError as error:
            await self.refuse(scope, send, error)
            return
        work = asyncio.create_task(self.respond(request, send))
        gone = asyncio.ensure_future(receive())  # after the body, the only message is that the client has left
        await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not work.done():
            work.cancel()
        await asyncio.wait([work])
        if not work.cancelled() and (failure := work.exception()):
            log.error("request.broke", path=request.path, exc_info=failure)

    async def refuse(self, scope: dict[str, Any], send: Any, error: ApiError) -> None:
        """Answer without having looked any further."""

        async def refusal(_: HttpRequest) -> HttpResponseBase:
            return error_response(error)

        request = ASGIRequest(scope, io.BytesIO())
        await self.send(request, await request_context(refusal)(request), send)

    async def respond(self, request: HttpRequest, send: Any) -> None:
        response = await self._middleware_chain(request)
        try:
            await self.send(request, response, send)
        finally:
            close_resources(response)

    async def send(self, request: HttpRequest, response: HttpResponseBase, send: Any) -> None:
        if isinstance(response, HttpResponse):
            await send_whole(request, response, send)
            return
        for name, value in PRIVATE_HEADERS.items():
            response.headers[name] = value
        await self.send_response(response, send)


def plain_json(scope: dict[str, Any], body: bytes) -> bytes:
    """The body as all that read JSON here expect it: in UTF-8, and nothing before it."""
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
            break
    if body[:1] == b"{" and b"=" not in content_type:
        return body
    return to_utf8(body, content_type.decode("latin1"))


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
        return answer_wrong_address(request)
    except DisallowedHost:
        return error_response(
            api_errors.invalid_request("This host name is not served here. See JARVIS_ALLOWED_HOSTS.")
        )
    except SuspiciousOperation as error:  # such as more fields in the query than anybody needs
        return error_response(api_errors.invalid_request(f"{error} Send an ordinary request."))
    except Exception as error:
        log.error("request.failed", path=request.path, exc_info=error)
        return error_response(api_errors.internal_error())
