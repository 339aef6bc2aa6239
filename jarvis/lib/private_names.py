"""Names that libraries keep to themselves and that Jarvis uses all the same: here, and nowhere else.

`tests/jarvis/test_private_names.py` fails where an upgrade changes one of them, and says what to look at.
"""

from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request


def second_factor_account(request: HttpRequest) -> str:
    """Whose second factor allauth asks for in this session; empty for nobody's. There is no public way to ask it."""
    login = request.session.get(LOGIN_SESSION_KEY)
    return str(login.get("user_pk", "")) if isinstance(login, dict) else ""


def close_resources(response: HttpResponseBase) -> None:
    """What `response.close()` does but for the signal that the request is finished.

    Django's receivers of it look after database connections of this thread; on an event loop there are none.
    """
    for close in response._resource_closers:  # type: ignore[attr-defined]
        close()


def django_request(request: Request) -> HttpRequest:
    """Django's own request inside of one of REST framework."""
    return request._request
