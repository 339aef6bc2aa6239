"""Canaries through all of Jarvis: no key, password or message in any line that a process logs, nor in an error's body.

Case: "secrets in logs and errors". Web, worker, Celery, Postgres and Redis are real processes with their own log files.
"""

import asyncio
import json
import re
import uuid

import aiohttp
import psycopg
import pytest

from tests.support.launched import until

pytestmark = pytest.mark.processes

PASSWORD = "canary-pass-word-4711"
MESSAGE = "canary-of-a-message"
WRONG_KEY = "jv_canary-of-a-wrong-key"
FIELDS = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@pytest.fixture
def said(stack):
    """All that the processes have logged since the test began, by file."""
    files = {path: path.stat().st_size for path in (stack.var / "log").iterdir()}
    printed = len(stack.said())

    def said():
        texts = {path.name: path.read_bytes()[files.get(path, 0) :].decode() for path in (stack.var / "log").iterdir()}
        return texts | {"terminal": stack.said()[printed:]}

    return said


async def engine_says(stack, tokens):
    """Let answers end by themselves after so many tokens; 0: as before."""
    path = json.loads((stack.var / "run" / "engine.json").read_text())["socket"]
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as http,
        http.post("http://engine/fake", json={"answer_tokens": tokens}) as response,
    ):
        assert response.status == 200


async def sign_in(http, password):
    """The form as a browser sends it."""
    async with http.get("/sign-in/") as page:
        found = FIELDS.search(await page.text())
    names = {"username": "secretive", "login": "secretive", "password": password, "csrfmiddlewaretoken": found[1]}
    async with http.post("/sign-in/", data=names, headers={"referer": str(page.url)}, allow_redirects=False) as answer:
        return answer.status, await answer.text()


def violate(stack):
    """What a crossing of two transactions can do: Postgres knows the rows, and would tell them in its log."""
    with psycopg.connect(stack.database, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE said (text text UNIQUE)")
        connection.execute("INSERT INTO said VALUES (%s)", [MESSAGE])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.cursor(binary=False).execute(f"INSERT INTO said VALUES ('{MESSAGE}')")  # noqa: S608


async def refusals(http, key):
    """Requests that are refused, each with a canary in it: the bodies of the answers."""
    question = [{"role": "user", "content": MESSAGE}]
    key = {"x-api-key": key}
    wrong = {"authorization": f"Bearer {WRONG_KEY}"}
    for path, body, headers in [
        ("/api/chat", {"message": MESSAGE}, wrong),
        ("/api/chat", {"message": MESSAGE, "password": PASSWORD, "more": 1}, key),
        ("/api/chat", {"message": [MESSAGE]}, key),
        ("/api/chat", {"message": MESSAGE * 2000}, key),
        ("/api/chat", {"message": f"{MESSAGE}\x00"}, key),
        ("/api/chat", {"message": MESSAGE, "conversation": str(uuid.uuid4())}, key),
        ("/api/chat/stream", {"message": MESSAGE, "model": "no-such"}, key),
        ("/v1/chat/completions", {"model": "fake", "messages": question, "temperature": 9}, key),
        ("/v1/chat/completions", {"model": "fake", "messages": [{"role": MESSAGE, "content": MESSAGE}]}, key),
        ("/v1/chat/completions", {"model": "fake", "messages": question, "max_tokens": MESSAGE}, key),
        ("/v1/chat/completions", {"model": "fake", "messages": question}, wrong),
        ("/api/v1/nothing/", {"message": MESSAGE}, wrong),
        ("/sign-in/", {"username": "secretive", "password": PASSWORD}, {}),
    ]:
        async with http.post(path, json=body, headers=headers) as response:
            assert 400 <= response.status < 500, (path, response.status)
            yield await response.text()
    async with http.post("/api/chat", data=f'{{"message": "{MESSAGE}'.encode(), headers=key) as response:
        yield await response.text()


async def test_no_canary_is_in_any_log_or_error(stack, said):
    stack.manage("createuser", "secretive", "--password-stdin", stdin=f"{PASSWORD}\n")
    secret = stack.manage("apikey", "create", "--user", "secretive", "--name", "canary").strip()
    stack.key, former = secret, stack.key
    url, answer = f"http://127.0.0.1:{stack.port}", {"model": "fake", "max_tokens": 20}
    violate(stack)
    await engine_says(stack, 20)
    try:
        async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            status, page = await sign_in(http, f"{PASSWORD}-wrong")
            assert status == 200
            assert PASSWORD not in page
            assert (await sign_in(http, PASSWORD))[0] == 302
            cookies = {cookie.value for cookie in http.cookie_jar if cookie.key.startswith("jarvis_session_")}
            assert cookies
            key = {"x-api-key": secret, "x-request-id": "canary-request"}
            async with http.post("/api/chat", json={"message": MESSAGE}, headers=key) as response:
                assert response.status == 200, await response.text()
            body = answer | {"messages": [{"role": "user", "content": MESSAGE}], "user": MESSAGE, "stream": True}
            async with http.post("/v1/chat/completions", json=body, headers=key) as response:
                assert (await response.text()).endswith("data: [DONE]\n\n")
            async with http.ws_connect("/ws/chat/", headers={"x-api-key": secret}) as socket:
                await socket.send_json({"type": "ask", "text": MESSAGE, "client_key": str(uuid.uuid4())})
                await socket.send_str(f'{{"type": "ask", "text": "{MESSAGE}", "odd": "{MESSAGE}"}}')
                kinds = set()
                while not kinds >= {"accepted", "error"}:
                    kinds.add((await socket.receive_json(timeout=10))["type"])
            errors = [text async for text in refusals(http, secret)]
            await engine_says(stack, 400)
            async with http.post("/v1/chat/completions", json=body | {"max_tokens": 900}, headers=key) as response:
                await response.content.readany()
                stack.kill("worker")  # what fails now tells of it, too
            async with http.delete("/api/history", headers=key) as response:
                assert response.status == 200
        stack.manage("apikey", "revoke", secret[:9])
    finally:
        stack.key = former
        await engine_says(stack, 0)
    await asyncio.to_thread(until, lambda: stack.ready() and stack.ended(3), 60)
    texts = said()
    requests = [json.loads(line) for line in "".join(texts.values()).splitlines() if line.startswith("{")]
    seen = {line["process"] for line in requests if line.get("request_id") == "canary-request"}
    assert seen >= {"web", "worker"}, texts.keys()  # the canaries did go through them
    canaries = {PASSWORD, MESSAGE, WRONG_KEY, secret, *cookies}
    assert cookies
    for name, text in texts.items():
        assert not [canary for canary in canaries if canary in text], name
    for text in errors:
        assert not [canary for canary in canaries if canary in text], text
