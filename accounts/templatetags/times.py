"""Moments as pages show them: in the reader's zone and language, for machines in UTC."""

from datetime import datetime

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jarvis.lib.timestamps import iso

register = template.Library()


@register.filter
def when(moment: datetime) -> SafeString:
    """`<time datetime="2026-03-01T09:30:00.000Z">1 March 2026 10:30</time>`"""
    local = timezone.localtime(moment)  # without the seconds that DATETIME_FORMAT has for the admin
    shown = f"{formats.date_format(local, 'DATE_FORMAT')}, {formats.time_format(local, 'TIME_FORMAT')}"
    return format_html('<time datetime="{}">{}</time>', iso(moment), shown)


@register.filter
def on_day(moment: datetime) -> SafeString:
    shown = formats.date_format(timezone.localtime(moment), "DATE_FORMAT")
    return format_html('<time datetime="{}">{}</time>', iso(moment), shown)
