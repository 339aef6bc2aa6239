"""CSV for spreadsheets, streamed, and lists in the admin that are read and exported but never written."""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from jarvis.lib.admin_filters import NamedFilters
from jarvis.lib.timestamps import iso

LINES_PER_PIECE = 500  # of a CSV that are made and sent at a time


class Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def escape_formula(value: Any) -> Any:
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
        yield writer.writerow([escape_formula(value) for value in row])


class PiecewiseResponse(StreamingHttpResponse):
    """A streamed response of sync code: the server's event loop waits for each piece, in the request's own thread."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts: Iterator[bytes] = iter(self)
        while piece := await sync_to_async(lambda: b"".join(islice(parts, LINES_PER_PIECE)))():
            yield piece


def csv_response(name: str, lines: Iterable[str]) -> PiecewiseResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return PiecewiseResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def format_short_time(moment: datetime) -> SafeString:
    """A moment in as many letters as a list has room for; all of it as a tooltip."""
    words = date_format(localtime(moment), "j M H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), iso(moment), words)


class ReadOnlyAdmin(NamedFilters):
    """Rows that nobody makes, changes or deletes here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ExportAdmin(ReadOnlyAdmin):
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
