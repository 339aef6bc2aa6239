"""Malformed requests to every address and frame: an answer below 500, always, and the process lives.

CVE-2026-31949 (one malformed request killed the process), CVE-2026-42208 (SQL in the error path of the key look-up).
"""

import asyncio
import json
import string

import hypothesis
import pytest
from django.conf import settings
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from hypothesis import strategies as st

from jarvis.lib.database import in_database
from tests.support.callers import session_headers
from tests.support.matrix import MATRIX, Owned
from tests.support.routes import routes

pytestmark = pytest.mark.django_db(transaction=True)

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BODIES = [
    (JSON, b""),
    (JSON, b"{"),
    (JSON, b"null"),
    (JSON, b"[]"),
    (JSON, b'"text"'),
    (JSON, b"[" * 5000),
    (JSON, b'{"a":' * 3000),
    (JSON, b"\xff\xfe"),
    (JSON, b'{"a": NaN, "b": 1e999, "c": -1e999}'),
    (JSON, b'{"a": "\\ud800"}'),
    (JSON, b'{"a": 1' + b"0" * 5000 + b"}"),
    (FORM, b"a=%00&%00=b&a=%ff&=&&=="),
    (FORM, b"a=1&" * 1500),
    ("multipart/form-data", b"no boundary"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\x00\r\n\r\n"),
    ("multipart/form-data; boundary=\x7f", b"--\x7f--"),
    ("text/plain; charset=nothing", b"hello"),
    ("application/x-www-form-urlencoded; charset=utf-7", b"a=+AAA-"),
    ("", b"\x00"),
]
NAMES = [
    "message",
    "messages",
    "conversation",
    "model",
    "text",
    "title",
    "name",
    "label",
    "folder",
    "token",
    "id",
    "ids",
    "q",
    "query",
    "page",
    "limit",
    "offset",
    "cursor",
    "ordering",
    "format",
    "lang",
    "next",
    "username",
    "password",
    "password1",
    "password2",
    "login",
    "email",
    "code",
    "temperature",
    "system_prompt",
    "content",
    "parent",
    "leaf",
    "client_key",
    "scopes",
    "models",
    "expires_at",
    "owner",
    "user",
    "key",
    "budget",
    "date",
    "from",
    "to",
    "search",
    "action",
    "_selected_action",
    "state",
    "value",
]
ODD = [
    "\x00",
    "\ud800",
    "x" * 20_000,
    "-1",
    "9" * 30,
    "1e999",
    "%s{}",
    "' OR 1=1 --",
    "\u202e",
    "../..",
    "NaN",
    " ",
    "",
]
QUERIES = ["&".join("a=1" for _ in range(1500)), "%00", "%ff=%fe", "=&&=", "a[b]=1&a[]=2", "%"]
QUERIES += ["&".join(f"{name}={value}" for name in NAMES) for value in ("-1", "9" * 30, "x")]
QUERY_VALUES = ["%00", "-1", "9" * 30, "%F0%9F%98%80%ED%A0%80", "NaN", ""]
PLACES = ["%00", "%ff", "..%2f..", "0", "-1", "9" * 30, "x" * 300, "%F0%9F%98%80", "'--", "_5F"]
API = ("/api/", "/v1", "/c/", "/conversations/")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
NOT_ALLOWED = 405  # whatever the body


async def people(cast):
    """Alice where a page is open to her, the administrator for the admin's."""
    return await in_database(session_headers, cast.alice), await in_database(session_headers, cast.carol)


def filled(values):
    """Every field that anybody may read, with one value."""
    text = values.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return dict.fromkeys(NAMES, values), dict.fromkeys(NAMES, text)


async def addresses(cast):
    """Every address, with objects of alice's and the headers of one who may open it."""
    alice, carol = await people(cast)
    for route in {route.path: route for route in routes()}.values():  # some have two names
        row = MATRIX.get(route.path)
        values = dict.fromkeys(route.parameters, 1)
        if isinstance(row, Owned):
            values = row.values(await in_database(row.make, cast.alice))
        if not route.path.endswith("sign-out/") and "logout" not in route.path:
            yield route, route.url(values), carol if route.in_admin else alice


def healthy(response, *about):
    assert response.status_code < 500 or response.status_code == 503, (about, response.text[:300])
    if response.status_code == 503:
        text = response.text
        assert "model" in text or "overloaded" in text, (about, text)  # no worker is there, which is no fault
        assert "database" not in text, about


async def test_no_body_makes_any_address_fail(http, cast):
    async for route, url, headers in addresses(cast):
        verbs = ("POST",) if route.in_admin else UNSAFE
        bodies = BODIES[::4] if route.in_admin else BODIES[:: 1 if url.startswith(API) else 2]
        for verb in verbs:
            for kind, body in bodies:
                given = headers | ({"content-type": kind.encode()} if kind else {})
                response = await http.request(verb, url, headers=given, content=body)
                healthy(response, verb, url, kind, body[:60])
                if response.status_code == NOT_ALLOWED or route.in_admin:
                    break
                if verb != "POST" and not url.startswith("/api/"):
                    break
    assert (await http.get("/health")).status_code == 200


async def test_no_value_of_any_field_makes_any_address_fail(http, cast):
    async for route, url, headers in addresses(cast):
        for value in ODD[:: 6 if route.in_admin else 1 if url.startswith(API) else 3]:
            fields, form = filled(value)
            if url.startswith(API):
                given = headers | {"content-type": JSON}
                healthy(await http.post(url, headers=given, content=json.dumps(fields).encode()), url, value[:9])
            response = await http.post(url, headers=headers, data=form)
            healthy(response, url, value[:9])
            if response.status_code == NOT_ALLOWED:
                break


async def test_no_query_and_no_place_makes_any_address_fail(http, cast, parameters_read):
    """Each address with queries of odd form, then each parameter that it has read so far with odd values."""
    tried = set()
    async for route, url, headers in addresses(cast):
        parameters_read.clear()
        if not route.parameters:
            healthy(await http.get(url, headers=headers), url)
        wanted = set(parameters_read)
        for query in QUERIES[:: 3 if route.in_admin else 1] if not route.parameters else ():
            healthy(await http.get(f"{url}?{query}", headers=headers), url, query[:40])
        for name in sorted(wanted | parameters_read.difference(NAMES)):  # a list of the admin looks up what is there
            tried.add(name)
            for value in QUERY_VALUES[:: 3 if route.in_admin else 1]:
                healthy(await http.get(f"{url}?{name}={value}", headers=headers), url, name, value[:40])
        for place in PLACES if route.parameters else ():
            odd = route.url(dict.fromkeys(route.parameters, place))
            healthy(await http.get(odd, headers=headers), odd)
    assert tried >= {"limit", "offset", "q", "next"}


@pytest.fixture
def parameters_read(monkeypatch):
    """The names that anything looks up in the query of a request, from now on."""
    found: set[str] = set()

    def note(name):
        original = getattr(MultiValueDict, name)

        def look_up(self, key, *args, **more):
            if isinstance(self, QueryDict) and isinstance(key, str) and not self._mutable:
                found.add(key)
            return original(self, key, *args, **more)

        monkeypatch.setattr(QueryDict, name, look_up)

    for name in ("__getitem__", "__contains__", "get", "getlist"):
        note(name)
    return found


HOST = b"Host: localhost\r\n"
SESSION = settings.SESSION_COOKIE_NAME.encode()
BYTES = {
    "a negative length": b"POST /api/chat HTTP/1.1\r\n%bContent-Length: -5\r\n\r\n" % HOST,
    "two lengths": b"POST /api/chat HTTP/1.1\r\n%bContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef" % HOST,
    "a length and chunks": (
        b"POST /api/chat HTTP/1.1\r\n%bContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % HOST
    ),
    "a bad chunk": b"POST /api/chat HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\nZZ\r\n" % HOST,
    "bytes in the query": b"GET /api/history?a=\xff\xfe HTTP/1.1\r\n%b\r\n" % HOST,
    "bytes in the path": b"GET /api/\xff HTTP/1.1\r\n%b\r\n" % HOST,
    "a NUL in a key": b"GET /v1/models HTTP/1.1\r\n%bAuthorization: Bearer a\x00b\r\n\r\n" % HOST,
    "bytes in a key": b"GET /v1/models HTTP/1.1\r\n%bAuthorization: Bearer \xff\xfe\r\n\r\n" % HOST,
    "quotes in a key": b"GET /v1/models HTTP/1.1\r\n%bX-API-Key: ' OR '1'='1\r\n\r\n" % HOST,
    "a long key": b"GET /v1/models HTTP/1.1\r\n%bX-API-Key: %b\r\n\r\n" % (HOST, b"x" * 30_000),
    "bytes in a cookie": b"GET /api/status HTTP/1.1\r\n%bCookie: %b=\xff%%00; a\r\n\r\n" % (HOST, SESSION),
    "an unknown verb": b"FROB /v1/models HTTP/1.1\r\n%b\r\n" % HOST,
    "a verb that asks for an echo": b"TRACE /v1/models HTTP/1.1\r\n%b\r\n" % HOST,
    "two slashes": b"GET //evil.example/ HTTP/1.1\r\n%b\r\n" % HOST,
    "dots": b"GET /static/../../etc/passwd HTTP/1.1\r\n%b\r\n" % HOST,
    "escaped dots": b"GET /static/..%%2f..%%2f..%%2fetc/passwd HTTP/1.1\r\n%b\r\n" % HOST,
    "a NUL in a file's name": b"GET /static/%%00 HTTP/1.1\r\n%b\r\n" % HOST,
    "a socket without a key": b"GET /ws/chat/ HTTP/1.1\r\n%bUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" % HOST,
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2 all at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


async def test_bytes_that_are_no_request_are_refused_and_the_process_lives(live):
    host, port = live.url.removeprefix("http://").split(":")
    for name, data in BYTES.items():
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        head = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        assert head.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (name, head)
    async with live.http.get("/v1/models") as response:
        assert response.status == 200


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ODD)
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


def frame_of(names, types):
    """Something like a frame: fields that frames have, with values that they may or may not have."""
    ids = st.uuids().map(str) | st.integers(-5, 2**70)
    named = st.dictionaries(st.sampled_from(names) | st.text(max_size=5), VALUE | ids, max_size=6)
    return st.builds(lambda fields, kind: fields | {"type": kind}, named, st.sampled_from(types) | VALUE)


async def test_no_frame_makes_the_socket_fail(cast, model, open_as):
    """Of thousands of frames none is answered with a failure, and the socket answers to the last."""
    from chat import frames

    kinds = frames.FromClient.__subclasses__()
    names = sorted({field for kind in kinds for field in kind.__struct_fields__})
    types = [kind.__name__.lower() for kind in kinds if kind is not frames.Ping]
    made: list[str] = []

    @hypothesis.settings(max_examples=150, database=None, deadline=None, derandomize=True)
    @hypothesis.given(st.lists(frame_of(names, types).map(json.dumps) | st.text(string.printable, max_size=30)))
    def gather(texts):
        made.extend(texts)

    gather()
    assert len(made) > 300
    socket = await open_as(cast.alice)
    for text in [*filter(None, made), "\x00", "{" * 10_000, "[" * 100_000, '{"type":"ask"}' * 10]:
        await socket.send_to(text_data=text)
    await socket.send_to(bytes_data=b"\x00\xff")
    await socket.send_frame(type="ping")
    while (frame := await socket.receive_frame())["type"] != "pong":
        assert frame.get("code") not in ("internal_error", "unavailable"), frame
    assert sum(frame["type"] == "error" for frame in socket.seen) > 200
