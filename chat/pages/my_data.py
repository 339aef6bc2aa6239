"""The page of a person's data: export, links, and the deletion of the account."""

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.authentication import get_authentication_records
from allauth.account.decorators import reauthentication_required
from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import ApiKey
from accounts.views.settings import PAGE_METHODS, current_user
from chat.account_deletion import LastAdministrator, delete_account, is_only_administrator
from chat.models import Conversation, Share
from jarvis.lib.config import config


def count_belongings(user_id: int) -> dict[str, int]:
    """How many of each a person has."""
    mine = Conversation.objects.for_user(user_id)
    return {
        "conversations": mine.count(),
        "folders": len(mine.count_folders()),
        "links": Share.objects.for_user(user_id).open().count(),
        "keys": ApiKey.objects.filter(owner_id=user_id).count(),
    }


@never_cache
@require_safe
@login_required
def data(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/my_data.html", {"counts": count_belongings(current_user(request).pk)})


class DeleteForm(forms.Form):
    """One's own username, typed, so that nobody deletes an account by a slip."""

    username = forms.CharField(
        label=gettext_lazy("Your username, to confirm"),
        max_length=150,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["username"].widget.attrs["autofocus"] = self.is_bound  # what is wrong with it is below all the rest

    def clean_username(self) -> str:
        given: str = self.cleaned_data["username"]
        if given != self.name:
            raise forms.ValidationError(_("This is not your username. It is written “%(name)s”.") % {"name": self.name})
        return given


@never_cache
@require_http_methods(PAGE_METHODS)
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]
def delete(request: HttpRequest) -> HttpResponse:
    """Say what goes and what stays, ask for the name, then delete the account and all that is its owner's."""
    user = current_user(request)
    form = DeleteForm(request.POST or None, name=user.get_username())
    context = {
        "form": form,
        "counts": count_belongings(user.pk),
        "sso": config.oidc_name,
        "log_seconds": config.log_seconds,
    }
    if not signed_in_lately(request, user):
        return render(request, "chat/delete_account.html", context | {"stale": True}, status=403)
    if form.is_valid():
        try:
            delete_account(user)
        except LastAdministrator:
            form.add_error(None, _("You are the only administrator. Make somebody else one first."))
        except User.DoesNotExist:
            pass  # another window was quicker
        if form.is_valid():
            return goodbye(request)
    context["last"] = is_only_administrator(user)
    return render(request, "chat/delete_account.html", context, status=422 if form.is_bound else 200)


def signed_in_lately(request: HttpRequest, user: User) -> bool:
    """Whether somebody whom nothing can be asked again, for a provider signs them in, has just come from there."""
    if user.has_usable_password() or is_mfa_enabled(user):
        return True  # what they could be asked, they were
    records = get_authentication_records(request, user)
    return bool(records) and time.time() - records[-1]["at"] < app_settings.REAUTHENTICATION_TIMEOUT


def goodbye(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    request.user = AnonymousUser()
    return render(request, "chat/account_deleted.html")
