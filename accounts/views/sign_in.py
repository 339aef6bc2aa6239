"""In and out: signing in, signing up by a link, a password that is lost, a provider's sign-in."""

from typing import Any

import structlog
from allauth.account.utils import complete_signup
from allauth.account.views import LoginView, PasswordResetView, SignupView
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from requests import RequestException

from accounts import first_admin
from accounts.models import Invitation
from jarvis.lib.config import config

log = structlog.get_logger(__name__)


class SignIn(LoginView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        sso = config.oidc_name if config.oidc_server_url else ""
        return super().get_context_data(first=first_admin.needs_first_admin(), signup=config.signup, sso=sso, **kwargs)  # type: ignore[no-any-return]


class SignUp(SignupView):  # type: ignore[misc]
    """An account of one's own, where the site is open for that."""

    def form_valid(self, form: Any) -> HttpResponseBase:
        try:
            with transaction.atomic():
                user = self.create_account(form)
        except IntegrityError:  # two people took the name at the same moment
            form.add_error("username", _("A user with that username already exists."))
            user = None
        if form.errors:
            return self.form_invalid(form)  # type: ignore[no-any-return]
        if user is None:
            return self.closed()
        return complete_signup(self.request, user, None, self.get_success_url())  # type: ignore[no-any-return]

    def create_account(self, form: Any) -> Any:
        """The account; None where signing up was closed meanwhile. Runs in a transaction."""
        user, _response = form.try_save(self.request)
        return user

    def closed(self) -> HttpResponse:
        return render(self.request, self.template_name_signup_closed, {"signup": config.signup}, status=403)


class Join(SignUp):
    """The same by a link of invitation."""

    invitation: Invitation | None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.invitation = None if config.signup == "closed" else Invitation.find_usable(kwargs["token"])
        return super().dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]

    def is_open(self) -> bool:
        return self.invitation is not None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(invitation=self.invitation, **kwargs)  # type: ignore[no-any-return]

    def create_account(self, form: Any) -> Any:
        assert self.invitation is not None
        if not self.invitation.count_use():
            return None
        user = super().create_account(form)
        if user is not None and self.invitation.group is not None:
            user.groups.add(self.invitation.group)
        return user

    def closed(self) -> HttpResponse:
        return render(self.request, "accounts/invitation_closed.html", {"signup": config.signup}, status=410)


class ResetPassword(PasswordResetView):  # type: ignore[misc]
    """A link by e-mail; without a mail server the page says who can help."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not config.email_url:
            return render(request, "account/password_reset.html", {"no_mail": True})
        return super().dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]


@never_cache
def open_provider(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """To the provider. From a page, not by a redirect: the policy lets a form lead to this site only."""
    try:
        answer: HttpResponseBase = openid_connect.login(request, provider_id=provider_id)
    except RequestException as error:
        log.warning("oidc.away", error=str(error))
        return render(request, "socialaccount/authentication_error.html", {"away": True}, status=503)
    address = answer.headers.get("Location", "")
    if not address.startswith(("http://", "https://")):
        return answer
    return render(request, "accounts/to_provider.html", {"address": address, "name": config.oidc_name})
