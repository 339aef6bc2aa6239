"""A client that speaks to the whole application, and the people who try its doors."""

import httpx
import pytest
from django.conf import settings

from accounts.models import ApiKey
from inference import wire
from jarvis.database import in_database
from tests.chat.conftest import HOST, model, open_as, signed_in
from tests.inference.conftest import clean_redis, fake, held
from tests.live import static_files
from tests.openai.conftest import live
from tests.security.world import Cast

__all__ = ["clean_redis", "fake", "held", "live", "model", "open_as"]

ORIGIN = f"http://{HOST}"
CSRF = "c" * 32


def session_headers(user):
    """As the browser of somebody who is signed in sends them from one of our pages."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={signed_in(user)}; {settings.CSRF_COOKIE_NAME}={CSRF}"
    return {"cookie": cookie, "x-csrftoken": CSRF, "origin": ORIGIN, "referer": f"{ORIGIN}/"}


def key_headers(user):
    return {"x-api-key": ApiKey.make(user.pk, "test")[1]}


def revoked_headers(user):
    row, secret = ApiKey.make(user.pk, "revoked")
    row.revoke()
    return {"x-api-key": secret, "authorization": f"Bearer {secret}"}


NOBODY = {"cookie": f"{settings.CSRF_COOKIE_NAME}={CSRF}", "x-csrftoken": CSRF, "origin": ORIGIN, "referer": ORIGIN}


@pytest.fixture
async def cast(transactional_db):
    return await in_database(Cast.make)


@pytest.fixture
def alice(cast):
    return cast.alice


@pytest.fixture
async def http():
    """A client of the application itself: pages, resources and API as they are mounted."""
    from jarvis.asgi import http

    static_files()
    transport = httpx.ASGITransport(app=http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, timeout=30) as client:
        yield client
    await wire.close()
