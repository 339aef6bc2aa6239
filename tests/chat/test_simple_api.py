"""The simple API, health and status, over HTTP as a script uses them."""

import asyncio
import json
import uuid

import pytest
from django.contrib.auth.models import User

from accounts.models import ApiKey
from chat.models import Conversation, Message
from inference.models import Generation
from inference.redis.workers import worker_states
from jarvis.lib.config import config
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.gateway import live
from tests.support.workers import alice, fake, held

__all__ = ["alice", "fake", "held", "live"]

pytestmark = pytest.mark.django_db(transaction=True)


def events(text):
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line.startswith("data: ")]


async def until(condition, seconds=5):
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_a_question_gets_its_answer_and_a_conversation_to_go_on_with(live):
    async with live.http.post("/api/chat", json={"message": "count"}) as response:
        assert response.status == 200
        body = await response.json()
    assert body["response"] == numbered(16)
    assert body["model_used"] == "fake"
    assert body["tokens_used"] > 16
    assert body["response_time"] > 0
    assert body["timestamp"].endswith("Z")
    async with live.http.post("/api/chat", json={"message": "on", "conversation": body["conversation"]}) as response:
        assert (await response.json())["conversation"] == body["conversation"]
    request = await in_database(lambda: Generation.objects.latest("created_at").request)
    assert [message["role"] for message in request["fields"]["messages"]] == ["system", "user", "assistant", "user"]


async def test_tokens_come_as_they_are_made_and_the_last_event_says_done(live):
    live.fake.settings.rate = 20
    loop, times, text = asyncio.get_running_loop(), [], ""
    async with live.http.post("/api/chat/stream", json={"message": "count"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for data in response.content.iter_any():
            times.append(loop.time())
            text += data.decode()
    told = events(text)
    assert "".join(event.get("token", "") for event in told) == numbered(16)
    assert told[-1]["done"] is True
    assert told[-1]["model_used"] == "fake"
    assert times[-1] - times[0] > 0.5  # 16 tokens at 20 a second


async def test_a_client_that_leaves_frees_the_engine_and_its_text_is_kept(live):
    live.fake.settings.rate = 20
    live.fake.settings.answer_tokens = 2000
    response = await live.http.post("/api/chat/stream", json={"message": "count"})
    await response.content.readany()
    response.close()

    async def is_free():
        return live.fake.counters.running == 0

    await until(is_free, 1.5)
    row = await in_database(Generation.objects.latest, "created_at")
    await until(lambda: in_database(lambda: Generation.objects.get(id=row.id).ended))
    answer = await in_database(lambda: Message.objects.get(generation_id=row.id))
    assert answer.text.startswith("t0 ")


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
@pytest.mark.parametrize(
    ("body", "status", "word", "param"),
    [
        ({"message": "  \n"}, 400, "blank", "message"),
        ({"message": "x" * 5001}, 400, "5000", "message"),
        ({"message": 7}, 400, "expected text", "message"),
        ({}, 400, "missing", "message"),
        ({"message": "hi", "admin": True}, 400, "admin", "admin"),
        ({"message": "a\x00b"}, 400, "NUL", "message"),
        ({"message": "a\ud800b"}, 400, "surrogate", "message"),
        ({"message": "hi", "model": "other"}, 404, "other", "model"),
        ({"message": "hi", "conversation": str(uuid.uuid4())}, 404, "conversation", "conversation"),
        ({"message": "hi", "conversation": "1; DROP TABLE"}, 400, "conversation", "conversation"),
        (["message"], 400, "object", None),
    ],
)
async def test_what_cannot_be_asked_is_refused_in_words_and_writes_nothing(live, path, body, status, word, param):
    async with live.http.post(path, json=body) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert word in error["message"]
    assert error["param"] == param
    assert error["code"]
    assert await in_database(Generation.objects.count) == 0


async def test_an_answer_is_as_long_as_its_tokens_are_counted_for(live):
    """All that an answer may have is reserved; the message of a spent budget tells nobody to lower what cannot be."""
    for tokens, limit in ((0, None), (1_000_000, 4096)):
        await in_database(ApiKey.objects.filter(pk=live.row.pk).update, tokens_per_month=tokens)
        await asyncio.sleep(1)  # until the key is looked up again
        async with live.http.post("/api/chat", json={"message": "hi"}) as response:
            assert response.status == 200
        assert live.fake.bodies[-1].get("max_tokens") == limit
    await in_database(ApiKey.objects.filter(pk=live.row.pk).update, tokens_per_month=500)
    await asyncio.sleep(1)
    async with live.http.post("/api/chat", json={"message": "hi"}) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"], error["param"]) == (429, "insufficient_quota", None)
    assert "are left" in error["message"]
    assert "lower" not in error["message"]


async def test_the_longest_message_that_is_allowed_is_answered(live):
    async with live.http.post("/api/chat", json={"message": "é" * config.max_message_chars}) as response:
        assert response.status == 200


async def test_another_persons_conversation_is_one_that_does_not_exist(live, transactional_db):
    bob = await in_database(User.objects.create_user, "bob")
    theirs = await in_database(Conversation.objects.create, owner=bob)
    unknown = []
    for id in (theirs.id, uuid.uuid4()):
        async with live.http.post("/api/chat", json={"message": "hi", "conversation": str(id)}) as response:
            unknown.append((response.status, await response.json()))
    assert unknown[0] == unknown[1]
    assert unknown[0][0] == 404


async def test_history_is_ones_own_in_pages_and_can_be_cleared(live):
    for _ in range(2):
        async with live.http.post("/api/chat", json={"message": "count"}) as response:
            assert response.status == 200
    bob = await in_database(User.objects.create_user, "bob")
    theirs = await in_database(Conversation.objects.create, owner=bob)
    await in_database(theirs.messages.create, role="user", text="a secret")
    async with live.http.get("/api/history?limit=3") as response:
        page = await response.json()
    assert [message["role"] for message in page["messages"]] == ["assistant", "user", "assistant"]
    assert (page["total"], page["offset"], page["limit"]) == (4, 0, 3)
    async with live.http.get("/api/history?offset=3") as response:
        assert [message["content"] for message in (await response.json())["messages"]] == ["count"]
    async with live.http.delete("/api/history") as response:
        assert await response.json() == {"deleted": 4}
    async with live.http.get("/api/history") as response:
        assert (await response.json())["total"] == 0
    assert await in_database(Message.objects.count) == 1
    ledger = await in_database(lambda: list(Generation.objects.values("text", "request", "completion_tokens")))
    assert ledger == [{"text": "", "request": None, "completion_tokens": 17}] * 2  # 16, and the end of text


async def test_clearing_stops_what_still_runs(live):
    live.fake.settings.rate, live.fake.settings.answer_tokens = 20, 2000
    response = await live.http.post("/api/chat/stream", json={"message": "count"})
    await response.content.readany()
    async with live.http.delete("/api/history") as cleared:
        assert (await cleared.json())["deleted"] == 2

    async def is_free():
        return live.fake.counters.running == 0

    await until(is_free, 2)
    response.close()


@pytest.mark.parametrize("query", ["offset=-1", "limit=x", "limit=501", "offset=99999999999", "limit=%00"])
async def test_a_page_that_cannot_be_is_refused(live, query):
    async with live.http.get(f"/api/history?{query}") as response:
        assert response.status == 400


async def test_health_names_nothing(live):
    for path in ("/health", "/health/ready"):
        async with live.http.get(path, headers={"authorization": ""}) as response:
            assert response.status == 200
            text = await response.text()
        assert not [word for word in ("fake", "vllm", "python", "django", "gpu", "host") if word in text.lower()]


async def test_liveness_and_readiness_are_two_answers(live):
    live.held.state.phase = "loading"

    async def is_known():
        return {state.engine.phase for state in await worker_states()} == {"loading"}

    await until(is_known)
    async with live.http.get("/health") as response:
        assert (response.status, (await response.json())["status"]) == (200, "ok")
    async with live.http.get("/health/ready") as response:
        assert (response.status, (await response.json())["missing"]) == (503, ["model"])


async def test_status_tells_the_known_about_models_workers_and_queue(live):
    async with live.http.get("/api/status") as response:
        status = await response.json()
    assert status["status"] == "ok"
    assert [(model["name"], model["state"]) for model in status["models"]] == [("fake", "ready")]
    (worker,) = status["workers"]
    assert (worker["engine"]["phase"], worker["slots"], worker["running"]) == ("ready", 64, 0)
    assert status["queue"] == {"queued": 0, "running": 0}
    assert status["uptime_seconds"] > 0
    assert (status["tokens_per_second"], worker["paused"]) == (0.0, False)
    assert 0 < worker["memory"]["available"] <= worker["memory"]["total"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/chat"),
        ("POST", "/api/chat/stream"),
        ("GET", "/api/history"),
        ("DELETE", "/api/history"),
        ("GET", "/api/status"),
    ],
)
async def test_nothing_but_health_is_open_without_a_key(live, method, path):
    for headers in (
        {"authorization": ""},
        {"authorization": "Bearer jv_wrong"},
        {"authorization": "", "x-api-key": "x"},
    ):
        async with live.http.request(method, path, headers=headers, json={"message": "hi"}) as response:
            assert response.status == 401
            assert (await response.json())["error"]["code"] == "invalid_api_key"


async def test_a_key_works_in_either_header_but_not_two_different_ones(live):
    async with live.http.get("/api/status", headers={"authorization": "", "x-api-key": live.key}) as response:
        assert response.status == 200
    async with live.http.get("/api/status", headers={"x-api-key": "jv_other"}) as response:
        assert response.status == 401


@pytest.mark.alone
async def test_a_revoked_key_is_refused_within_a_second(live):
    async with live.http.get("/api/status") as response:
        assert response.status == 200
    key = await in_database(ApiKey.objects.get, pk=live.row.pk)
    await in_database(key.revoke)
    await asyncio.sleep(1)  # the promise is one second
    async with live.http.get("/api/status") as response:
        assert response.status == 401


async def test_every_answer_has_the_callers_request_id_or_a_new_one(live):
    async with live.http.get("/health", headers={"x-request-id": "my-id-1"}) as response:
        assert response.headers["x-request-id"] == "my-id-1"
    async with live.http.get("/health", headers={"x-request-id": "bad id\ttoo"}) as response:
        assert response.headers["x-request-id"] != "bad id\ttoo"
    async with live.http.get("/api/status") as response:
        row_id = response.headers["x-request-id"]
    assert len(row_id) == 24


async def test_a_host_that_is_not_served_is_refused(live):
    async with live.http.get("/health", headers={"host": "evil.example"}) as response:
        assert response.status == 400
