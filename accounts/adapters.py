"""How allauth is fitted in: who may sign up, where mails go, how secrets are kept."""

import base64
import hashlib
from smtplib import SMTPException
from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.devices import describe_device
from accounts.middleware import LANGUAGES
from accounts.models import Preferences
from accounts.names import normalize_email, normalize_name
from accounts.sessions import session_address
from jarvis.lib.config import config

log = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether anybody may make an account. A link of invitation has a page of its own."""
        return config.signup == "open"

    def clean_username(self, username: str, shallow: bool = False) -> str:
        return str(super().clean_username(normalize_name(username), shallow))

    def clean_email(self, email: str) -> str:
        return normalize_email(email)

    def get_client_ip(self, request: HttpRequest) -> str:
        return session_address(request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("settings_security")

    def should_send_confirmation_mail(self, request: HttpRequest, email_address: EmailAddress, signup: bool) -> bool:
        """When an address is new, not again at each sign-in."""
        return signup or request.user.is_authenticated

    def is_safe_url(self, url: str) -> bool:
        """Where `next` may lead: to a page of this site, written as a path. Names of hosts are not even looked at."""
        return url.startswith("/") and super().is_safe_url(url) and not url.startswith(("//", "/\\"))

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The ways to say once more who one is, in our words."""
        words = {"reauthenticate": _("With the password"), "mfa_reauthenticate": _("With a code")}
        words["mfa_reauthenticate:webauthn"] = _("With a passkey")
        return [way | {"description": words[way["id"]]} for way in super().get_reauthentication_methods(user)]

    def send_notification_mail(
        self, template_prefix: str, user: Any, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """With what the text says of the account and of where the change came from."""
        more = {
            "user": user,
            "device": describe_device(self.get_http_user_agent(self.request)),
            "reset_url": self.request.build_absolute_uri(reverse("account_reset_password")),
        }
        super().send_notification_mail(template_prefix, user, {**(context or {}), **more}, email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send it in the language that its reader chose, else in the one that was asked in. Or say that it could not be
        sent: what was done before stays done."""
        if not config.email_url:
            return
        chosen = Preferences.for_user(context.get("user") or AnonymousUser()).language
        try:
            with translation.override(chosen if chosen in LANGUAGES else translation.get_language()):
                super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            log.error("email.failed", mail=template_prefix, error=str(error))
            message = _("The e-mail could not be sent. Try again later, or ask an administrator.")
            messages.error(self.request, message)


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of second factors are encrypted, so that a copy of the database alone opens nothing."""

    def encrypt(self, text: str) -> str:
        return cipher(settings.SECRET_KEY).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """What was encrypted with another secret key fits no code. An administrator can remove the second factor."""
        try:
            return cipher(settings.SECRET_KEY).decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            log.error("second_factor.unreadable", variable="JARVIS_SECRET_KEY")
            return ""

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())

    def _get_site_name(self) -> str:
        return "Jarvis"


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Whether somebody whom the provider let in, and nobody here knows, gets an account."""
        if config.oidc_signup:
            return True
        told = render(request, "socialaccount/unknown.html", {"sso": config.oidc_name}, status=403)
        raise ImmediateHttpResponse(told)

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return reverse("settings_security")


def cipher(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"jarvis.second-factor:" + secret_key.encode()).digest()))
