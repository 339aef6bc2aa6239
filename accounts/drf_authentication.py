"""Who calls a REST resource: by API key as at every other door, else by the session of the page."""

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.authentication import Caller, authenticate_sync
from accounts.csrf import CsrfMiddleware, explain_refusal
from accounts.key_headers import FOREIGN_HEADERS, Unauthenticated, explain_missing_key, presents_key
from jarvis.lib import api_errors
from jarvis.lib.client_address import client_address
from jarvis.lib.private_names import django_request


class KeyAuthentication(BaseAuthentication):
    """`X-API-Key` or `Authorization: Bearer`; `request.auth` is then the `Caller`. Sessions are DRF's own business."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not presents_key(headers):
            if not request.COOKIES and ("authorization" in headers or not headers.keys().isdisjoint(FOREIGN_HEADERS)):
                raise AuthenticationFailed(explain_missing_key(headers))
            return None
        try:
            caller = authenticate_sync(headers, client_address(django_request(request)))
        except Unauthenticated as error:
            raise AuthenticationFailed(str(error)) from None
        return User.objects.get(pk=caller.user_id), caller

    def authenticate_header(self, request: Request) -> str:
        """What makes DRF answer 401 where nobody is known, instead of 403."""
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of the page; for what changes something, from a page of ours with its token."""

    def enforce_csrf(self, request: Request) -> None:
        checked = cast(HttpRequest, request)  # with REST framework's parsers, which say what they do not take
        check = CsrfCheck(refuse)
        check.process_request(checked)
        if reason := check.process_view(checked, refuse, (), {}):
            text = explain_refusal(checked, str(reason)).text
            raise api_errors.make_error(403, "permission_denied", text, "permission_error")


class CsrfCheck(CsrfMiddleware):
    """Gives the reason in the place of a page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def refuse(request: HttpRequest) -> HttpResponse:
    """Stands where Django's middleware has a view, and is never called."""
    return HttpResponse(status=403)


class PageSessionScheme(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = SessionAuthentication  # type: ignore[assignment]


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
