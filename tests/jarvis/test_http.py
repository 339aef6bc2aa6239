"""HTTP as the standards have it, through the whole application: methods, lengths, codings, caches, wrong addresses."""

import gzip
import json
import zlib

import httpx
import pytest

from accounts.models import ApiKey
from chat.models import Conversation
from jarvis.asgi import http
from jarvis.lib.database import in_database
from tests.support.callers import session_headers
from tests.support.live import static_files
from tests.support.routes import routes
from tests.support.workers import alice, clean_redis

__all__ = ["alice", "clean_redis"]

pytestmark = pytest.mark.django_db(transaction=True)

BOM = b"\xef\xbb\xbf"


@pytest.fixture
async def web():
    static_files()
    transport = httpx.ASGITransport(app=http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def key(alice):
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "test")
    return {"x-api-key": secret}


def error(response):
    return response.json()["error"]


# Methods


async def test_head_is_answered_wherever_get_is_with_the_same_headers_and_no_body(web, key, alice):
    conversation = await in_database(lambda: Conversation.objects.create(owner=alice, title="x"))
    ours = ["/health", "/health/ready", "/v1/models", "/api/status", "/api/history"]
    djangos = ["/api/usage", "/api/schema/", "/api/v1/conversations/", f"/api/v1/conversations/{conversation.pk}/"]
    plain = key | {"accept-encoding": "identity"}  # what is compressed is of a random length
    for path in [*ours, *djangos, "/api/v1/keys/", "/sign-in/"]:
        whole, head = await web.get(path, headers=plain), await web.head(path, headers=plain)
        assert head.status_code == whole.status_code, path
        assert head.content == b"" or path not in ours  # that of Django's answers is left out by the web server
        assert head.headers["content-type"] == whole.headers["content-type"], path
        assert 0 < int(head.headers["content-length"]) == pytest.approx(int(whole.headers["content-length"]), abs=10)


async def test_other_methods_get_405_with_those_that_there_are(web, key):
    for verb, path, allowed in [
        ("DELETE", "/health", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("PUT", "/health/ready", "GET, HEAD"),
        ("POST", "/api/status", "GET, HEAD"),
        ("HEAD", "/v1/chat/completions", "POST"),
        ("GET", "/v1/chat/completions", "POST"),
        ("PATCH", "/api/history", "GET, DELETE, HEAD"),
    ]:
        response = await web.request(verb, path, headers=key)
        assert (response.status_code, response.headers["allow"]) == (405, allowed), (verb, path)


# Lengths and codings


async def test_answers_tell_their_length_and_are_compressed_from_500_bytes(web, key):
    for path in ("/health", "/v1/models", "/nothing", "/v1/nothing", "/api/v1/keys/", "/api/schema/"):
        plain = await web.get(path, headers=key | {"accept-encoding": "identity"})
        packed = await web.get(path, headers=key | {"accept-encoding": "br;q=0, gzip, deflate"})
        assert int(plain.headers["content-length"]) == len(plain.content), path
        assert "content-encoding" not in plain.headers, path
        if len(plain.content) >= 500:
            assert packed.headers["content-encoding"] == "gzip", path
            assert "accept-encoding" in packed.headers["vary"].lower(), path
    assert len(plain.content) > 500


async def test_a_packed_body_is_unpacked_at_both_stacks(web, key, alice):
    conversation = await in_database(lambda: Conversation.objects.create(owner=alice, title="x"))
    call = json.dumps({"model": "nothing", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    bare = zlib.compressobj(wbits=-15)
    for coding, pack in [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda text: bare.compress(text) + bare.flush()),
        ("identity", lambda text: text),
        ("gzip, gzip", lambda text: gzip.compress(gzip.compress(text))),
        ("gzip", lambda text: gzip.compress(text[:9]) + gzip.compress(text[9:])),
    ]:
        response = await web.post(
            "/v1/chat/completions", content=pack(call), headers=key | {"content-encoding": coding}
        )
        assert (response.status_code, error(response)["code"]) == (404, "model_not_found"), coding
    given = {"content-encoding": "gzip", "content-type": "application/json"}
    address = f"/api/v1/conversations/{conversation.pk}/"
    response = await web.patch(address, content=gzip.compress(b'{"title": "renamed"}'), headers=key | given)
    assert (response.status_code, response.json()["title"]) == (200, "renamed")


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("br", b"x", 415),
        ("zstd", b"x", 415),
        ("gzip, br", gzip.compress(b"{}"), 415),
        ("compress", b"x", 415),
        ("gzip, gzip, gzip", gzip.compress(gzip.compress(gzip.compress(b"{}"))), 415),
        ("gzip", b"{}", 400),
        ("gzip", gzip.compress(b"{}" * 500)[:-9], 400),
        ("deflate", b"\x78\x9c{}", 400),
        ("gzip", gzip.compress(b"{}") * 100, 400),
        ("gzip", gzip.compress(b"x" * 4_000_001), 413),
        ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 50_000_000)), 413),
    ],
)
async def test_what_cannot_be_unpacked_is_refused_with_the_reason(web, key, coding, body, status):
    for path in ("/v1/chat/completions", "/api/v1/keys/"):
        response = await web.post(path, content=body, headers=key | {"content-encoding": coding})
        assert response.status_code == status
        assert set(error(response)) == {"message", "type", "param", "code"}
        assert (response.headers.get("accept-encoding") == "gzip, deflate") == (status == 415)


@pytest.mark.parametrize(
    ("content_type", "packed"),
    [
        ("application/json", lambda text: BOM + text.encode()),
        ("application/json; charset=utf-8", lambda text: BOM + text.encode()),
        ("text/plain", lambda text: BOM + text.encode()),
        ("application/json", lambda text: text.encode("utf-16")),
        ("application/json; charset=utf-16le", lambda text: text.encode("utf-16-le")),
        ("application/json; charset=ISO-8859-1", lambda text: text.encode("latin-1")),
        ('application/json; charset="windows-1252"', lambda text: text.encode("cp1252")),
        ("application/json; charset=iso-8859-1", lambda text: text.encode()),  # JSON is UTF-8, whatever is said of it
    ],
)
async def test_json_is_read_with_a_mark_before_it_and_in_other_character_sets(web, key, alice, content_type, packed):
    asked = json.dumps({"model": "größer", "messages": [{"role": "user", "content": "¿Qué?"}]}, ensure_ascii=False)
    given = key | {"content-type": content_type}
    response = await web.post("/v1/chat/completions", content=packed(asked), headers=given)
    assert (response.status_code, "größer" in error(response)["message"]) == (404, True), response.text
    if content_type.startswith("application/json"):
        conversation = await in_database(lambda: Conversation.objects.create(owner=alice, title="x"))
        address = f"/api/v1/conversations/{conversation.pk}/"
        response = await web.patch(address, content=packed('{"title": "größer"}'), headers=given)
        assert (response.status_code, response.json()["title"]) == (200, "größer")


async def test_what_is_no_utf8_is_still_refused(web, key):
    for body in (b'{"model": "\xe9"}', b"\xff\xfe\x00", BOM, BOM + b"{", b'{"model": "\xff"}'):
        for given in ("application/json", "application/json; charset=punycode", "application/json; charset=utf-16"):
            response = await web.post("/v1/chat/completions", content=body, headers=key | {"content-type": given})
            assert (response.status_code, error(response)["code"]) == (400, "invalid_request_error")


# Caches


async def test_no_cache_keeps_what_was_made_for_one_person_and_no_browser_guesses_at_types(web, key, alice):
    headers = await in_database(session_headers, alice)
    tried = 0
    for route in routes():
        if route.parameters or "(" in route.path:
            continue
        for given in (headers, key, {}):
            response = await web.get(route.url(), headers=given)
            rule = response.headers.get("cache-control", "")
            kept = route.path in ("favicon.ico", "manifest.webmanifest") or "public" in rule
            assert "no-store" in rule or "private" in rule or kept, (route.path, rule)
            if route.path.startswith(("api/", "v1/", "health")):
                assert "no-store" in rule, (route.path, rule)
            assert response.headers["x-content-type-options"] == "nosniff", route.path
            tried += 1
    assert tried > 100
    script = await web.get("/static/chat/page.js")
    assert script.headers.get("x-content-type-options") == "nosniff"


# Wrong addresses


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/models", "/v1/models"),
        ("/models/guide", "/v1/models/guide"),
        ("//v1/chat/completions", "/v1/chat/completions"),
        ("/v1//chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/api/v1/chat/completions", "/v1/chat/completions"),
        ("/api/chat/completions", "/v1/chat/completions"),
        ("/openai/v1/models", "/v1/models"),
        ("/openai/deployments/gpt-4/chat/completions", "/v1/chat/completions"),
        ("/v1/responses", "/v1/chat/completions"),
        ("/responses", "/v1/chat/completions"),
        ("/v1/embeddings", "/v1/chat/completions"),
        ("/v1/completions", "/v1/chat/completions"),
        ("/v1/messages", "/v1/chat/completions"),
        ("/v1/messages/count_tokens", "/v1/chat/completions"),
        ("/v1/audio/transcriptions", "/v1/chat/completions"),
        ("/v1/images/generations", "/v1/chat/completions"),
        ("/v1/rerank", "/v1/chat/completions"),
        ("/tokenize", "/v1/chat/completions"),
        ("/api/generate", "/v1"),
        ("/api/tags", "/v1"),
        ("/v1/conversations", "/api/v1/conversations/"),
        ("/health/", "/health"),
        ("/history", "/api/history"),
        ("/api/nothing", "/api/schema/"),
        ("/v1", "/v1/chat/completions"),
        ("/" + "x" * 3000, "/v1"),
    ],
)
async def test_a_program_at_a_wrong_address_reads_which_one_was_meant(web, path, meant):
    response = await web.post(f"http://localhost{path}", json={}, headers={"accept": "*/*"})
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert error(response)["code"] == "not_found"
    assert meant in error(response)["message"]


async def test_a_browser_at_a_wrong_address_gets_a_page(web):
    response = await web.get("/chat/completions", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (response.status_code, "There is nothing here" in response.text) == (404, True)


@pytest.mark.parametrize(
    "path", ["/api/v1/conversations", "/api/v1/keys", "/api/schema", "/api/docs", "/admin", "/settings", "/sign-in"]
)
async def test_an_address_that_lacks_its_last_slash_leads_to_the_one_with_it(web, path):
    response = await web.get(f"{path}?q=a%20b&limit=1")
    assert (response.status_code, response.headers["location"]) == (301, f"{path}/?q=a%20b&limit=1")
    response = await web.post(path, json={})
    assert (response.status_code, response.headers["location"]) == (308, f"{path}/")
    assert f"{path}/" in error(response)["message"]


async def test_a_redirect_leads_nowhere_else(web, key, alice):
    headers = await in_database(session_headers, alice)
    for path in ("//evil.example", "//evil.example/admin", "/nothing", "/admin/nothing", "/api/v1/nothing", "/\\evil"):
        response = await web.get(f"http://localhost{path}", headers=headers)
        assert "evil" not in response.headers.get("location", ""), path
    response = await web.get("/api/v1/conversations", headers=key, follow_redirects=True)
    assert (response.status_code, response.json()["results"]) == (200, [])
    response = await web.get("http://localhost//admin")
    assert (response.status_code, "/admin/" in error(response)["message"]) == (404, True)


# Keys


async def test_a_401_says_which_header_it_looked_at_and_what_it_wants(web, alice):
    for path in ("/v1/models", "/api/history", "/api/v1/keys/", "/api/usage", "/api/schema/"):
        for headers, words in [
            ({}, "No API key was given"),
            ({"authorization": "jv_x"}, "`Authorization` does not begin"),
            ({"authorization": "Basic YTpi"}, "scheme Basic"),
            ({"api-key": "jv_x"}, "`api-key` is not read"),
            ({"x-api-key": "jv_x"}, "in `X-API-Key` is not known"),
        ]:
            response = await web.get(path, headers=headers)
            assert (response.status_code, error(response)["code"]) == (401, "invalid_api_key")
            assert response.headers["www-authenticate"] == "Bearer"
            assert words in error(response)["message"], (path, headers)


async def test_who_is_signed_in_behind_a_proxy_with_a_password_is_signed_in(web, alice):
    headers = await in_database(session_headers, alice) | {"authorization": "Basic YTpi"}
    for path in ("/api/history", "/api/v1/keys/"):
        assert (await web.get(path, headers=headers)).status_code == 200, path
