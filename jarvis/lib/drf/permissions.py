"""What a caller of the REST resources may do: by the scopes of its key, or as whoever is signed in."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser, User
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request

if TYPE_CHECKING:  # DRF itself imports this module while it makes that one
    from rest_framework.views import APIView

ADMIN_READ = "admin-read"


def has_scope(request: Request, scope: str) -> bool:
    """Whether a key has a scope; scopes do not restrict who is signed in on the page."""
    caller: Any = request.auth
    return caller is None or scope in getattr(caller, "scopes", ())


def may_read_all(request: Request, model: str) -> bool:
    """Whether the figures of everybody may be read: by staff with the right to view `app.model`, and by their keys
    with the scope admin-read."""
    user: User | AnonymousUser = request.user
    app, _, name = model.partition(".")
    return user.is_staff and has_scope(request, ADMIN_READ) and user.has_perm(f"{app}.view_{name}")


class Scoped(IsAuthenticated):
    """Who is known, and whose key has the view's `scope`, where it names one."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scope: str | None = getattr(view, "scope", None)
        return super().has_permission(request, view) and (scope is None or has_scope(request, scope))


class SignedInToChange(IsAuthenticated):
    """Keys may read; only a person who is signed in may change. A key that leaked cannot make itself another."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return super().has_permission(request, view) and (request.method in SAFE_METHODS or request.auth is None)
