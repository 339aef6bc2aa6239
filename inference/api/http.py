"""One route of the API: its methods, its caller, and its errors as answers."""

from typing import Any, cast

import structlog
from django.contrib.auth.models import User
from django.db import DataError
from django.db import Error as DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.authentication import Caller, authenticate, build_caller, session_caller
from accounts.key_headers import Unauthenticated, presents_key
from accounts.models import Scope
from inference.queue.submit import QueueFull, Unavailable
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.client_address import client_address
from jarvis.lib.database import log_failure
from jarvis.lib.disk import explain_outage
from jarvis.lib.http import SAFE_METHODS, UNSTORABLE, View, choose_view, error_response, is_same_origin

log = structlog.get_logger(__name__)


def api_route(scope: Scope, /, **methods: View) -> View:
    """One route of the API: a view for each method, called with the request and its authenticated caller.

    Raises nothing of its own but ApiError: 401, 403 without the scope, 405, and 503 where Postgres or Redis is away or
    the queue is full. The view may leave headers for whatever answer it gives in `request.more_headers`.
    """

    async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase
        try:
            handler = choose_view(request, methods)
            caller = await authenticate_request(request)
            if not caller.has_scope(scope):
                raise api_errors.scope_required(scope)
            response = await handler(request, caller, *args, **kwargs)
        except ApiError as error:
            response = error_response(error)
        except QueueFull as full:
            response = error_response(full.error)
        except DataError:  # Postgres is there, and will not have it
            response = error_response(api_errors.invalid_request(UNSTORABLE))
        except (Unavailable, DatabaseError) as error:
            log_failure(log, error)
            response = error_response(api_errors.server_overloaded(explain_outage("The database cannot be reached.")))
        for name, value in getattr(request, "more_headers", {}).items():
            response.headers[name] = value
        return response

    return view


async def authenticate_request(request: HttpRequest) -> Caller:
    """The caller, by key, else by the session of the page. Raises ApiError 401."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    address = client_address(request)
    try:
        if presents_key(headers) or not request.COOKIES:
            return await authenticate(headers, address)
        if request.method not in SAFE_METHODS and not is_same_origin(request):
            raise Unauthenticated(
                "A page of another site cannot act for who is signed in here. (Where it is this site's, see "
                "JARVIS_TRUSTED_ORIGINS.)"
            )
        return await session_caller(request.COOKIES, address)
    except Unauthenticated as error:
        raise api_errors.invalid_api_key(str(error)) from None


def request_caller(request: Request) -> Caller:
    """The caller of a REST resource: of the key that it came with, else who is signed in."""
    return request.auth if isinstance(request.auth, Caller) else build_caller(cast(User, request.user))
