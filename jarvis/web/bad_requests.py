"""Requests to pages that no browser of ours sends: 400, and never a failure. And addresses where there is nothing."""

from urllib.parse import quote

import structlog
from django.core.exceptions import DisallowedHost, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404
from django.utils.deprecation import MiddlewareMixin
from django.utils.encoding import iri_to_uri
from django.views.defaults import page_not_found

from jarvis.lib import api_errors
from jarvis.lib.http import error_response, wants_page
from jarvis.web.wrong_address import explain_wrong_address, with_final_slash

log = structlog.get_logger(__name__)

GONE = "There is no such thing, or it belongs to somebody else."
MAX_HOST_CHARS = 253  # characters, of a name in DNS


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own view looks for a CSRF token first, in the very body that cannot be read, and fails on it."""
    host = request.META.get("HTTP_HOST", "?")[:MAX_HOST_CHARS] if isinstance(exception, DisallowedHost) else ""
    return render(request, "400.html", {"host": host}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, and the way to an address that lacks only its last slash. A browser gets a page, a program JSON: it has most
    likely left out the `/v1` of its base address."""
    if wants_page(request) and with_final_slash(request.path_info) is None:
        return page_not_found(request, exception)
    if isinstance(exception, Resolver404) or not request.path_info.endswith("/"):
        return answer_wrong_address(request)
    return error_response(api_errors.make_error(404, "not_found", GONE))


def answer_wrong_address(request: HttpRequest) -> HttpResponse:
    """Where nothing is: the way to the same address with a final slash, where that is one, else what else may help."""
    if (meant := with_final_slash(request.path_info)) is not None:
        return redirect_to_slash(request, meant)
    return error_response(explain_wrong_address(request.path_info))


def redirect_to_slash(request: HttpRequest, path: str) -> HttpResponse:
    """301, or 308 where the method and the body have to come along; what follows no redirect can read where to go."""
    query = f"?{request.META['QUERY_STRING']}" if request.META["QUERY_STRING"] else ""
    status = 301 if request.method in ("GET", "HEAD") else 308
    response = error_response(api_errors.make_error(status, "moved", f"Use {path} instead, with its final slash."))
    response.headers["Location"] = iri_to_uri(quote(path) + query)
    return response


class Unstorable(MiddlewareMixin):
    """What Postgres will not have, such as a NUL in a filter of the admin, and what Django's admin hands to a column
    that cannot hold it: it looks values up, of chosen rows and of fields that complete a name, before any form has."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DataError) or (request.path.startswith("/admin/") and is_unfit_value(exception)):
            log.warning("request.unstorable", path=request.path, error=str(exception).strip()[:200])
            return bad_request(request, exception)
        return None


def is_unfit_value(error: BaseException) -> bool:
    """Whether a field of a model has refused a value, as that of a number does with a word. No other ValueError is
    one: that would hide faults of ours."""
    if isinstance(error, ValidationError):
        return True
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not isinstance(error, ValueError | TypeError):
        return False
    where = last.tb_frame
    return where.f_code.co_name == "get_prep_value" and where.f_globals["__name__"].startswith("django.db.models")
