"""The page on which people see what they have used, and its CSV."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from inference.models.usage import UsageDay
from inference.usage.report import HEADER, PERIODS, Report, csv_rows, parse_period
from jarvis.lib.admin_export import csv_lines, csv_response

MAX_TABLE_ROWS = 20  # rows of a table on the page; the CSV has all


@never_cache
@require_safe
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    """One's own usage."""
    assert request.user.pk is not None
    days, period = parse_period(request.GET)
    report = Report(UsageDay.objects.for_user(request.user.pk), period)
    context = {
        "days": days,
        "periods": PERIODS,
        "report": report,
        "totals": report.totals,
        "models": report.usage.top("model", MAX_TABLE_ROWS),
        "keys": report.usage.top("key", MAX_TABLE_ROWS),
    }
    return render(request, "inference/usage.html", context)


@never_cache
@require_safe
@login_required
def usage_csv(request: HttpRequest) -> StreamingHttpResponse:
    """One's own usage by day, model and key, for a spreadsheet."""
    assert request.user.pk is not None
    _, period = parse_period(request.GET)
    mine = UsageDay.objects.for_user(request.user.pk).between(period.first, period.last)
    lines = csv_lines(HEADER, csv_rows(mine))
    return csv_response(f"usage-{period.first}-{period.last}.csv", lines)
