"""Who may sign in with which password, and who a session belongs to."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.models import User


class Backend(AuthenticationBackend):  # type: ignore[misc]
    def get_user(self, user_id: Any) -> User | None:
        """The active user of a session, with what they prefer and their limits: every page asks, so it is one query."""
        user = User.objects.select_related("preferences", "limits").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
