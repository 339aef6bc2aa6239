"""Models and the ledger in the admin. The ledger is read there, never written, and shows no text of anyone."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, ngettext

from accounts.audit import record_event
from inference import model_access
from inference.models import Generation, LanguageModel
from inference.models.usage import UsageDay
from inference.queue.submit import stop_generations_sync
from inference.templatetags.figures import figure, money
from inference.usage.report import HEADER, csv_rows
from jarvis.lib.admin_actions import ActionButtons
from jarvis.lib.admin_export import ExportAdmin, ReadOnlyAdmin, format_short_time
from jarvis.lib.admin_filters import DayFilter, filter_by_day
from jarvis.lib.config import config

ACCESS_FIELDS = [  # the rows of "Who may use it"
    "named_by_groups", "free_groups", "named_by_accounts", "not_named_by_accounts", "named_by_keys", "not_named_by_keys"
]  # fmt: skip
TONES = {"done": "good", "running": "busy", "queued": "busy", "failed": "fault", "stopped": ""}
DOORS = {"chat": _("the page"), "api": "/api/chat", "v1": "/v1"}
BY_DAY = ("created_at", filter_by_day(_("day of the question")))
BY_END = ("finished_at", filter_by_day(_("day of the end")))
MAX_ERROR_CHARS = 60  # characters of an error in the list


@admin.register(LanguageModel)
class LanguageModelAdmin(ActionButtons):
    list_display = ["name", "source", "kind", "window", "prices", "default", "enabled"]
    list_filter = ["kind", "enabled"]
    search_fields = ["name", "source"]
    readonly_fields = ["default", "registered", "created_at", *ACCESS_FIELDS]
    actions = ["make_default"]
    action_buttons = {"make_default": _("Make the default")}
    fieldsets = [
        (None, {"fields": ["name", "source", "kind", "enabled", "default"]}),
        (
            _("Prices"),
            {
                "fields": ["price_input", "price_output", "price_cached"],
                "description": format_lazy(
                    _("In {currency} for a million tokens. They hold for calls that end from now on."),
                    currency=config.currency,
                ),
            },
        ),
        (_("Engine"), {"fields": ["engine_args", "max_model_len", "registered", "created_at"]}),
    ]

    def offers_action(self, name: str, obj: LanguageModel) -> bool:
        return not obj.default

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
        return figure(model.max_model_len) if model.max_model_len else "–"

    @admin.display(description=_("price in / out"))
    def prices(self, model: LanguageModel) -> str:
        if model.price_input is None and model.price_output is None:
            return "–"
        return f"{money(model.price_input or 0).removesuffix(config.currency)}/ {money(model.price_output or 0)}"

    @admin.action(description=_("Make the selected model the default"), permissions=["change"])
    def make_default(self, request: HttpRequest, models: QuerySet[LanguageModel]) -> None:
        chosen = list(models)
        if len(chosen) != 1:
            self.message_user(request, _("Select one model."), "error")
            return
        with transaction.atomic():
            LanguageModel.objects.filter(default=True).update(default=False)
            LanguageModel.objects.filter(pk=chosen[0].pk).update(default=True, enabled=True)
            self.log_change(request, chosen[0], gettext_noop("Made the default."))
        self.message_user(request, _("%s is the default now.") % chosen[0])


class LedgerModelFilter(admin.SimpleListFilter):
    """By the catalogue: looking for all names in the ledger itself would read all of it."""

    title, parameter_name = _("model"), "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in LanguageModel.objects.order_by("name").values_list("name", flat=True)[:50]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(model=self.value()) if self.value() else queryset


class SourceFilter(admin.SimpleListFilter):
    title, parameter_name = _("way in"), "door"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(door, str(words)) for door, words in DOORS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(door=self.value()) if self.value() else queryset


def format_seconds(begin: datetime | None, end: datetime | None) -> str:
    return number_format(f"{(end - begin).total_seconds():.1f}") if begin and end else "–"


@admin.register(Generation)
class GenerationAdmin(ActionButtons, ReadOnlyAdmin):
    list_display = ["when", "owner", "model", "came_in", "state", "error", "tokens", "costs", "took"]
    list_display_links = ["when"]
    list_filter = ["status", SourceFilter, LedgerModelFilter, BY_DAY, BY_END]
    linked_filters = ["owner__id__exact", "key__id__exact"]
    list_select_related = ["owner"]
    list_per_page = 50
    search_fields = ["request_id", "owner__username"]
    search_help_text = _("A user's name or an x-request-id.")
    ordering = ["-created_at"]
    fieldsets = [
        (None, {"fields": ["id", "owner", "key", "model", "came_in", "state", "finish_reason", "request_id"]}),
        (_("Error"), {"fields": ["error_code", "error_message", "error_param"]}),
        (_("Figures"), {"fields": ["tokens", "cached", "reasoning", "costs", "took"]}),
        (_("Times"), {"fields": ["created_at", "started_at", "first_token_at", "finished_at", "stop_asked_at"]}),
        (
            _("Queue and worker"),
            {
                "fields": [
                    "priority", "reserved", "behind", "worker", "attempt", "lease_until", "lost_workers",
                    "engine_deaths", "on_probation",
                ]
            },
        ),
    ]  # fmt: skip
    show_full_result_count = False
    actions = ["cancel"]
    action_buttons = {"cancel": _("Cancel this call")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        return super().get_queryset(request).defer("request", "text", "choices")

    def offers_action(self, name: str, obj: Generation) -> bool:
        return not obj.ended

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Generation) -> SafeString:
        title = row.error_message or row.finish_reason
        words = row.get_status_display()
        return format_html('<span class="badge {}" title="{}">{}</span>', TONES[row.status], title, words)

    @admin.display(description=_("error"), ordering="error_code")
    def error(self, row: Generation) -> SafeString | str:
        """What went wrong, as short as a list has room for; all of it as a tooltip."""
        told = f"{row.error_code}: {row.error_message}" if row.error_message else row.error_code
        short = told if len(told) <= MAX_ERROR_CHARS else f"{told[: MAX_ERROR_CHARS - 1]}…"
        return format_html('<span title="{}">{}</span>', told, short) if told else ""

    @admin.display(description=_("came in by"), ordering="door")
    def came_in(self, row: Generation) -> str:
        return str(DOORS.get(row.door, row.door))

    @admin.display(description=format_lazy("{} ({})", _("cost"), config.currency), ordering="cost")
    def costs(self, row: Generation) -> str:
        return money(row.cost).removesuffix(config.currency)

    @admin.display(description=_("time"), ordering="created_at")
    def when(self, row: Generation) -> SafeString:
        return format_short_time(row.created_at)

    @admin.display(description=_("tokens in / out"), ordering="completion_tokens")
    def tokens(self, row: Generation) -> str:
        return f"{figure(row.prompt_tokens)} / {figure(row.completion_tokens)}"

    @admin.display(description=_("of tokens in, cached"))
    def cached(self, row: Generation) -> str:
        return figure(row.cached_tokens)

    @admin.display(description=_("of tokens out, reasoning"))
    def reasoning(self, row: Generation) -> str:
        return "–" if row.reasoning_tokens is None else figure(row.reasoning_tokens)

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
    list_display = ["day", "user", "model", "key", "count", "broken", "ended", "tokens_in", "tokens_out", "costs"]
    list_filter = [("day", DayFilter), LedgerModelFilter]
    linked_filters = ["user__id__exact", "key__id__exact", "user__groups__id__exact"]
    list_select_related = ["user", "key"]
    list_per_page = 50
    search_fields = ["user__username", "key__label", "key__prefix"]
    ordering = ["-day", "user_id", "model"]
    date_hierarchy = "day"
    csv_header = HEADER
    fields = ["day", "user", "model", "key", "count", "broken", "ended", "tokens_in", "cached", "tokens_out", "costs"]

    @admin.display(description=_("calls"), ordering="calls")
    def count(self, row: UsageDay) -> str:
        return figure(row.calls)

    @admin.display(description=_("failed"), ordering="failed")
    def broken(self, row: UsageDay) -> str:
        return figure(row.failed)

    @admin.display(description=_("stopped"), ordering="stopped")
    def ended(self, row: UsageDay) -> str:
        return figure(row.stopped)

    @admin.display(description=_("of tokens in, cached"))
    def cached(self, row: UsageDay) -> str:
        return figure(row.cached_tokens)

    @admin.display(description=_("tokens in"), ordering="prompt_tokens")
    def tokens_in(self, row: UsageDay) -> str:
        return figure(row.prompt_tokens)

    @admin.display(description=_("tokens out"), ordering="completion_tokens")
    def tokens_out(self, row: UsageDay) -> str:
        return figure(row.completion_tokens)

    @admin.display(description=_("cost"), ordering="cost")
    def costs(self, row: UsageDay) -> str:
        return money(row.cost) if row.cost else "–"

    def csv_rows(self, rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
        return csv_rows(rows)
