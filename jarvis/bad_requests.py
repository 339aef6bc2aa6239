"""Requests to pages that no browser of ours sends: 400, and never a failure."""

from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own view looks for a CSRF token first, in the very body that cannot be read, and fails on it."""
    return render(request, "400.html", status=400)


class Unstorable(MiddlewareMixin):
    """What Postgres will not have, such as a NUL in a filter of the admin."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return bad_request(request, exception) if isinstance(exception, DataError) else None
