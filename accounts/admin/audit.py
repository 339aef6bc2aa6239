"""The audit log in the admin: read, filtered and exported."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.audit import AuditEvent
from jarvis.lib.admin_export import ExportAdmin, format_short_time
from jarvis.lib.admin_filters import filter_by_day
from jarvis.lib.database import read_in_pages
from jarvis.lib.timestamps import iso


class KindFilter(admin.SimpleListFilter):
    """By the first word of an event."""

    title, parameter_name = _("subject"), "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("sign_", _("signing in and out")),
            ("key.", _("API keys")),
            ("user.", _("accounts")),
            ("limits.", _("limits")),
            ("admin.", _("changes in the admin")),
            ("model.", _("models")),
            ("worker.", _("workers")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event__startswith=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ExportAdmin):
    list_display = ["when", "event", "actor_name", "object_name", "address", "about"]
    list_display_links = ["when"]
    list_filter = [KindFilter, ("at", filter_by_day(_("day")))]
    list_per_page = 50
    search_fields = ["event", "actor_name", "object_name", "address"]
    search_help_text = _("A name, an event such as key.revoked, or an address.")
    show_full_result_count = False
    fields = ["at", "event", "actor_name", "address", "object_type", "object_id", "object_name", "details"]
    csv_header = ("time", "event", "who", "kind of object", "object's id", "object", "address", "details")

    @admin.display(description=_("time"), ordering="at")
    def when(self, event: AuditEvent) -> SafeString:
        return format_short_time(event.at)

    @admin.display(description=_("details"))
    def about(self, event: AuditEvent) -> str:
        text = ", ".join(f"{name}: {value}" for name, value in event.details.items())
        return text if len(text) <= 120 else f"{text[:119]}…"

    def csv_rows(self, rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
        for event in read_in_pages(rows):
            about = (event.object_type, event.object_id, event.object_name)
            details = json.dumps(event.details, ensure_ascii=False)
            yield iso(event.at), event.event, event.actor_name, *about, event.address, details
