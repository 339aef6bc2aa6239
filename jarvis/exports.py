"""CSV for spreadsheets, streamed, and lists in the admin that are read and exported but never written."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _


class Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def harmless(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula, which could send the sheet's content elsewhere."""
    if not isinstance(value, str):
        return value
    formula = value.lstrip()[:1] in ("=", "+", "-", "@") or value[:1] in ("\t", "\r", "\n")
    return f"'{value}" if formula else value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines of a CSV file, made as they are read."""
    writer = csv.writer(Echo())
    yield writer.writerow(header)
    for row in rows:
        yield writer.writerow([harmless(value) for value in row])


def csv_response(name: str, lines: Iterable[str]) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows that nobody makes, changes or deletes here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Exported(ReadOnly):
    """The same with a button that gives what the list shows, under its filters, as CSV."""

    change_list_template = "admin/exported.html"
    csv_header: Sequence[str] = ()

    def csv_rows(self, rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        return [path("export/", self.admin_site.admin_view(self.export)), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest(_("There is no such filter. Go back to the list and choose another."))
        lines = csv_lines(self.csv_header, self.csv_rows(rows))
        return csv_response(f"{self.opts.model_name}.csv", lines)
