"""Everybody who tries the doors, by the headers that they send."""

from django.conf import settings

from accounts.models import ApiKey
from tests.support.sockets import HOST, session_cookie

ORIGIN = f"http://{HOST}"


CSRF = "c" * 32


def session_headers(user):
    """As the browser of somebody who is signed in sends them from one of our pages."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={session_cookie(user)}; {settings.CSRF_COOKIE_NAME}={CSRF}"
    return {"cookie": cookie, "x-csrftoken": CSRF, "origin": ORIGIN, "referer": f"{ORIGIN}/"}


def key_headers(user):
    return {"x-api-key": ApiKey.create_with_secret(user.pk, "test")[1]}


def revoked_headers(user):
    row, secret = ApiKey.create_with_secret(user.pk, "revoked")
    row.revoke()
    return {"x-api-key": secret, "authorization": f"Bearer {secret}"}


NOBODY = {"cookie": f"{settings.CSRF_COOKIE_NAME}={CSRF}", "x-csrftoken": CSRF, "origin": ORIGIN, "referer": ORIGIN}


async def call(http, verb, url, headers, body=None):
    return await http.request(verb, url, headers=headers, json=body if verb not in ("GET", "HEAD") else None)


def refused(response, api):
    """401 of the API, or a page that leads to signing in (CSRF's 403 where no cookie came along)."""
    if api:
        return response.status_code == 401
    return response.status_code == 403 or (
        response.status_code == 302 and response.headers["location"].startswith(("/sign-in/", "/admin/login/"))
    )
