"""Settings: what one is called, how pages look, and what keeps the account safe."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.devices import describe_device
from accounts.forms import AppearanceForm, ProfileForm
from accounts.models import Preferences
from jarvis.lib.config import config

PAGE_METHODS = ["GET", "HEAD", "POST"]


def current_user(request: HttpRequest) -> User:
    """Whose settings these are: always who is signed in, never a name in an address."""
    assert isinstance(request.user, User)
    return request.user


def preferences(request: HttpRequest) -> Preferences:
    return Preferences.for_user(current_user(request))


@never_cache
@login_required
@require_http_methods(PAGE_METHODS)
def profile(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("settings")
    context = {"form": form, "mail": bool(config.email_url), "email": EmailAddress.objects.filter(user=user).first()}
    return render(request, "accounts/profile.html", context, status=422 if form.is_bound else 200)


@never_cache
@login_required
@require_http_methods(PAGE_METHODS)
def appearance(request: HttpRequest) -> HttpResponse:
    form = AppearanceForm(request.POST or None, instance=preferences(request))
    if form.is_valid():
        form.save()
        return redirect("settings_appearance")
    return render(request, "accounts/appearance.html", {"form": form}, status=422 if form.is_bound else 200)


@never_cache
@login_required
def security(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    factors: dict[str, list[Any]] = {}
    for factor in Authenticator.objects.filter(user=user).order_by("created_at"):
        factors.setdefault(factor.type, []).append(factor)
    codes = factors.get("recovery_codes", [])
    context = {
        "totp": factors.get("totp"),
        "passkeys": factors.get("webauthn", []),
        "codes_left": len(codes[0].wrap().get_unused_codes()) if codes else None,
        "sso": config.oidc_name if config.oidc_server_url else "",
        "connected": SocialAccount.objects.filter(user=user),
    }
    return render(request, "accounts/security.html", context)


@never_cache
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """One's own sessions, this one first, then the one used last."""
    found = UserSession.objects.purge_and_list(current_user(request))
    found.sort(key=lambda session: (not session.is_current(), -session.last_seen_at.timestamp()))
    for session in found:
        session.device = describe_device(session.user_agent)
    return render(request, "accounts/sessions.html", {"sessions": found})


@login_required
@require_POST
def end_session(request: HttpRequest, id: int) -> HttpResponse:
    """End one of one's own sessions; its sockets close within a second. 404 for anybody else's."""
    session = get_object_or_404(UserSession, pk=id, user=current_user(request))
    session.end()
    messages.success(request, _("The session is ended."))
    return redirect("settings_sessions")


@login_required
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    others = UserSession.objects.filter(user=current_user(request)).exclude(session_key=request.session.session_key)
    for session in others:
        session.end()
    messages.success(request, _("All other sessions are ended."))
    return redirect("settings_sessions")
