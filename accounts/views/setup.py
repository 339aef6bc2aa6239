"""The one-time link to the first administrator's account."""

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import first_admin as setup
from accounts.forms import FirstAdminForm


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """A name and a password make the first administrator and sign in."""
    if not setup.is_valid_token(token):
        return render_invalid_link(request)
    form = FirstAdminForm(request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/setup.html", {"form": form}, status=422 if form.is_bound else 200)
    user = setup.make_first_admin(form.cleaned_data["username"], form.cleaned_data["password1"])
    if user is None:
        return render_invalid_link(request)
    login(request, user)
    return redirect("home")


def render_invalid_link(request: HttpRequest) -> HttpResponse:
    """What a used, expired or wrong link shows: how to go on."""
    return render(request, "accounts/setup_closed.html", {"used": not setup.needs_first_admin()}, status=410)
