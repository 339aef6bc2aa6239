"""API keys in the admin: made (the secret is shown once), listed, revoked; never deleted, for the ledger names them."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import admin_people, audit_admin  # noqa: F401  people and the audit log are there
from accounts.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    list_display = ["label", "owner", "begins_with", "state", "created_at", "expires_at", "last_used_at"]
    list_filter = ["revoked_at", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["label", "prefix", "owner__username"]
    date_hierarchy = "created_at"
    actions = ["revoke"]

    @admin.display(description=_("begins with"), ordering="prefix")
    def begins_with(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return _("revoked")  # type: ignore[return-value]
        if key.expires_at and key.expires_at <= timezone.now():
            return _("expired")  # type: ignore[return-value]
        return _("usable") if key.owner.is_active else _("owner is not active")  # type: ignore[return-value]

    @admin.action(description=_("Revoke the selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        open_keys = list(keys.filter(revoked_at=None))
        for key in open_keys:
            key.revoke()
            self.log_change(request, key, "Revoked.")
        told = ngettext("%d key is revoked.", "%d keys are revoked.", len(open_keys)) % len(open_keys)
        self.message_user(request, told)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        if obj is None:
            return ["owner", "label", "expires_at"]
        return ["owner", "label", "begins_with", "state", "created_at", "expires_at", "last_used_at", "revoked_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [] if obj is None else [f for f in self.get_fields(request, obj) if f not in ("label", "expires_at")]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "owner":
            kwargs["queryset"] = User.objects.filter(is_active=True).order_by("username")
            kwargs["initial"] = request.user.pk
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, secret = ApiKey.make(obj.owner_id, obj.label, obj.expires_at)
        obj.pk, obj.prefix, obj.digest, obj.created_at = made.pk, made.prefix, made.digest, made.created_at
        request.new_secret = secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The secret in the page itself, so that it is kept nowhere: not in a session, a cookie or an address."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new API key"),
            "key": obj,
            "secret": request.new_secret,  # type: ignore[attr-defined]
            "opts": self.opts,
        }
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(request, "admin/accounts/apikey/made.html", context, headers=headers)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
