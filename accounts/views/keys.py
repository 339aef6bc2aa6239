"""One's own API keys: made (the secret is shown once), listed, revoked."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.forms import NewKeyForm
from accounts.models import ApiKey
from accounts.views.settings import PAGE_METHODS, current_user


@never_cache
@login_required
@require_http_methods(PAGE_METHODS)
def keys(request: HttpRequest) -> HttpResponse:
    """The list, and a form for one more. The secret is in the answer to the form itself, so that it is stored nowhere:
    not in a session, a cookie or an address."""
    form = NewKeyForm(request.POST or None)
    if form.is_valid():
        key, secret = ApiKey.create_with_secret(current_user(request).pk, **form.cleaned_data)
        return render(request, "accounts/key_made.html", {"key": key, "secret": secret})
    found = ApiKey.objects.filter(owner=current_user(request)).order_by(
        F("revoked_at").asc(nulls_first=True), "-created_at"
    )
    context = {"form": form, "keys": found, "usable": set(ApiKey.objects.usable().filter(owner=current_user(request)))}
    return render(request, "accounts/keys.html", context, status=422 if form.is_bound else 200)


@never_cache
@login_required
@require_http_methods(PAGE_METHODS)
def revoke_key(request: HttpRequest, id: int) -> HttpResponse:
    """Ask, then close one of one's own keys; 404 for anybody else's."""
    key = get_object_or_404(ApiKey, pk=id, owner=current_user(request), revoked_at=None)
    if request.method != "POST":
        return render(request, "accounts/key_revoke.html", {"key": key})
    key.revoke()
    messages.success(request, _("The key “%(name)s” is revoked. It opens nothing any more.") % {"name": key.label})
    return redirect("settings_keys")
