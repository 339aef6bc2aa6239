"""Figures as people read them, and thin bars beside them."""

from decimal import Decimal
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.safestring import SafeString

from inference.usage import charts
from jarvis.lib.config import config

CENT = Decimal("0.01")

register = template.Library()
register.filter("short", charts.format_short)


@register.filter
def figure(value: Any) -> str:
    """A number as its reader writes it: 1,234,567."""
    return charts.format_figure(value if value is not None else 0)


@register.filter
def money(value: Decimal | int | None) -> str:
    """An amount in the site's currency; small ones with as many digits as they need."""
    if value is None:
        return "–"
    amount = f"{value:.2f}" if not value or value >= CENT else f"{value:.2g}"
    return f"{number_format(amount, force_grouping=True)} {config.currency}"


@register.filter
def per_cent(part: Any, whole: Any) -> str:
    return f"{number_format(f'{100 * part / whole:.1f}')} %" if whole else "–"


@register.simple_tag
def share(value: Any, highest: Any) -> SafeString:
    return charts.draw_share(value or 0, highest or 0)
