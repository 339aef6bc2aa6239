"""Limits in the admin: on the page of the account or the group that they are of, and as lists of all."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import GroupLimits, Limited, UserLimits
from accounts.signals import models_listed
from jarvis.lib.admin_filters import NamedFilters

LIMIT_FIELDS = ["requests_per_minute", "tokens_per_minute", "parallel", "tokens_per_month", "allowed_models"]
TIGHTEST = _("Of all that is said of key, account and groups, the tightest holds.")
LIMITS_FIELDSET = (_("Limits"), {"fields": LIMIT_FIELDS, "description": TIGHTEST})


def announce_models(request: HttpRequest, row: Limited, form: ModelForm[Any]) -> None:
    """Let it be looked at whether the models that a list names are there."""
    if "allowed_models" in form.changed_data:
        models_listed.send(sender=type(row), request=request, names=row.allowed_models)


class LimitsFormSet(BaseInlineFormSet[Any, Any, Any]):
    """The limits beside their owner's other fields. A form that was sent without them leaves them as they are."""

    def __init__(self, data: Any = None, files: Any = None, instance: Any = None, **options: Any) -> None:
        prefix = options.get("prefix") or self.get_default_prefix()
        if isinstance(data, Mapping) and f"{prefix}-TOTAL_FORMS" not in data:
            data = {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
        super().__init__(data, files, instance, **options)


class LimitsOnPage(admin.StackedInline[Any, Any]):
    """The one row of limits that an account or a group has, or a blank one to fill in."""

    formset = LimitsFormSet
    extra = max_num = 1
    verbose_name = verbose_name_plural = _("Limits")


class UserLimitsOnPage(LimitsOnPage):
    model = UserLimits
    fieldsets = [(None, {"fields": [*LIMIT_FIELDS], "description": TIGHTEST})]


class GroupLimitsOnPage(LimitsOnPage):
    model = GroupLimits
    fieldsets = [(None, {"fields": ["shared", "priority", *LIMIT_FIELDS], "description": TIGHTEST})]


class WithLimits(admin.ModelAdmin[Any]):
    """A page with limits on it."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        for row in formset.forms if issubclass(formset.model, Limited) else ():
            if row.has_changed() and row not in formset.deleted_forms:
                announce_models(request, row.instance, row)


@admin.register(UserLimits)
class UserLimitsAdmin(NamedFilters):
    list_display = ["user", *LIMIT_FIELDS]
    list_select_related = ["user"]
    search_fields = ["user__username"]
    autocomplete_fields = ["user"]

    def save_model(self, request: HttpRequest, obj: UserLimits, form: ModelForm[UserLimits], change: bool) -> None:
        super().save_model(request, obj, form, change)
        announce_models(request, obj, form)


@admin.register(GroupLimits)
class GroupLimitsAdmin(NamedFilters):
    list_display = ["group", "shared", "priority", *LIMIT_FIELDS]
    list_filter = ["shared", "priority"]
    list_select_related = ["group"]
    search_fields = ["group__name"]
    autocomplete_fields = ["group"]

    def save_model(self, request: HttpRequest, obj: GroupLimits, form: ModelForm[GroupLimits], change: bool) -> None:
        super().save_model(request, obj, form, change)
        announce_models(request, obj, form)
