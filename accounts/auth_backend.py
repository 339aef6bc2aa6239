"""Who may sign in with which password, and who a session belongs to."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from accounts.names import find_account, normalize_email, normalize_name, select_by_name


class Backend(AuthenticationBackend):  # type: ignore[misc]
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:
        """By name or address, whatever their case. Of names that differ in nothing else, each opens its own account."""
        if name := credentials.get("username"):
            credentials["username"] = normalize_name(name)
        if email := credentials.get("email"):
            credentials["email"] = normalize_email(email)
        found = super().authenticate(request, **credentials)
        if found is None and name and select_by_name(name).count() > 1:
            return self.authenticate_exactly(find_account(name), credentials.get("password") or "")
        return found

    def authenticate_exactly(self, user: User | None, password: str) -> User | None:
        opened = user is not None and user.check_password(password) and self.user_can_authenticate(user)
        return user if opened else None

    def get_user(self, user_id: Any) -> User | None:
        """The active user of a session, with what they prefer and their limits: every page asks, so it is one query."""
        user = User.objects.select_related("preferences", "limits").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
