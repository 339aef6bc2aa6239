"""The field for a moment in all pages of the admin. Imported before the pages, which copy Django's defaults."""

from datetime import date, time
from typing import Any

from django.contrib.admin.options import FORMFIELD_FOR_DBFIELD_DEFAULTS
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _


class LabelledMoment(AdminSplitDateTime):
    """Django's two fields for a moment, each with a name of its own: their common label names neither for a reader."""

    def decompress(self, value: Any) -> tuple[date | None, time | None]:
        """Of what a link fills in, which may be any text, only a moment is taken."""
        try:
            return super().decompress(parse_datetime(value) if isinstance(value, str) else value)
        except ValueError:
            return None, None

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        day, hour = context["widget"]["subwidgets"]
        day["attrs"]["aria-label"], hour["attrs"]["aria-label"] = _("Date"), _("Time")
        return context


FORMFIELD_FOR_DBFIELD_DEFAULTS[models.DateTimeField]["widget"] = LabelledMoment
