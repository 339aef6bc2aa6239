"""Answers as they come over the wire: framing, compression, headers with blanks, and what is no HTTP at all."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from tests.support.fake_engine import numbered
from tests.support.gateway import asked, post

pytestmark = pytest.mark.django_db(transaction=True)


async def exchange(live, version, method, path, body=b"", *headers):
    """Head and body of an answer, as they come over the wire, to the end of the connection."""
    place = urlsplit(live.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    lines = [f"{method} {path} HTTP/{version}", f"host: {place.netloc}", f"x-api-key: {live.key}", "connection: close"]
    lines += [f"content-length: {len(body)}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    return head.decode().lower(), body


async def test_http_1_0_is_answered_without_chunks_whole_and_streamed(live):
    """RFC 9112, 6.1: small devices and old proxies read the sizes of chunks as text."""
    for path in ("/v1/models", "/health", "/v1/nothing", "/api/v1/keys/", "/api/schema/?format=json"):
        head, body = await exchange(live, "1.0", "GET", path)
        assert "transfer-encoding" not in head
        assert f"content-length: {len(body)}" in head
        assert isinstance(json.loads(body), dict)
    for fields in ({}, {"stream": True}):
        call = json.dumps(asked(**fields)).encode()
        head, body = await exchange(live, "1.0", "POST", "/v1/chat/completions", call)
        assert (" 200 " in head, "transfer-encoding" in head, "connection: close" in head) == (True, False, True)
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")
    head, body = await exchange(live, "1.0", "HEAD", "/v1/models")
    assert ("transfer-encoding" in head, body) == (False, b"")
    head, body = await exchange(live, "1.1", "POST", "/v1/chat/completions", call)
    assert "transfer-encoding: chunked" in head


async def test_blanks_around_the_values_of_headers_do_not_belong_to_them(live):
    """RFC 9110, 5.5; the parser takes off those in front."""
    place = urlsplit(live.url)
    for line in (
        f"x-api-key: {live.key} \t",
        f"authorization: Bearer {live.key} ",
        f"authorization:\tBearer   {live.key}\t",
    ):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        lines = [
            "GET /v1/models HTTP/1.1",
            f"host: {place.netloc} ",
            line,
            "x-request-id: mine \t",
            "connection: close ",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = (await asyncio.wait_for(reader.read(), 10)).decode()
        writer.close()
        assert answer.startswith("HTTP/1.1 200 "), answer
        assert "x-request-id: mine\r\n" in answer


async def test_what_is_no_http_gets_an_error_in_the_shape(live):
    place = urlsplit(live.url)
    for line in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET /health HTTP/1.1\r\nhost\r\n\r\n"):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(line)
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"nosniff" in head
        assert json.loads(body)["error"]["code"] == "invalid_request_error"


async def test_long_answers_are_compressed_and_streams_are_not(live):
    packed = {"accept-encoding": "gzip"}
    status, headers, body = await post(live, asked(max_tokens=400), headers=packed)
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert json.loads(body)["choices"][0]["message"]["content"] == numbered(400)  # the client has unpacked it
    assert (
        "content-encoding" not in (await post(live, asked(max_tokens=400), headers={"accept-encoding": "gzip;q=0"}))[1]
    )
    for path, call in (
        ("/v1/chat/completions", asked(stream=True, max_tokens=400)),
        ("/api/chat/stream", {"message": "Hello"}),
    ):
        async with live.http.post(path, json=call, headers=packed) as response:
            assert response.status == 200
            assert "content-encoding" not in response.headers
            assert "no-store" in response.headers["cache-control"]
            assert (await response.content.readline()).startswith(b"data: ")
