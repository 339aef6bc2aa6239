"""The form of an account in the admin."""

from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import User

from accounts.names import check_email, check_name, normalize_email


class PersonForm(UserChangeForm[User]):
    """An account in the admin. What was there before names and addresses had to differ stays until it is changed."""

    password = None  # type: ignore[assignment]  # not even a part of its hash: there are buttons that set one

    class Meta(UserChangeForm.Meta):
        exclude = ["password"]

    def clean_username(self) -> str:
        name = str(self.cleaned_data["username"])
        if "username" in self.changed_data:
            check_name(name, self.instance)
        return name

    def clean_email(self) -> str:
        email = normalize_email(self.cleaned_data["email"])
        if "email" in self.changed_data:
            check_email(email, self.instance)
        return email
