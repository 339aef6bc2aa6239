"""Errors of the REST resources in the one shape that all interfaces share."""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.http import UNSTORABLE, error_response

log = structlog.get_logger(__name__)


def handle_exception(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler: JSON, whatever the view answers otherwise."""
    fault = to_api_error(error, context)
    if fault is None:
        log.error("request.failed", path=context["request"].path, exc_info=error)
        fault = api_errors.internal_error()
    set_rollback()
    return error_response(fault)


def to_api_error(error: Exception, context: dict[str, Any]) -> ApiError | None:
    match error:
        case ApiError():
            return error
        case Http404() | exceptions.NotFound():
            return api_errors.make_error(404, "not_found", "There is no such thing, or it belongs to somebody else.")
        case exceptions.NotAuthenticated():
            return api_errors.invalid_api_key("No API key was given, and nobody is signed in.")
        case exceptions.AuthenticationFailed():
            return api_errors.invalid_api_key(str(error.detail))
        case PermissionDenied() | exceptions.PermissionDenied():
            return api_errors.permission_denied("do this")
        case exceptions.MethodNotAllowed():
            request, view = context["request"], context["view"]
            return api_errors.method_not_allowed(request.method, ", ".join(view.allowed_methods))
        case exceptions.ValidationError():
            name, fault = first_error(error.detail)
            return api_errors.invalid_request(f"{name}: {fault}" if name else fault, name)
        case SuspiciousOperation():
            return api_errors.invalid_request(f"{error} Send an ordinary request.")
        case RecursionError():
            return api_errors.invalid_request("The body is nested too deeply. Send a flatter one.")
        case DataError():
            return api_errors.invalid_request(UNSTORABLE)
        case exceptions.APIException():
            code = str(error.default_code)
            return api_errors.make_error(error.status_code, code, str(error.detail))
    return None


def first_error(detail: Any, name: str | None = None) -> tuple[str | None, str]:
    """The first field that is not in order, and what is wrong with it."""
    if isinstance(detail, dict):
        field, inner = next(iter(detail.items()))
        path = None if field == "non_field_errors" else str(field)
        return first_error(inner, path if name is None else f"{name}.{path}")
    if isinstance(detail, list):
        return first_error(detail[0], name)
    return name, str(detail)
