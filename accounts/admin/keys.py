"""API keys in the admin.

Keys are made and rotated (a secret is shown once), limited, revoked; never deleted, for the ledger names them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, ngettext

from accounts.admin.limits import LIMIT_FIELDS, LIMITS_FIELDSET, announce_models
from accounts.models import DEFAULT_SCOPES, ApiKey, Scope
from jarvis.lib.admin_actions import ActionButtons
from jarvis.lib.admin_filters import filter_by_day


class ApiKeyAdminForm(forms.ModelForm[ApiKey]):
    scopes = forms.TypedMultipleChoiceField(
        choices=Scope.choices,
        initial=DEFAULT_SCOPES,
        widget=forms.CheckboxSelectMultiple,
        label=_("scopes"),
        help_text=_("What the key may do. admin-read is for keys of staff."),
    )

    def clean(self) -> dict[str, Any] | None:
        data = super().clean()
        if not self.instance.pk and data and data.get("owner"):
            self.instance.owner = data["owner"]  # which the rule about admin-read asks for
        return data


class RotateForm(forms.Form):
    hours = forms.IntegerField(
        label=_("Hours that the present secret works on"),
        min_value=0,
        max_value=24 * 90,
        initial=24,
        help_text=_("0: it ends now. A secret from before the present one ends in any case."),
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ActionButtons):
    form = ApiKeyAdminForm
    list_display = ["label", "owner", "begins_with", "state", "created_at", "expires_at", "last_used_at"]
    list_filter = [
        ("revoked_at", filter_by_day(_("day of revocation"))),
        ("created_at", filter_by_day(_("day of creation"))),
    ]
    list_select_related = ["owner"]
    search_fields = ["label", "prefix", "owner__username"]
    date_hierarchy = "created_at"
    actions = ["revoke"]
    action_buttons = {"revoke": _("Revoke")}
    change_form_template = "admin/accounts/apikey/change_form.html"

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

    @admin.display(description=_("first used from"))
    def used_from(self, key: ApiKey) -> str:
        """The latest addresses, each with the day on which it came from there first."""
        latest = sorted(key.addresses.items(), key=lambda pair: -pair[1])[:20]
        uses = [f"{where} ({datetime.fromtimestamp(at, UTC):%Y-%m-%d})" for where, at in latest]
        return ", ".join(uses) or "–"

    @admin.action(description=_("Revoke the selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        open_keys = list(keys.filter(revoked_at=None))
        for key in open_keys:
            key.revoke()
            self.log_change(request, key, gettext_noop("Revoked."))
        report = ngettext("%d key is revoked.", "%d keys are revoked.", len(open_keys)) % len(open_keys)
        self.message_user(request, report)

    def offers_action(self, name: str, obj: ApiKey) -> bool:
        return obj.revoked_at is None

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["owner", "label", "expires_at", "scopes"]}), LIMITS_FIELDSET]
        known = ["state", "created_at", "created_by", "last_used_at", "last_used_from", "used_from"]
        known += ["previous_until", "revoked_at"]
        fields = ["owner", "label", "begins_with", "expires_at", "scopes"]
        return [(None, {"fields": fields}), LIMITS_FIELDSET, (_("History"), {"fields": known})]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        if obj is None:
            return []
        shown = [name for _, section in self.get_fieldsets(request, obj) for name in section["fields"]]
        return [name for name in shown if name not in ("label", "expires_at", "scopes", *LIMIT_FIELDS)]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "owner":
            kwargs["queryset"] = possible_owners(request).filter(is_active=True).order_by("username")
            kwargs["initial"] = request.user.pk
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:
        if not change:
            obj.created_by_id = request.user.pk
            request.replace_secret = obj.replace_secret()  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)
        announce_models(request, obj, form)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return self.show_secret(request, obj, request.replace_secret)  # type: ignore[attr-defined]

    def show_secret(self, request: HttpRequest, key: ApiKey, secret: str) -> HttpResponse:
        """The secret in the page itself, so that it is stored nowhere: not in a session, a cookie or an address."""
        title = _("The new API key")
        context = {**self.admin_site.each_context(request), "title": title, "key": key, "opts": self.opts}
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(
            request, "admin/accounts/apikey/made.html", context | {"secret": secret}, headers=headers
        )

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(self.rotate)
        return [path("<path:object_id>/rotate/", rotate, name="accounts_apikey_rotate"), *super().get_urls()]

    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A new secret for a key, with a time in which the present one works on."""
        key = self.get_object(request, unquote(object_id))
        if key is None:
            raise Http404
        if not self.has_change_permission(request, key) or key.revoked_at:
            raise PermissionDenied
        form = RotateForm(request.POST or None)
        if form.is_valid():
            hours = form.cleaned_data["hours"]
            secret = key.rotate(timezone.now() + timedelta(hours=hours) if hours else None)
            self.log_change(request, key, f"Rotated; the former secret works for {hours} h.")
            return self.show_secret(request, key, secret)
        context = {**self.admin_site.each_context(request), "title": _("Rotate the key"), "key": key, "form": form}
        return TemplateResponse(request, "admin/accounts/apikey/rotate.html", context | {"opts": self.opts})

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Whoever rotates a key holds it, so this is the same question as whose keys one may make."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or possible_owners(request).filter(pk=obj.owner_id).exists())

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False


def possible_owners(request: HttpRequest) -> QuerySet[User]:
    """The accounts in whose names one may hold a key: for superusers all; for others their own and, as with passwords,
    no superuser's, nor that of other staff without the right to change accounts."""
    people = User.objects.all()
    if getattr(request.user, "is_superuser", False):
        return people
    others = people.filter(is_superuser=False)
    if not request.user.has_perm("auth.change_user"):
        others = others.filter(is_staff=False)
    return others | people.filter(username=request.user.get_username())
