"""Rights and limits at every door, as the official client and others see them."""

import asyncio
import json
import time
import uuid

import openai
import pytest
import websockets

from accounts.models import ApiKey, UserLimits
from chat.models import Conversation
from inference.models import Generation, LanguageModel
from inference.queue import rate_limits
from inference.redis.client import shared_client
from inference.redis.keys import budget_key
from jarvis.lib.database import in_database
from tests.support.gateway import asked, post
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

DOORS = [
    ("POST", "/v1/chat/completions", "chat"),
    ("POST", "/api/chat", "chat"),
    ("POST", "/api/chat/stream", "chat"),
    ("GET", "/v1/models", "models"),
    ("GET", "/v1/models/fake", "models"),
    ("GET", "/api/status", "models"),
    ("GET", "/api/history", "history"),
    ("DELETE", "/api/history", "history"),
]


@pytest.fixture(autouse=True)
def forget_refusals():
    rate_limits._refused.clear()


async def change(key, **fields):
    """Change a key and wait until every process has heard of it."""
    await in_database(lambda: ApiKey.objects.filter(pk=key.pk).update(**fields))
    await asyncio.sleep(0.9)


async def limit(user_id, **figures):
    await in_database(lambda: UserLimits.objects.update_or_create(user_id=user_id, defaults=figures))
    await asyncio.sleep(0.9)


def body_for(path):
    return asked() if path.startswith("/v1") else {"message": "count"}


async def rows():
    return await in_database(Generation.objects.count)


# Scopes and models


async def test_every_door_wants_its_scope_whichever_header_has_the_key(live):
    for scope in ("chat", "models", "history", "embeddings"):
        await change(live.row, scopes=[scope])
        for method, path, wanted in DOORS:
            for headers in ({"x-api-key": live.key, "authorization": ""}, {"authorization": f"Bearer {live.key}"}):
                async with live.http.request(method, path, headers=headers, json=body_for(path)) as response:
                    assert response.status == (200 if scope == wanted else 403), (method, path, scope)
                    if response.status == 403:
                        error = (await response.json())["error"]
                        assert (error["code"], error["type"]) == ("permission_denied", "permission_error")
                        assert f"`{wanted}`" in error["message"]
    with pytest.raises(openai.PermissionDeniedError) as found:
        await live.client.chat.completions.create(**asked())
    assert found.value.code == "permission_denied"


async def test_a_hidden_model_is_one_that_does_not_exist_at_every_door(live):
    await in_database(LanguageModel.objects.create, name="secret", source="x")
    await change(live.row, allowed_models=["fake"])
    assert [model.id async for model in live.client.models.list()] == ["fake"]
    async with live.http.get("/api/status") as response:
        assert [model["name"] for model in (await response.json())["models"]] == ["fake"]
    told = []
    for name in ("secret", "nothing"):
        calls = [
            live.http.get(f"/v1/models/{name}"),
            live.http.post("/v1/chat/completions", json=asked(model=name)),
            live.http.post("/api/chat", json={"message": "hi", "model": name}),
            live.http.post("/api/chat/stream", json={"message": "hi", "model": name}),
        ]
        told.append([])
        for call in calls:
            async with call as response:
                told[-1].append((response.status, (await response.text()).replace(name, "…")))
    assert told[0] == told[1]
    assert {status for status, _ in told[0]} == {404}
    with pytest.raises(openai.NotFoundError) as found:
        await live.client.chat.completions.create(**asked(model="secret"))
    assert found.value.code == "model_not_found"
    assert await rows() == 0


async def test_a_conversation_whose_model_is_closed_to_its_owner_goes_on_with_another(live):
    await in_database(LanguageModel.objects.create, name="secret", source="x")
    made = await in_database(Conversation.objects.create, owner_id=live.row.owner_id, model="secret")
    await change(live.row, allowed_models=["fake"])
    async with live.http.post("/api/chat", json={"message": "hi", "conversation": str(made.id)}) as response:
        assert (response.status, (await response.json())["model_used"]) == (200, "fake")
    await change(live.row, allowed_models=["none of these"])
    async with live.http.post("/api/chat", json={"message": "hi"}) as response:
        assert response.status == 403
        text = await response.text()
    assert "secret" not in text
    error = json.loads(text)["error"]
    assert (error["code"], "Ask an administrator" in error["message"]) == ("no_model_allowed", True)


async def test_every_door_hides_a_model_in_the_words_for_one_that_is_unknown(live):
    """Where the default is what is hidden, nothing tells that it exists."""
    await in_database(LanguageModel.objects.create, name="open", source="x")
    mine = await in_database(Conversation.objects.create, owner_id=live.row.owner_id, model="open")
    await change(live.row, allowed_models=["open"], scopes=["chat", "models", "history"])
    answers = []
    for name in ("fake", "nothing"):
        calls = [
            live.http.get(f"/v1/models/{name}"),
            live.http.post("/v1/chat/completions", json=asked(model=name)),
            live.http.post("/v1/chat/completions", json=asked(model=name, stream=True)),
            live.http.post("/api/chat", json={"message": "hi", "model": name}),
            live.http.post("/api/chat/stream", json={"message": "hi", "model": name}),
            live.http.patch(f"/api/v1/conversations/{mine.id}/", json={"model": name}),
        ]
        answers.append([])
        for call in calls:
            async with call as response:
                answers[-1].append((response.status, (await response.text()).replace(name, "…")))
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {404}
    await in_database(mine.refresh_from_db)
    assert mine.model == "open"
    for path in ("/v1/models", "/api/v1/models/", "/api/status"):
        async with live.http.get(path) as response:
            assert response.status == 200, path
            models = await response.json()
        listed = models.get("data") or models.get("results") or models["models"]
        assert [model["id" if path == "/v1/models" else "name"] for model in listed] == ["open"], path


# Limits


@pytest.mark.alone
async def test_the_official_client_obeys_the_time_to_wait(live):
    await limit(live.row.owner_id, parallel=1)
    live.fake.settings.rate = 30
    client = live.client.with_options(max_retries=0)
    first = asyncio.create_task(client.chat.completions.create(**asked(max_tokens=20)))
    await until(lambda: live.fake.counters.running)
    with pytest.raises(openai.RateLimitError) as found:
        await client.chat.completions.create(**asked())
    assert found.value.code == "rate_limit_exceeded"
    assert found.value.response.headers["retry-after"] == "1"
    assert found.value.response.headers["retry-after-ms"] == "1000"
    began = time.monotonic()
    second = await live.client.with_options(max_retries=2).chat.completions.create(**asked(max_tokens=3))
    assert second.choices[0].message.content
    assert 0.9 < time.monotonic() - began < 3
    assert (await first).usage.completion_tokens == 20


async def test_who_waits_for_a_whole_answer_finds_its_place_by_the_id_that_they_sent(live):
    live.held.state.slots, live.fake.settings.rate = 1, 40
    busy = asyncio.create_task(post(live, asked(max_tokens=4000)))
    async with asyncio.timeout(10):
        while not await in_database(Generation.objects.filter(status="running").exists):
            await asyncio.sleep(0.02)
    calls = []
    for name, stream in (("whole-1", False), ("streamed-1", True)):
        headers = {"x-request-id": name}
        calls.append(asyncio.create_task(post(live, asked(max_tokens=2, stream=stream), headers=headers)))
        found = []
        async with asyncio.timeout(10):
            while not found:
                async with live.http.get("/api/v1/generations/", params={"request_id": name}) as response:
                    found = (await response.json())["results"]
        [row] = found
        async with live.http.get(f"/api/v1/generations/{row['id']}/") as response:
            told = await response.json()
        assert (told["status"], told["position"], told["wait_seconds"]) == ("queued", len(calls), None)
        assert not calls[-1].done()
    busy.cancel()  # its client leaves, and the others have their turn
    answers = await asyncio.wait_for(asyncio.gather(*calls), 10)
    assert [(status, headers["x-request-id"]) for status, headers, _ in answers] == [
        (200, "whole-1"), (200, "streamed-1")
    ]  # fmt: skip


async def test_the_eleventh_call_costs_no_engine_and_no_row(live):
    await limit(live.row.owner_id, requests_per_minute=10)
    for left in range(9, -1, -1):
        status, headers, _ = await post(live, asked(stream=left % 2 == 0, max_tokens=1))
        assert (status, headers["x-ratelimit-limit-requests"]) == (200, "10")
        assert headers["x-ratelimit-remaining-requests"] == str(left)
        assert headers["x-ratelimit-reset-requests"].endswith("s")
    made = await rows()
    for path in ("/v1/chat/completions", "/api/chat", "/api/chat/stream"):
        async with live.http.post(path, json=body_for(path)) as response:
            assert response.status == 429
            assert 50 <= int(response.headers["retry-after"]) <= 60
            assert response.headers["x-ratelimit-remaining-requests"] == "0"
            assert response.headers["x-request-id"]
            error = (await response.json())["error"]
            assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert await rows() == made == 10
    assert live.fake.counters.requests == 10


@pytest.mark.alone
async def test_a_spent_budget_is_not_tried_again(live):
    await limit(live.row.owner_id, tokens_per_month=600)
    client = live.client.with_options(max_retries=5)
    began = time.monotonic()
    with pytest.raises(openai.RateLimitError) as found:
        await client.chat.completions.create(**asked(max_tokens=200))
    assert time.monotonic() - began < 0.4  # one call, no pauses
    assert (found.value.code, found.value.type) == ("insufficient_quota", "insufficient_quota")
    assert found.value.response.headers["x-should-retry"] == "false"
    assert "max_tokens" in found.value.message
    assert found.value.param == "max_tokens"
    await limit(live.row.owner_id, tokens_per_month=2000)
    await client.chat.completions.create(**asked(max_tokens=5))
    assert live.fake.counters.requests == 1


async def test_limits_and_errors_of_tokens_are_told(live):
    await limit(live.row.owner_id, tokens_per_minute=5000)
    status, headers, body = await post(live, asked(max_tokens=100))
    assert (status, headers["x-ratelimit-limit-tokens"]) == (200, "5000")
    assert int(headers["x-ratelimit-remaining-tokens"]) < 4900
    used = json.loads(body)["usage"]["total_tokens"]
    _, headers, _ = await post(live, asked(max_tokens=1))
    assert int(headers["x-ratelimit-remaining-tokens"]) > 5000 - used - 100


async def test_disconnects_at_random_leave_no_reservation_and_what_is_counted_is_what_the_ledger_says(live):
    await limit(live.row.owner_id, parallel=1000, tokens_per_month=10**9, tokens_per_minute=10**8)
    live.fake.settings.rate = 100

    async def leave(n):
        try:
            async with asyncio.timeout(0.02 + n * 0.01):
                await post(live, asked(stream=n % 3 > 0, max_tokens=40))
        except TimeoutError:
            pass

    assert (await post(live, asked()))[0] == 200
    for _ in range(2):
        await asyncio.gather(*(leave(n) for n in range(60)))

    async def over():
        held = [key async for key in shared_client().scan_iter(match="jarvis:open:*")]
        return not held and not await in_database(Generation.objects.open().exists)

    async with asyncio.timeout(20):
        while not await over():
            await asyncio.sleep(0.05)
    spent = await in_database(lambda: Generation.objects.sum_tokens())
    used = budget_key(f"user:{live.row.owner_id}", rate_limits.month_start())
    assert int(await shared_client().hget(used, "n")) == spent
    assert await rows() > 30


# The socket


async def frame(socket, *types):
    async with asyncio.timeout(10):
        while True:
            told = json.loads(await socket.recv())
            if told["type"] in types:
                return told


async def say(socket, **fields):
    await socket.send(json.dumps({"client_key": str(uuid.uuid4())} | fields))


def connect(live, **headers):
    return websockets.connect(live.url.replace("http", "ws") + "/ws/chat/", additional_headers=headers)


async def test_the_socket_has_the_same_limits_and_says_when_to_ask_again(live):
    await limit(live.row.owner_id, requests_per_minute=2)
    async with connect(live, **{"x-api-key": live.key}) as socket:
        keys = [str(uuid.uuid4()) for _ in range(3)]
        for key in keys[:2]:
            await say(socket, type="ask", text="count", client_key=key)
            assert await frame(socket, "accepted")
        await say(socket, type="ask", text="count", client_key=keys[2])
        error = await frame(socket, "error")
        assert (error["code"], error["reply_to"]) == ("rate_limit_exceeded", keys[2])
        assert 50 < error["retry_after"] <= 60
        await say(socket, type="ask", text="count", client_key=keys[0])  # what was accepted before is not refused
        assert (await frame(socket, "accepted", "error"))["type"] == "accepted"
        await limit(live.row.owner_id, requests_per_minute=3)  # an open socket hears of new limits
        await say(socket, type="ask", text="count", client_key=keys[2])
        assert await frame(socket, "accepted")
        async with live.http.post("/api/chat", json={"message": "hi"}) as response:
            assert response.status == 429  # one count for all doors


async def test_a_key_without_history_hears_and_stops_only_what_it_asked_itself(live):
    await change(live.row, scopes=["chat"])
    _, other = await in_database(ApiKey.create_with_secret, live.row.owner_id, "other")
    async with connect(live, **{"x-api-key": live.key}) as mine, connect(live, **{"x-api-key": other}) as theirs:
        await frame(mine, "state"), await frame(theirs, "state")
        await say(theirs, type="ask", text="a secret")
        generation = (await frame(theirs, "accepted"))["generation"]
        for verb in ("follow", "stop"):
            await mine.send(json.dumps({"type": verb, "generation": generation}))
            assert (await frame(mine, "error", "conversation"))["code"] == "not_found"
        await say(mine, type="ask", text="count")
        own = (await frame(mine, "accepted"))["generation"]
        await mine.send(json.dumps({"type": "follow", "generation": own}))
        assert await frame(mine, "end")


@pytest.mark.alone
async def test_sockets_close_within_a_second_when_their_key_may_chat_no_more_or_is_rotated(live):
    for change_it in (
        lambda: ApiKey.objects.filter(pk=live.row.pk).update(scopes=["models"]),
        lambda: (ApiKey.objects.filter(pk=live.row.pk).update(scopes=["chat"]), live.row.rotate()),
    ):
        await in_database(lambda: ApiKey.objects.filter(pk=live.row.pk).update(scopes=["chat"]))
        async with connect(live, **{"x-api-key": live.key}) as socket:
            await frame(socket, "state")
            began = time.monotonic()
            await in_database(change_it)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(frame(socket, "nothing"), 5)
            assert time.monotonic() - began < 1.2
            assert socket.close_code == 4401


async def test_a_key_that_may_not_chat_opens_no_socket(live):
    await change(live.row, scopes=["models", "history"])
    with pytest.raises(websockets.InvalidStatus) as found:
        async with connect(live, **{"x-api-key": live.key}):
            pass
    assert found.value.response.status_code == 403


# Odd headers


ODD = ["' OR 1=1 --", "jv_\xff\xfe", "Bearer " * 50, "x" * 8000, "%00", "jv_';--", "\t", "🗝".encode().decode("latin1")]


async def test_no_authorization_header_is_anything_but_wrong(live):
    for value in ODD:
        for name in (b"authorization: Bearer ", b"x-api-key: "):
            status = await bare(live, name + value.encode("latin1"))
            assert status in (400, 401), value
    assert await bare(live, b"authorization: Bearer a\x00b") == 400
    assert await bare(live, b"authorization: Bearer " + b"x" * 1_000_000) in (401, 431)
    assert (await post(live, asked()))[0] == 200


async def bare(live, header):
    """The status of a call with one header, byte by byte as given."""
    host, _, port = live.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n" + header + b"\r\n\r\n")
        async with asyncio.timeout(10):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()
