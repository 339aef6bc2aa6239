"""Pages of accounts: the first administrator; signing in and out are Django's own views."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import setup


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(first=setup.needed(), **kwargs)


class FirstAdminForm(UserCreationForm[User]):
    """A name and a password, twice; what will not do is said when it is tried."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = ""
        self.fields["password1"].help_text = _("8 or more characters, not a common word, not like the name.")
        self.fields["password2"].help_text = ""


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """The one-time link: a name and a password make the first administrator and sign in."""
    if not setup.valid(token):
        return closed(request)
    form = FirstAdminForm(request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/setup.html", {"form": form}, status=422 if form.is_bound else 200)
    user = setup.make_first_admin(form.cleaned_data["username"], form.cleaned_data["password1"])
    if user is None:
        return closed(request)
    login(request, user)
    return redirect("home")


def closed(request: HttpRequest) -> HttpResponse:
    """What a used, expired or wrong link shows: how to go on."""
    return render(request, "accounts/setup_closed.html", {"used": not setup.needed()}, status=410)
