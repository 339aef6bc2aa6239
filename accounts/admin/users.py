"""People in the admin: reset links, second factors, invitations. Only a superuser touches superusers and rights."""

from importlib import import_module
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from accounts.admin.limits import GroupLimitsOnPage, UserLimitsOnPage, WithLimits
from accounts.admin.person import PersonForm
from accounts.authentication import SERVICE_PREFIX
from accounts.models import Invitation
from jarvis.lib.admin_actions import ActionButtons
from jarvis.lib.admin_filters import NamedFilters
from jarvis.lib.config import config

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


# What allauth shows by itself holds secrets, or is settled elsewhere: in the configuration, by its owner, by an action.
for app in ("account", "mfa", "socialaccount", "usersessions"):
    import_module(f"allauth.{app}.admin")  # registers them; importing it here first lets them be taken off again
for model in (Authenticator, EmailAddress, SocialAccount, SocialApp, SocialToken, UserSession):
    admin.site.unregister(model)
admin.site.unregister([User, Group])


def show_link(
    request: HttpRequest, site: admin.AdminSite, title: str, about: str, address: str, back: str
) -> HttpResponse:
    """A link that nobody can see again, in the page itself: not in a session, a cookie or an address."""
    link = request.build_absolute_uri(address)
    context = {**site.each_context(request), "title": title, "about": about, "link": link, "back": reverse(back)}
    return TemplateResponse(request, "admin/accounts/link.html", context, headers={"Cache-Control": "no-store"})


class RightsField(forms.ModelMultipleChoiceField[Permission]):
    """Rights in the reader's language: their names in the database are English."""

    VERBS = {
        "add": gettext_lazy("may add"),
        "change": gettext_lazy("may change"),
        "delete": gettext_lazy("may delete"),
        "view": gettext_lazy("may view"),
    }

    def label_from_instance(self, obj: Permission) -> str:
        verb = self.VERBS.get(obj.codename.partition("_")[0], obj.name)
        return f"{obj.content_type.app_labeled_name} | {verb}"


class WithRights(admin.ModelAdmin[Any]):
    """A page on which rights are given."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.remote_field.model is Permission:
            kwargs["form_class"] = RightsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(User)
class PersonAdmin(ActionButtons, WithRights, WithLimits, UserAdmin[User]):
    form = PersonForm
    inlines = [UserLimitsOnPage]
    fieldsets = ((None, {"fields": ("username",)}), *(UserAdmin.fieldsets or ())[1:])
    actions = ["make_reset_link", "remove_second_factor", "end_sessions"]
    action_buttons = {
        "make_reset_link": gettext_lazy("Link to set a new password"),
        "remove_second_factor": gettext_lazy("Remove two-factor sign-in and passkeys"),
        "end_sessions": gettext_lazy("End all sessions"),
    }
    list_display = ["username", "email", "first_name", "is_active", "is_staff", "last_login"]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or not obj.is_superuser or is_superuser(request))

    def offers_action(self, name: str, obj: User) -> bool:
        if name == "make_reset_link":
            return obj.is_active
        of: type[Model] = Authenticator if name == "remove_second_factor" else UserSession
        return of._default_manager.filter(user=obj).exists()

    def list_buttons(self, request: HttpRequest, object_id: str) -> list[tuple[str, str | Promise]]:
        """None on the page of a superuser, for who is none."""
        person = self.get_object(request, unquote(object_id))
        return super().list_buttons(request, object_id) if self.has_change_permission(request, person) else []

    def get_inlines(self, request: HttpRequest, obj: User | None = None) -> Any:
        return super().get_inlines(request, obj) if obj is not None else []

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or not obj.is_superuser or is_superuser(request))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Whoever may change accounts could otherwise make themselves a superuser. And the name of an account that
        stands for keys of the environment is one that code looks for, and that no form would take."""
        fields = tuple(str(field) for field in super().get_readonly_fields(request, obj))
        if obj is not None and obj.username.startswith(SERVICE_PREFIX):
            fields = (*fields, "username")
        return fields if is_superuser(request) else (*fields, *RIGHTS)

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """A former address no longer signs in, nor resets the password."""
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            EmailAddress.objects.filter(user=obj).exclude(email=obj.email).delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        super().delete_queryset(request, self.select_changeable(request, queryset))

    def select_changeable(self, request: HttpRequest, people: QuerySet[User]) -> QuerySet[User]:
        return people if is_superuser(request) else people.filter(is_superuser=False)

    @admin.action(description=gettext_lazy("Make a link to set a new password"), permissions=["change"])
    def make_reset_link(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        person = self.select_changeable(request, people).filter(is_active=True).first()
        if person is None or people.count() != 1:
            advice = _("Choose one account: an active one, and a superuser's only if you are one.")
            self.message_user(request, advice, messages.ERROR)
            return None
        key = {"uidb36": user_pk_to_url_str(person), "key": default_token_generator.make_token(person)}
        self.log_change(request, person, gettext_noop("Made a link to set a new password."))
        about = _("Give this link to %(name)s. It sets a new password once, and works for a day.") % {"name": person}
        address = reverse("account_reset_password_from_key", kwargs=key)
        title = _("A link to set a new password")
        return show_link(request, self.admin_site, title, about, address, "admin:auth_user_changelist")

    @admin.action(description=gettext_lazy("Remove two-factor sign-in and passkeys"), permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, people: QuerySet[User]) -> None:
        with_factors = list(self.select_changeable(request, people).filter(authenticator__isnull=False).distinct())
        for person in with_factors:
            Authenticator.objects.filter(user=person).delete()
            self.log_change(request, person, gettext_noop("Removed two-factor sign-in and passkeys."))
        count = len(with_factors)
        self.message_user(
            request, ngettext("%d account signs in without it.", "%d accounts sign in without it.", count) % count
        )

    @admin.action(description=gettext_lazy("End all their sessions"), permissions=["change"])
    def end_sessions(self, request: HttpRequest, people: QuerySet[User]) -> None:
        for person in self.select_changeable(request, people):
            for session in UserSession.objects.filter(user=person):
                session.end()
            self.log_change(request, person, gettext_noop("Ended all sessions."))
        self.message_user(request, _("Their sessions are ended."))


@admin.register(Group)
class TeamAdmin(WithRights, WithLimits, NamedFilters, GroupAdmin):
    """Django's own page of groups, with their limits."""

    inlines = [GroupLimitsOnPage]


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


@admin.register(Invitation)
class InvitationAdmin(ActionButtons):
    """Made (the link is shown once), listed, withdrawn; never deleted, since they show how people came in."""

    list_display = ["note", "state", "uses", "limit", "group", "expires_at", "made_by", "created_at"]
    list_select_related = ["group", "made_by"]
    search_fields = ["note"]
    actions = ["withdraw"]
    action_buttons = {"withdraw": gettext_lazy("Withdraw")}
    fields = ["note", "limit", "expires_at", "group"]

    def offers_action(self, name: str, obj: Invitation) -> bool:
        return obj.withdrawn_at is None

    @admin.display(description=gettext_lazy("state"))
    def state(self, invitation: Invitation) -> str:
        if invitation.withdrawn_at:
            return _("withdrawn")
        if invitation.uses >= invitation.limit:
            return _("used up")
        if invitation.expires_at <= timezone.now():
            return _("expired")
        return _("usable") if config.signup != "closed" else _("switched off (JARVIS_SIGNUP)")

    @admin.action(description=gettext_lazy("Withdraw the selected invitations"), permissions=["change"])
    def withdraw(self, request: HttpRequest, invitations: QuerySet[Invitation]) -> None:
        for invitation in invitations.filter(withdrawn_at=None):
            invitation.withdrawn_at = timezone.now()
            invitation.save(update_fields=["withdrawn_at"])
            self.log_change(request, invitation, gettext_noop("Withdrawn."))
        self.message_user(request, _("Their links open nothing any more."))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "group" and field is not None and not is_superuser(request):
            field.queryset = Group.objects.filter(user=request.user.pk)  # rights that one has oneself
        return field

    def save_model(self, request: HttpRequest, obj: Invitation, form: ModelForm[Invitation], change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        fields = {name: form.cleaned_data[name] for name in ("note", "limit", "expires_at", "group")}
        made, secret = Invitation.create_with_secret(request.user.pk, **fields)
        obj.pk, obj.digest, obj.created_at = made.pk, made.digest, made.created_at
        request.replace_secret = secret  # type: ignore[attr-defined]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Nothing: whom it lets in, and until when, is for the person to say and not for the link that led here."""
        return {}

    def response_add(self, request: HttpRequest, obj: Invitation, post_url_continue: str | None = None) -> HttpResponse:
        about = _("Send this link to whom you invite. It is shown this once, and only a hash of it is kept.")
        if config.signup == "closed":
            about = _("Links of invitation are switched off: it works once JARVIS_SIGNUP is “invitation” or “open”.")
        address = reverse("join", args=[request.replace_secret])  # type: ignore[attr-defined]
        title = _("The invitation link")
        return show_link(request, self.admin_site, title, about, address, "admin:accounts_invitation_changelist")

    def has_delete_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False
