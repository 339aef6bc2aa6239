"""Requests to pages that no browser of ours sends: 400, and never a failure."""

import structlog
from django.core.exceptions import ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

log = structlog.get_logger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own view looks for a CSRF token first, in the very body that cannot be read, and fails on it."""
    return render(request, "400.html", status=400)


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
