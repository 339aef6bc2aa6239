"""Models and the ledger in the admin. The ledger is read there, never written, and shows no text of anyone."""

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from inference.models import Generation, LanguageModel


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin[LanguageModel]):
    list_display = ["name", "source", "kind", "max_model_len", "default", "enabled"]
    list_filter = ["kind", "enabled"]
    search_fields = ["name", "source"]
    readonly_fields = ["default", "registered", "created_at"]
    actions = ["make_default"]

    @admin.action(description=_("Make the selected model the default"), permissions=["change"])
    def make_default(self, request: HttpRequest, models: QuerySet[LanguageModel]) -> None:
        chosen = list(models)
        if len(chosen) != 1:
            self.message_user(request, _("Select one model."), "error")
            return
        with transaction.atomic():
            LanguageModel.objects.filter(default=True).update(default=False)
            LanguageModel.objects.filter(pk=chosen[0].pk).update(default=True, enabled=True)
        self.message_user(request, _("%s is the default now.") % chosen[0])


@admin.register(Generation)
class GenerationAdmin(admin.ModelAdmin[Generation]):
    list_display = ["created_at", "owner", "model", "door", "status", "prompt_tokens", "completion_tokens", "attempt"]
    list_display_links = ["created_at"]
    list_filter = ["status", "door", "model"]
    list_select_related = ["owner"]
    search_fields = ["request_id", "owner__username"]
    date_hierarchy = "created_at"
    exclude = ["request", "text", "choices"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Generation | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Generation | None = None) -> bool:
        return False
