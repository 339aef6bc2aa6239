"""The forms of accounts. Each names its fields one by one, so that no request can set more than its form shows."""

from datetime import datetime, timedelta
from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.models import EmailAddress
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.conf import settings
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Preferences
from accounts.names import check_email, normalize_email
from jarvis.lib.config import config

NEW_PASSWORD = _("8 or more characters, not a common word, not like the name.")


class PasswordHelpMixin:
    """A form with a new password: how it has to be, in one line."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = NEW_PASSWORD
        self.fields["password2"].help_text = ""


class FirstAdminForm(PasswordHelpMixin, UserCreationForm[User]):
    """A name and a password, twice; what will not do is said when it is tried."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = ""


class SignInForm(allauth_forms.LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Username or e-mail")
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}
        self.fields["login"].max_length = 254
        self.fields["password"].help_text = ""


class SignUpForm(PasswordHelpMixin, allauth_forms.SignupForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {"autofocus": True, "autocapitalize": "none"}
        self.fields["email"].label = _("E-mail (optional)")
        if config.email_url:
            self.fields["email"].help_text = _("To set a new password when this one is lost.")


class ChangePasswordForm(PasswordHelpMixin, allauth_forms.ChangePasswordForm):  # type: ignore[misc]
    pass


class SetPasswordForm(PasswordHelpMixin, allauth_forms.SetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordForm(PasswordHelpMixin, allauth_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class PasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A key that signs in alone where the device can, with what it asks of its owner."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Name")
        self.fields["name"].max_length = 60
        self.fields["passwordless"].initial = True
        self.fields["passwordless"].label = _("Sign in with it alone, without a password")
        self.fields["passwordless"].help_text = _("The device then asks for a fingerprint, a face or a code.")


class ProfileForm(forms.ModelForm[User]):
    """The name that pages greet with, and the address where no mail server could verify it."""

    class Meta:
        model = User
        fields = ["first_name", "email"]
        labels = {"first_name": _("What Jarvis calls you"), "email": _("E-mail")}
        help_texts = {"first_name": _("Empty: your username.")}
        widgets = {
            "first_name": forms.TextInput({"autocomplete": "given-name"}),
            "email": forms.EmailInput({"autocomplete": "email"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if config.email_url:
            del self.fields["email"]  # has a page of its own, which verifies it

    def clean_email(self) -> str:
        email = normalize_email(self.cleaned_data["email"])
        if "email" in self.changed_data:
            check_email(email, self.instance)
        return email

    def save(self, commit: bool = True) -> User:
        """A former address no longer signs in."""
        user = super().save(commit)
        if "email" in self.fields:
            EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()
        return user


class AppearanceForm(forms.ModelForm[Preferences]):
    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("Automatic")), *settings.LANGUAGES]
    )

    class Meta:
        model = Preferences
        fields = ["theme", "language"]
        labels = {"theme": _("Theme")}
        widgets = {"theme": forms.RadioSelect}


class NewKeyForm(forms.Form):
    """A new API key. What `ApiKey.make` takes beside the owner is in `cleaned_data`, by its names."""

    VALIDITY_CHOICES = [
        ("30", _("30 days")),
        ("90", _("90 days")),
        ("365", _("a year")),
        ("", _("until it is revoked")),
    ]

    label = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What it is for, such as “backup script”. Only you see it.")
    )
    expires_at = forms.ChoiceField(label=_("Valid for"), choices=VALIDITY_CHOICES, required=False, initial="90")

    def clean_expires_at(self) -> datetime | None:
        days = self.cleaned_data["expires_at"]
        return timezone.now() + timedelta(days=int(days)) if days else None
