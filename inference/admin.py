"""Models and the ledger in the admin. The ledger is read there, never written, and shows no text of anyone."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.audit import record_event
from inference import model_access
from inference.models import Generation, LanguageModel
from inference.models.usage import UsageDay
from inference.queue.submit import stop_generations_sync
from inference.templatetags.figures import money
from inference.usage.report import HEADER, csv_rows
from jarvis.lib.admin_export import ExportAdmin, ReadOnlyAdmin, format_short_time
from jarvis.lib.admin_filters import NamedFilters
from jarvis.lib.config import config

ACCESS_FIELDS = [  # the rows of "Who may use it"
    "named_by_groups", "free_groups", "named_by_accounts", "not_named_by_accounts", "named_by_keys", "not_named_by_keys"
]  # fmt: skip
TONES = {"done": "good", "running": "busy", "queued": "busy", "failed": "fault", "stopped": ""}


@admin.register(LanguageModel)
class LanguageModelAdmin(NamedFilters):
    list_display = ["name", "source", "kind", "window", "prices", "default", "enabled"]
    list_filter = ["kind", "enabled"]
    search_fields = ["name", "source"]
    readonly_fields = ["default", "registered", "created_at", *ACCESS_FIELDS]
    actions = ["make_default"]
    fieldsets = [
        (None, {"fields": ["name", "source", "kind", "enabled", "default"]}),
        (
            _("Prices"),
            {
                "fields": ["price_input", "price_output", "price_cached"],
                "description": _("In %s for a million tokens. They hold for calls that end from now on.")
                % config.currency,
            },
        ),
        (_("Engine"), {"fields": ["engine_args", "max_model_len", "registered", "created_at"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: LanguageModel | None = None) -> Any:
        sections = list(super().get_fieldsets(request, obj))
        if obj is None or not model_access.may_see(request):
            return sections
        groups = "group_lists" if self.changes_access(request, obj) else "named_by_groups"
        text = _(
            "Keys, accounts and groups may each have a list of models. Who has none may use all of them; a call needs "
            "every list of its key, account and groups to name the model. So it is open to everybody who is in none of "
            "the lists without it."
        )
        access = (_("Who may use it"), {"fields": [groups, *ACCESS_FIELDS[1:]], "description": text})
        return [*sections[:-1], access, sections[-1]]

    def changes_access(self, request: HttpRequest, obj: LanguageModel | None) -> bool:
        return obj is not None and self.has_change_permission(request, obj) and model_access.may_change(request)

    def get_form(self, request: HttpRequest, obj: LanguageModel | None = None, *args: Any, **kwargs: Any) -> Any:
        if self.changes_access(request, obj):
            kwargs["form"] = model_access.AccessForm
        return super().get_form(request, obj, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if isinstance(form, model_access.AccessForm):
            form.save_lists(obj.name)

    @admin.display(description=_("groups whose list names it"))
    def named_by_groups(self, model: LanguageModel) -> str:
        return model_access.groups_naming(model.name)

    @admin.display(description=_("groups without a list: all models"))
    def free_groups(self, model: LanguageModel) -> str:
        return model_access.free_groups()

    @admin.display(description=_("accounts whose list names it"))
    def named_by_accounts(self, model: LanguageModel) -> str:
        return model_access.accounts_with(model_access.lists_with(model.name))

    @admin.display(description=_("accounts whose list does not"))
    def not_named_by_accounts(self, model: LanguageModel) -> str:
        return model_access.accounts_with(~model_access.lists_with(model.name))

    @admin.display(description=_("keys whose list names it"))
    def named_by_keys(self, model: LanguageModel) -> str:
        return model_access.keys_with(model_access.lists_with(model.name))

    @admin.display(description=_("keys whose list does not"))
    def not_named_by_keys(self, model: LanguageModel) -> str:
        return model_access.keys_with(~model_access.lists_with(model.name))

    @admin.display(description=_("window"), ordering="max_model_len")
    def window(self, model: LanguageModel) -> str:
        return f"{model.max_model_len:,}" if model.max_model_len else "–"

    @admin.display(description=_("price in / out"))
    def prices(self, model: LanguageModel) -> str:
        if model.price_input is None and model.price_output is None:
            return "–"
        return f"{model.price_input or 0:.2f} / {model.price_output or 0:.2f} {config.currency}"

    @admin.action(description=_("Make the selected model the default"), permissions=["change"])
    def make_default(self, request: HttpRequest, models: QuerySet[LanguageModel]) -> None:
        chosen = list(models)
        if len(chosen) != 1:
            self.message_user(request, _("Select one model."), "error")
            return
        with transaction.atomic():
            LanguageModel.objects.filter(default=True).update(default=False)
            LanguageModel.objects.filter(pk=chosen[0].pk).update(default=True, enabled=True)
            self.log_change(request, chosen[0], "Made the default.")
        self.message_user(request, _("%s is the default now.") % chosen[0])


class LedgerModelFilter(admin.SimpleListFilter):
    """By the catalogue: looking for all names in the ledger itself would read all of it."""

    title, parameter_name = _("model"), "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in LanguageModel.objects.order_by("name").values_list("name", flat=True)[:50]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(model=self.value()) if self.value() else queryset


class SourceFilter(admin.SimpleListFilter):
    title, parameter_name = _("door"), "door"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("chat", _("the page")), ("api", "/api/chat"), ("v1", "/v1")]  # type: ignore[list-item]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(door=self.value()) if self.value() else queryset


def format_seconds(begin: datetime | None, end: datetime | None) -> str:
    return f"{(end - begin).total_seconds():.1f}" if begin and end else "–"


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    list_display = [
        "when", "owner", "model", "door", "state", "tokens", "costs", "took"
    ]  # fmt: skip
    list_display_links = ["when"]
    list_filter = ["status", SourceFilter, LedgerModelFilter, "created_at"]
    linked_filters = ["owner__id__exact", "key__id__exact"]
    list_select_related = ["owner"]
    list_per_page = 50
    search_fields = ["request_id", "owner__username"]
    search_help_text = _("A user's name or an x-request-id.")
    ordering = ["-created_at"]
    exclude = ["request", "text", "choices"]
    show_full_result_count = False
    actions = ["cancel"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        return super().get_queryset(request).defer("request", "text", "choices")

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Generation) -> SafeString:
        title = row.error_message or row.finish_reason
        return format_html('<span class="badge {}" title="{}">{}</span>', TONES[row.status], title, row.status)

    @admin.display(description=format_lazy("{} ({})", _("cost"), config.currency), ordering="cost")
    def costs(self, row: Generation) -> str:
        return money(row.cost).removesuffix(config.currency)

    @admin.display(description=_("time"), ordering="created_at")
    def when(self, row: Generation) -> SafeString:
        return format_short_time(row.created_at)

    @admin.display(description=_("tokens in / out"), ordering="completion_tokens")
    def tokens(self, row: Generation) -> str:
        return f"{row.prompt_tokens:,} / {row.completion_tokens:,}"

    @admin.display(description=_("wait + work"))
    def took(self, row: Generation) -> str:
        return f"{format_seconds(row.created_at, row.started_at)} + {format_seconds(row.started_at, row.finished_at)} s"

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inference.change_generation")

    @admin.action(description=_("Cancel the selected calls"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Generation]) -> None:
        ids = list(rows.open().values_list("pk", flat=True))  # type: ignore[attr-defined]
        stop_generations_sync(ids)
        record_event("generation.cancelled", calls=[str(id) for id in ids])
        self.message_user(request, ngettext("%d call is cancelled.", "%d calls are cancelled.", len(ids)) % len(ids))


@admin.register(UsageDay)
class UsageDayAdmin(ExportAdmin):
    list_display = ["day", "user", "model", "key", "calls", "failed", "stopped", "tokens_in", "tokens_out", "costs"]
    list_filter = ["day", LedgerModelFilter]
    linked_filters = ["user__id__exact", "key__id__exact", "user__groups__id__exact"]
    list_select_related = ["user", "key"]
    list_per_page = 50
    search_fields = ["user__username", "key__label", "key__prefix"]
    ordering = ["-day", "user_id", "model"]
    date_hierarchy = "day"
    csv_header = HEADER

    @admin.display(description=_("tokens in"), ordering="prompt_tokens")
    def tokens_in(self, row: UsageDay) -> str:
        return f"{row.prompt_tokens:,}"

    @admin.display(description=_("tokens out"), ordering="completion_tokens")
    def tokens_out(self, row: UsageDay) -> str:
        return f"{row.completion_tokens:,}"

    @admin.display(description=_("cost"), ordering="cost")
    def costs(self, row: UsageDay) -> str:
        return money(row.cost) if row.cost else "–"

    def csv_rows(self, rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
        return csv_rows(rows)
