"""Behind a proxy that ends TLS, or says that it does not, or says nothing."""

import httpx
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

from jarvis.web.forwarded import Forwarded, client_scheme
from tests.support.live import static_files

SAID = [
    ({"x-forwarded-proto": "https"}, "https"),
    ({"x-forwarded-proto": "HTTPS"}, "https"),
    ({"x-forwarded-proto": "https, http"}, "https"),
    ({"x-forwarded-proto": "wss"}, "https"),
    ({"x-forwarded-proto": "http"}, "http"),
    ({"x-forwarded-proto": "ws"}, "http"),
    ({"x-forwarded-proto": "http,https"}, "http"),
    ({"forwarded": "for=192.0.2.7;proto=https;by=10.0.0.1, for=10.0.0.1;proto=http"}, "https"),
    ({"forwarded": 'Proto="http"'}, "http"),
    ({"forwarded": "for=192.0.2.7"}, ""),
    ({"x-forwarded-proto": ""}, ""),
    ({"x-forwarded-proto": "gopher"}, ""),
    ({"x-forwarded-for": "192.0.2.7"}, ""),
    ({}, ""),
]


@pytest.mark.parametrize(("headers", "scheme"), SAID)
def test_the_scheme_of_the_client_is_what_the_first_proxy_says(headers, scheme):
    assert client_scheme([(name.encode(), value.encode()) for name, value in headers.items()]) == scheme


@pytest.fixture
async def opened(settings, transactional_db):
    settings.SECURE_SSL_REDIRECT = True
    static_files()
    transport = httpx.ASGITransport(Forwarded(ASGIHandler()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8090") as client:
        yield client


@pytest.mark.parametrize(("headers", "scheme"), SAID)
async def test_only_who_came_without_tls_is_redirected(opened, headers, scheme):
    answer = await opened.get("/sign-in/?next=/settings/", headers=headers)
    assert answer.status_code == (301 if scheme == "http" else 200)
    if scheme == "http":
        assert answer.headers["location"] == "https://localhost:8090/sign-in/?next=/settings/"


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "localhost:443"])
async def test_a_redirect_leads_to_the_usual_port(opened, host):
    answer = await opened.get("/sign-in/", headers={"host": host, "x-forwarded-proto": "http"})
    assert answer.headers["location"] == "https://localhost/sign-in/"


async def test_a_host_that_is_not_served_is_not_redirected(opened):
    answer = await opened.get("/sign-in/", headers={"host": "evil.example", "x-forwarded-proto": "http"})
    assert answer.status_code == 400


def test_this_machines_own_names_are_always_served():
    assert {"localhost", "127.0.0.1", "[::1]"} <= set(settings.ALLOWED_HOSTS)
