"""Pages of other sites: those named in the configuration may call the API with a key, no other may, none by cookie."""

import httpx
import pytest
from django.conf import settings

from accounts.models import ApiKey
from jarvis.asgi import http, route_http
from jarvis.lib.config import Config
from jarvis.lib.database import in_database
from jarvis.web.cors import EXPOSED_HEADERS, Cors
from tests.support.live import static_files
from tests.support.workers import alice, clean_redis

__all__ = ["alice", "clean_redis"]

pytestmark = pytest.mark.django_db(transaction=True)

OURS = "https://app.example.com"
SESSION = f"{settings.SESSION_COOKIE_NAME}=x"
STRANGERS = [
    "https://evil.example",
    "null",
    "",
    f"{OURS}.evil.example",
    f"{OURS}:8443",
    f"{OURS}/",
    "http://app.example.com",
]
BOTH_STACKS = ["/v1/models", "/api/status", "/api/history", "/api/v1/models/", "/api/usage", "/health"]
ALLOW = "access-control-allow-"


@pytest.fixture
def files():
    static_files()


def client(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")


@pytest.fixture
async def opened(files):
    async with client(Cors(route_http, [OURS, "http://localhost:3000"])) as client_:
        yield client_


async def test_a_page_of_a_named_origin_reads_answers_and_their_headers(opened, alice):
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    for path in BOTH_STACKS:
        for origin in (OURS, "http://localhost:3000"):
            response = await opened.get(path, headers={"origin": origin, "x-api-key": secret})
            assert response.status_code == 200, response.text
            assert response.headers.get_list(f"{ALLOW}origin") == [origin]
            assert response.headers["access-control-expose-headers"] == EXPOSED_HEADERS.decode()
            assert "origin" in response.headers["vary"].lower()
            assert response.headers["x-request-id"]
        refused = await opened.get(path, headers={"origin": OURS, "x-api-key": "jv_wrong"})
        assert refused.headers[f"{ALLOW}origin"] == OURS  # or the page could not read why


async def test_no_other_page_may(opened, alice):
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    for path in BOTH_STACKS:
        for origin in STRANGERS:
            ask = {"origin": origin, "access-control-request-method": "POST"}
            for response in (
                await opened.get(path, headers={"origin": origin, "x-api-key": secret}),
                await opened.options(path, headers=ask | {"access-control-request-headers": "x-api-key"}),
            ):
                assert not [name for name in response.headers if name.startswith("access-control-")], (path, origin)
                assert "origin" in response.headers["vary"].lower()  # no cache gives them what another origin got


async def test_a_preflight_is_answered_without_a_key_for_what_the_sdk_sends(opened):
    sent = "authorization, content-type, x-stainless-lang, x-stainless-retry-count"
    ask = {"origin": OURS, "access-control-request-method": "POST", "access-control-request-headers": sent}
    for path in ("/v1/chat/completions", "/api/chat/stream", "/api/v1/keys/1/", "/v1/anything"):
        response = await opened.options(path, headers=ask)
        assert (response.status_code, response.content) == (204, b"")
        assert response.headers[f"{ALLOW}origin"] == OURS
        assert response.headers[f"{ALLOW}headers"] == sent
        assert {"POST", "PATCH", "DELETE"} <= set(response.headers[f"{ALLOW}methods"].split(", "))
        assert response.headers["access-control-max-age"] == "600"


async def test_odd_names_of_headers_are_not_given_back(opened):
    odd_ones = {"x y, z": {"z"}, "a\x00b": {""}, "é": {""}, ",,,": {""}, "x" * 5000: {""}, "x-a," * 500: {"x-a"}}
    for odd, given_back in odd_ones.items():
        ask = {"origin": OURS, "access-control-request-method": "POST", "access-control-request-headers": odd.encode()}
        response = await opened.options("/v1/models", headers=ask)
        assert response.status_code == 204
        assert set(response.headers.get(f"{ALLOW}headers", "").split(", ")) == given_back
        assert len(response.headers.get(f"{ALLOW}headers", "")) < 400


async def test_no_answer_lets_cookies_through(files, alice):
    """A page elsewhere acts by a key of its own, never for whoever is signed in here."""
    for origins in ([OURS], ["*"], ["*", OURS]):
        async with client(Cors(route_http, origins)) as opened:
            ask = {"origin": OURS, "access-control-request-method": "GET", "cookie": SESSION}
            for response in (
                await opened.get("/api/history", headers={"origin": OURS, "cookie": SESSION}),
                await opened.get("/api/usage", headers={"origin": OURS, "cookie": SESSION}),
                await opened.options("/api/history", headers=ask),
            ):
                assert f"{ALLOW}credentials" not in response.headers
                assert response.headers[f"{ALLOW}origin"] == ("*" if "*" in origins else OURS)


async def test_pages_are_open_to_no_other_page(opened):
    for path in ("/", "/sign-in/", "/admin/", "/usage/usage.csv", "/v1x", "/static/nothing"):
        response = await opened.get(path, headers={"origin": OURS})
        assert f"{ALLOW}origin" not in response.headers, path


async def test_nothing_is_open_unless_it_was_configured(files):
    assert http is route_http
    async with client(http) as closed:
        ask = {"origin": OURS, "access-control-request-method": "GET"}
        for response in (await closed.get("/health", headers=ask), await closed.options("/v1/models", headers=ask)):
            assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "origins", [OURS, "*", "http://localhost:3000", f"{OURS}, http://[::1]:80", "HTTPS://App.Example.com"]
)
def test_origins_are_read_from_the_configuration(origins, monkeypatch):
    monkeypatch.setenv("JARVIS_CORS_ORIGINS", origins)
    assert Config().cors_origins == tuple(word.strip().lower() for word in origins.split(","))


@pytest.mark.parametrize(
    "odd", ["app.example.com", f"{OURS}/", f"{OURS}/path", "null", "https://*.example.com", "ftp://a"]
)
def test_what_is_no_origin_stops_the_start(odd, monkeypatch):
    monkeypatch.setenv("JARVIS_CORS_ORIGINS", odd)
    with pytest.raises(ValueError, match="is no origin such as"):
        Config()
