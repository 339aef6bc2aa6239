"""Conversations in the admin: their owners and lengths, and deletion. Titles and messages are not shown."""

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chat.models import Conversation
from inference.templatetags.figures import figure
from jarvis.lib.admin_filters import NamedFilters


@admin.register(Conversation)
class ConversationAdmin(NamedFilters):
    list_display = ["id", "owner", "model", "message_count", "created_at", "updated_at"]
    list_select_related = ["owner"]
    search_fields = ["id", "owner__username"]
    date_hierarchy = "created_at"
    fields = ["id", "owner", "model", "created_at", "updated_at"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        rows: QuerySet[Conversation] = super().get_queryset(request)
        return rows.annotate(count=Count("messages")).defer("title")

    @admin.display(description=_("messages"), ordering="count")
    def message_count(self, conversation: Conversation) -> str:
        return figure(conversation.count)  # type: ignore[attr-defined]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return False
