"""The page on which people see what they have used, and its CSV."""

from collections.abc import Iterable

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from inference.reports import PERIODS, Report, csv_lines, period_of
from inference.usage import UsageDay

MOST = 20  # rows of a table on the page; the CSV has all


@never_cache
@require_safe
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    """One's own usage."""
    assert request.user.pk is not None
    days, period = period_of(request.GET)
    report = Report(UsageDay.objects.of(request.user.pk), period)
    context = {
        "days": days,
        "periods": PERIODS,
        "report": report,
        "totals": report.totals,
        "models": report.usage.top("model", MOST),
        "keys": report.usage.top("key", MOST),
    }
    return render(request, "inference/usage.html", context)


@never_cache
@require_safe
@login_required
def usage_csv(request: HttpRequest) -> StreamingHttpResponse:
    """One's own usage by day, model and key, for a spreadsheet."""
    assert request.user.pk is not None
    _, period = period_of(request.GET)
    mine = UsageDay.objects.of(request.user.pk).between(period.first, period.last)
    return csv_response(csv_lines(mine), f"usage-{period.first}-{period.last}.csv")


def csv_response(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
